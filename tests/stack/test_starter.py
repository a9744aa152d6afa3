"""The starter site as `new` writes it, with passwords of its own instead of a directory, by the way of an administrator who
has nothing on the target but Docker: secrets from the image, Compose v2, the first administrator with a made password."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import compose
import engine
import ports
from commands import run
from compose import Compose
from disk import Disk, fill
from matrix import MatrixError, Server, Session, call
from stack import Stack
from uploads import WAYS, Way, assert_too_large, upload
from waiting import eventually

NAME = "starter.test"
SERVICES = ("synapse", "postgres", "redis", "gateway", "well-known")
# The default of `media.max_upload_size`, more than other requests may have.
LIMIT = 50 * 1024 * 1024
# What the database's disk holds; its health wants 256 MiB to be left.
DISK_MIB = 640
WEAK, STRONG = "short", "a-long-enough-passphrase"


@dataclass(frozen=True)
class Starter:
    """The running starter site."""

    compose: Compose
    target: Path
    gateway: Server


@pytest.fixture(scope="module")
def starter(stack: Stack) -> Iterator[Starter]:
    """Written by `new`, moved to free ports, built, loaded, brought up; taken away at the end."""
    home = stack.home / "starter"
    run([stack.tool, "new", NAME, "--format", "json", "--dir", home], cwd=stack.home)
    site = json.loads((home / "site.json").read_text())
    site["gateway"]["http_port"] = ports.choose().gateway
    (home / "site.json").write_text(json.dumps(site))
    target = home / "out"
    run([stack.tool, "build", home / "site.json", "--out", target], cwd=home, seconds=600)
    before = engine.image_names()
    stack.loaded |= set(engine.load(str(target / "images.tar"))) - before
    override = home / "override.yaml"
    project = Compose(compose.plugin(), target, f"{stack.project}starter", (override,))
    image = next(name for name in stack.loaded | before if f"/{NAME}/postgres:" in name)
    disk = Disk(home / "disk.img", DISK_MIB, owner=engine.inspect("image", [image])[0]["Config"]["User"])
    options = {"type": "ext4", "device": disk.device}
    override.write_text(json.dumps({"volumes": {"postgres": {"driver": "local", "driver_opts": options}}}))
    try:
        stack.said["starter secrets"] = project.run("run", "--rm", "-T", "secrets").stdout
        project.up(SERVICES)
        yield Starter(project, target, Server("127.0.0.1", site["gateway"]["http_port"], f"matrix.{NAME}"))
    finally:
        project.remove()
        disk.remove()
        shutil.rmtree(target, ignore_errors=True)


@pytest.fixture(scope="module")
def administrator(starter: Starter) -> Session:
    """The first administrator, logged in with the password that was made."""
    done = starter.compose.run("--profile", "admin", "run", "--rm", "-T", "admin", seconds=90)
    password = (starter.target / "secrets" / "administrator_password_admin").read_text().strip()
    assert password not in done.stdout + done.stderr
    return starter.gateway.login("admin", password)


def test_the_image_makes_secrets(starter: Starter) -> None:
    directory = starter.target / "secrets"
    assert directory.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in directory.iterdir()} == {0o444}


def test_the_administrator_logs_in(administrator: Session) -> None:
    assert administrator.whoami() == f"@admin:{NAME}"


def test_making_administrators_again_changes_nothing(starter: Starter, administrator: Session) -> None:
    done = starter.compose.run("--profile", "admin", "run", "--rm", "-T", "admin", seconds=90)
    said = done.stdout + done.stderr
    assert "Its password was not changed" in said and "first password is" not in said
    assert administrator.whoami() == f"@admin:{NAME}"


def test_weak_passwords_are_refused(starter: Starter, administrator: Session) -> None:
    password = (starter.target / "secrets" / "administrator_password_admin").read_text().strip()
    proof = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": "admin"}, "password": password}
    with pytest.raises(MatrixError) as refused:
        administrator.call("POST", "/v3/account/password", {"auth": proof, "new_password": WEAK, "logout_devices": False})
    assert refused.value.errcode == "M_PASSWORD_TOO_SHORT"
    administrator.call("POST", "/v3/account/password", {"auth": proof, "new_password": STRONG, "logout_devices": False})
    assert starter.gateway.login("admin", STRONG).whoami() == f"@admin:{NAME}"


def test_nobody_registers(starter: Starter) -> None:
    with pytest.raises(MatrixError) as refused:
        call(starter.gateway, "POST", "/_matrix/client/v3/register", {"username": "mallory", "password": STRONG})
    assert refused.value.status == 403


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_uploads_around_the_limit(administrator: Session, way: Way) -> None:
    for size in (LIMIT + 1, LIMIT + 1024 * 1024, LIMIT + 1024 * 1024 + 1, 2 * LIMIT, 10 * LIMIT):
        assert_too_large(upload(administrator, size, way), f"{size} bytes")
    if not way.chunked:
        assert upload(administrator, LIMIT, way).status == 200


def health(starter: Starter, service: str) -> str:
    """The state of a service's health, and what its last check said."""
    state = starter.compose.container(service).details["State"]["Health"]
    return f"{state['Status']}: {state['Log'][-1]['Output'].strip()}"


def until_unhealthy(starter: Starter, service: str, *words: str) -> None:
    def unhealthy() -> bool:
        shown = health(starter, service)
        assert shown.startswith("unhealthy") and all(word in shown for word in words), shown
        return True

    eventually(f"{service} unhealthy", unhealthy, seconds=45)


def say(administrator: Session, room: str, words: str) -> str:
    return administrator.send(room, "m.room.message", {"msgtype": "m.text", "body": words})


def test_a_database_that_is_away_shows(starter: Starter, administrator: Session) -> None:
    room = administrator.create_room("notes")
    starter.compose.run("stop", "postgres")
    until_unhealthy(starter, "synapse", "PostgreSQL does not answer")
    starter.compose.run("start", "postgres")
    starter.compose.wait_healthy(SERVICES)
    say(administrator, room, "back")
    # A restart is over before three checks are.
    starter.compose.run("restart", "postgres")
    eventually("a message", lambda: say(administrator, room, "again"), trouble=(MatrixError, OSError))
    starter.compose.wait_healthy(SERVICES)


def test_a_full_disk_shows_before_it_does_harm_and_after(starter: Starter, administrator: Session) -> None:
    room = administrator.create_room("notes")
    volume = Path(engine.inspect("volume", [f"{starter.compose.project}_postgres"])[0]["Mountpoint"])
    fillers = [volume / "filler", volume / "rest"]
    try:
        fill(fillers[0], leave=200 << 20)
        until_unhealthy(starter, "postgres", "the disk is almost full", "256 MiB")
        # Nothing has failed so far.
        say(administrator, room, "still room")
        assert health(starter, "synapse").startswith("healthy")

        fill(fillers[1], leave=0)
        until_unhealthy(starter, "synapse", "PostgreSQL takes no writes", "No space left on device")
    finally:
        for filler in fillers:
            filler.unlink(missing_ok=True)
    starter.compose.wait_healthy(SERVICES)
    say(administrator, room, "room again")
    # Nothing was restarted for it.
    assert {name: starter.compose.container(name).details["RestartCount"] for name in ("postgres", "synapse")} == {"postgres": 0, "synapse": 0}
