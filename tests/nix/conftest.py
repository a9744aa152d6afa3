"""What the tests of this directory share. What cannot be tried on a machine is skipped with the reason, and pytest counts it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from world import REPOSITORY, World, nixpkgs_lib

# The Nix of this machine, and those of later Debian releases, beside it.
RELEASES = ("machine", "trixie", "sid")


def nix_of(release: str) -> Path | str:
    """A Nix to call; that of a later release is brought here first."""
    if release == "machine":
        return "nix"
    done = subprocess.run([REPOSITORY / "tools" / "later-nix", release, REPOSITORY / "target" / "later-nix" / release], capture_output=True, text=True)
    assert done.returncode == 0, f"the Nix of Debian {release} cannot be had here: {done.stderr}"
    return Path(done.stdout.strip()) / "nix"


@pytest.fixture(scope="session")
def world() -> World:
    """A world below target/, since a store has hundreds of megabytes and its stand-in takes a minute to build."""
    world = World(REPOSITORY / "target" / "nix")
    world.make()
    return world


@pytest.fixture(scope="session")
def flake(world: World) -> World:
    """The world, where the flake's own library is at hand."""
    lib, reason = nixpkgs_lib()
    if lib is None:
        pytest.skip(reason)
    return world


@pytest.fixture(scope="session")
def later_nix() -> Path | str:
    """The Nix of Debian 13."""
    return nix_of("trixie")


@pytest.fixture(scope="session")
def newest_nix() -> Path | str:
    """The newest Nix that Debian has."""
    return nix_of("sid")


@pytest.fixture(scope="session", params=RELEASES)
def each_nix(request: pytest.FixtureRequest) -> Path | str:
    """The earliest, a later and the newest Nix in turn."""
    return nix_of(request.param)
