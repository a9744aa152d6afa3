"""The unit of the NixOS module, in Docker: its scripts load the images, make secrets and start the site; done again they change nothing;
and they stop it. There is no systemd here to call them, and everything else is as it calls them."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from test_outputs import SITE, nixos
from world import SYSTEM, World, nixpkgs_lib

PROJECT = "matrix-unit-example-org"
PATIENCE_SECONDS = 180


@dataclass
class Unit:
    """The scripts of the unit, and the directory that systemd gives them."""

    world: World
    state: Path
    start: str
    stop: str

    def call(self, script: str) -> None:
        self.world.inside("env", f"STATE_DIRECTORY={self.state}", script)

    def containers(self) -> dict[str, str]:
        """The site's containers by name, with when each began."""
        listed = subprocess.run(
            ["docker", "ps", "--filter", f"label=com.docker.compose.project={PROJECT}", "--format", "{{.Names}} {{.ID}}"],
            check=True, capture_output=True, text=True,
        ).stdout
        return dict(line.split() for line in listed.splitlines())


@pytest.fixture
def unit(flake: World, tmp_path: Path) -> Iterator[Unit]:
    """The scripts, built; what they left in Docker is gone afterwards."""
    password = tmp_path / "smtp"
    password.write_text("a password\n")
    lib, _ = nixpkgs_lib()
    expression = (
        f"let flake = builtins.getFlake \"path:{flake.flake}\"; lib = import {lib}/lib; pkgs = import {flake.standin} {{ system = \"{SYSTEM}\"; }}; "
        f"tool = import {flake.flake}/nix/tool.nix {{ inherit pkgs; }}; unit = {nixos(flake, SITE % password)}.systemd.services.synapse-site; "
        'in pkgs.writeTextDir "scripts" "${unit.serviceConfig.ExecStart} ${unit.serviceConfig.ExecStop}"'
    )
    built = flake.built("--impure", "--expr", expression)
    start, stop = (built / "scripts").read_text().split()
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    yield Unit(flake, state, start, stop)
    subprocess.run(["docker-compose", "down", "--volumes", "--rmi", "all"], cwd=state, capture_output=True, check=False)


def test_the_unit_starts_a_site_and_stops_it(unit: Unit, tmp_path: Path) -> None:
    unit.call(unit.start)
    assert (unit.state / "secrets" / "smtp_password").read_text() == "a password\n"
    assert not (unit.state / "images.tar").exists() and (unit.state / "secrets").stat().st_mode & 0o777 == 0o700

    def answer() -> str:
        request = urllib.request.Request("http://127.0.0.1:18480/_matrix/client/v3/login", headers={"Host": "unit.example.org"})
        with urllib.request.urlopen(request, timeout=5) as response:
            return json.dumps(json.load(response))

    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            assert "m.login.password" in answer()
            break
        except OSError:
            assert time.monotonic() < end, "the site does not answer"
            time.sleep(1)

    # Again, as a reload does it: nothing is loaded or made anew; a secret is written into the file that containers hold.
    before = unit.containers()
    assert {name.split("_")[1] for name in before} >= {"gateway", "postgres", "redis", "synapse"}, before
    secret = (unit.state / "secrets" / "smtp_password").stat().st_ino
    made = (unit.state / "secrets" / "postgres_password").read_text()
    (tmp_path / "smtp").write_text("another\n")
    unit.call(unit.start)
    assert "Loaded image" not in unit.world.said and unit.containers() == before
    assert (unit.state / "secrets" / "smtp_password").read_text() == "another\n"
    assert (unit.state / "secrets" / "smtp_password").stat().st_ino == secret
    assert (unit.state / "secrets" / "postgres_password").read_text() == made

    unit.call(unit.stop)
    assert unit.containers() == {}
