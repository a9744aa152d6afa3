"""What can never change, on data that moves in and on data whose volume was forgotten: refused before Synapse does any harm, and mended by
the commands that the log shows, run while the container restarts. A site with passwords of its own, from a backup of its database."""

from __future__ import annotations

import json
import re
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
from matrix import MatrixError, Server, call
from stack import Stack
from waiting import eventually

NAME = "guard.test"
SERVICES = ("synapse", "postgres", "redis", "gateway", "well-known")
SQL = ("exec", "-T", "postgres", "psql", "-U", "postgres", "-d", "synapse", "-Atc")


@dataclass(frozen=True)
class House:
    """The site on its target, and what was kept of it when it moved."""

    compose: Compose
    target: Path
    kept: Path
    gateway: Server
    key_id: str

    @property
    def password(self) -> str:
        """The administrator's."""
        return (self.kept / "administrator_password_admin").read_text().strip()

    def log(self) -> str:
        """What the main process's container has written."""
        return self.compose.logs("synapse")

    def put(self, name: str, content: bytes) -> None:
        """Puts another file in the place of a secret."""
        path = self.target / "secrets" / name
        path.unlink()
        path.write_bytes(content)
        path.chmod(0o444)

    def put_back(self, name: str) -> None:
        """Puts the secret of the old site in the place of the new one."""
        self.put(name, (self.kept / name).read_bytes())

    def start(self) -> str:
        """Recreates everything, as the page says; what the main process said once it is healthy."""
        self.compose.run("up", "-d", "--force-recreate", seconds=180)
        self.compose.wait_healthy(SERVICES)
        return self.log()

    def refused(self) -> str:
        """Recreates everything; what the main process said when it had refused twice, and so restarts."""
        self.compose.run("up", "-d", "--force-recreate", seconds=180)
        eventually("two refusals", lambda: self.log().count("what to do:") >= 2 or None, seconds=90)
        assert "SERVER STARTED" not in self.log().upper() and "Traceback" not in self.log(), self.log()
        with pytest.raises(MatrixError):
            self.published()
        return self.log()

    def published(self) -> list[str]:
        """The keys that other servers see."""
        return list(call(self.gateway, "GET", "/_matrix/key/v2/server")["verify_keys"])

    def run_as_shown(self, said: str, command: str, *, input: str | None = None, expect: int = 0, **names: str) -> str:
        """Runs the command that stands in a log."""
        shown = next(text for text in re.findall(r"`(docker compose [^`]*)`", said) if command in text)
        words = [names.get(word, word) for word in shown.split()[2:]]
        files = [word for path in ("compose.yaml", *self.compose.overrides) for word in ("-f", str(path))]
        # `run` of Compose wants a terminal unless told; a person has one.
        line = [*self.compose.command, "-p", self.compose.project, *files, words[0], "-T", *words[1:]]
        done = run(line, cwd=self.target, input=input, expect=(expect,), seconds=120)
        return done.stdout + done.stderr

    def sql(self, sql: str) -> str:
        """Asks the database."""
        return self.compose.run(*SQL, sql).stdout.strip()


@pytest.fixture(scope="module")
def house(stack: Stack) -> Iterator[House]:
    """A site that people used, and of which nothing is left but a dump of its database and a copy of its secrets. The dump is on the new target's
    database, without the table that only this tool's sites have."""
    home = stack.home / "guard"
    run([stack.tool, "new", NAME, "--format", "json", "--dir", home], cwd=stack.home)
    site = json.loads((home / "site.json").read_text())
    site["gateway"]["http_port"] = ports.choose().gateway
    (home / "site.json").write_text(json.dumps(site))
    target = home / "out"
    run([stack.tool, "build", home / "site.json", "--out", target], cwd=home, seconds=600)
    stack.loaded |= set(engine.load(str(target / "images.tar"))) - engine.image_names()
    project = Compose(compose.plugin(), target, f"{stack.project}guard")
    gateway = Server("127.0.0.1", site["gateway"]["http_port"], f"matrix.{NAME}")
    try:
        project.run("run", "--rm", "-T", "secrets")
        project.up(SERVICES)
        project.run("--profile", "admin", "run", "--rm", "-T", "admin", seconds=90)
        kept = home / "kept"
        shutil.copytree(target / "secrets", kept)
        password = (kept / "administrator_password_admin").read_text().strip()
        gateway.login("admin", password).create_room("The old site")
        (key_id,) = call(gateway, "GET", "/_matrix/key/v2/server")["verify_keys"]
        assert project.run(*SQL, "SELECT marker FROM synapse_site").stdout.count(key_id) == 1
        dump = project.run("exec", "-T", "postgres", "pg_dump", "-U", "postgres", "--no-owner", "synapse").stdout
        project.run("down", "--volumes", "--timeout", "30", seconds=180)
        shutil.rmtree(target / "secrets")
        # Somebody forgets to bring the old ones.
        project.run("run", "--rm", "-T", "secrets")
        project.run("up", "-d", "postgres", seconds=120)
        project.wait_healthy(["postgres"])
        restore = [*project.command, "-p", project.project, "exec", "-T", "postgres", "psql", "-qU", "postgres", "-d", "synapse"]
        run([*restore, "-1v", "ON_ERROR_STOP=1"], cwd=target, input=f"SET ROLE synapse;\n{dump}")
        project.run(*SQL, "DROP TABLE synapse_site")
        yield House(project, target, kept, gateway, key_id)
    finally:
        project.remove()
        shutil.rmtree(target, ignore_errors=True)


