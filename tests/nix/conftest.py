"""What the tests of this directory share. What cannot be tried on a machine is skipped with the reason, and pytest counts it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from world import REPOSITORY, World, nixpkgs_lib


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
def later_nix() -> Path:
    """The Nix of Debian 13, beside that of this machine."""
    done = subprocess.run([REPOSITORY / "tools" / "later-nix", "trixie", REPOSITORY / "target" / "later-nix"], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"the Nix of Debian 13 cannot be had here: {(done.stderr.strip().splitlines() or ['no reason given'])[-1]}")
    return Path(done.stdout.strip()) / "nix"
