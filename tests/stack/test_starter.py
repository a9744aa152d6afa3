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
from matrix import MatrixError, Server, Session, call
from stack import Stack

NAME = "starter.test"
SERVICES = ("synapse", "postgres", "redis", "gateway", "well-known")
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
    project = Compose(compose.plugin(), target, f"{stack.project}starter")
    try:
        stack.said["starter secrets"] = project.run("run", "--rm", "-T", "secrets").stdout
        project.up(SERVICES)
        yield Starter(project, target, Server("127.0.0.1", site["gateway"]["http_port"], f"matrix.{NAME}"))
    finally:
        project.remove()
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