def test_forgotten_secrets_are_refused_before_the_first_harm(house: House) -> None:
    said = house.refused()
    assert f"this site has signed with {house.key_id} so far" in said, said
    assert "the accounts and the newest events in the database synapse say" in said, said
    assert house.sql("SELECT to_regclass('synapse_site') IS NULL") == "t", "nothing is written down before it is sure"


def test_the_right_key_is_taken_afterwards_and_the_pepper_is_not_believed(house: House) -> None:
    house.put_back("signing_key")
    said = house.start()
    assert house.published() == [house.key_id]
    assert "nothing says with which pepper" in said, said
    with pytest.raises(MatrixError) as refused:
        house.gateway.login("admin", house.password)
    assert refused.value.status == 403
    wrong = house.run_as_shown(said, "check-password", NAME="admin", input=house.password + "\n", expect=1)
    assert "do not give the hash in the database" in wrong and house.password not in wrong


def test_the_right_pepper_is_taken_afterwards_and_known_once_it_fits(house: House) -> None:
    house.put_back("password_pepper")
    said = house.start()
    assert "the pepper fits" in house.run_as_shown(said, "check-password", NAME="admin", input=house.password + "\n")
    assert house.gateway.login("admin", house.password).whoami() == f"@admin:{NAME}"
    assert "nothing says with which pepper" not in house.start()


def test_what_is_lost_for_good_is_accepted_while_the_container_restarts(house: House) -> None:
    house.put("password_pepper", b"0123456789abcdef\n")
    said = house.refused()
    assert "the password pepper is not the one" in said, said
    house.run_as_shown(said, "accept password_pepper")
    eventually("healthy by itself", lambda: house.compose.container("synapse").health == "healthy" or None, seconds=120)
    house.put_back("password_pepper")
    said = house.refused()
    house.run_as_shown(said, "accept password_pepper")
    house.start()
    assert house.gateway.login("admin", house.password).whoami() == f"@admin:{NAME}"


def volume(house: House, script: str) -> str:
    """Runs Python on the main process's volume while that is stopped."""
    image = house.compose.container("synapse").image
    (name,) = (name for name in run(["docker", "volume", "ls", "-q", "--filter", f"label=com.docker.compose.project={house.compose.project}"]).stdout.split() if "synapse" in name)
    mounted = ["--mount", f"type=volume,source={name},target=/var/lib/synapse", "--network", "none", "--entrypoint", "python3"]
    return run(["docker", "run", "--rm", *mounted, image, "-c", script]).stdout


def test_a_volume_that_was_forgotten_is_guarded_by_the_database(house: House) -> None:
    house.compose.run("stop", "synapse", seconds=90)
    volume(house, "import os; os.remove('/var/lib/synapse/deployment.json')")
    house.put("signing_key", b"ed25519 a_New AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE\n")
    said = house.refused()
    assert f"this site has signed with {house.key_id} so far, as the marker in the database synapse says" in said, said
    house.put_back("signing_key")
    assert "has no marker of the site; it is written from the one in the database" in house.start()
    assert house.key_id in volume(house, "print(open('/var/lib/synapse/deployment.json').read())")


def test_a_site_of_the_version_before_goes_on_without_a_step(house: House) -> None:
    house.sql("DROP TABLE synapse_site")
    said = house.start()
    assert "launch: the" not in said, said
    marker = json.loads(house.sql("SELECT marker FROM synapse_site"))
    assert marker["signing_key"]["id"] == house.key_id and marker["pepper_bcrypt"] is not None


def test_neither_marker_nor_log_holds_a_secret(house: House) -> None:
    shown = house.log() + house.sql("SELECT marker FROM synapse_site")
    for directory in (house.kept, house.target / "secrets"):
        for path in directory.iterdir():
            assert path.read_text().split()[-1] not in shown, path.name
