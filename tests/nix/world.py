"""Nix as the tests of this directory call it: a store in a directory of its own, the stand-in for nixpkgs, a copy of the flake, and
builds in the sandbox that reach no network.

The world is made once, below target/nix. Needs root, Nix, busybox-static, patchelf, and the cache of an earlier
`synapse-site build`. The flake also needs the pinned `lib` of nixpkgs in the store of this machine, or a network to fetch it from.
"""

from __future__ import annotations

import fcntl
import functools
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
SYSTEM = "x86_64-linux"
# What the flake consists of. A copy, since `path:` takes all of a directory into the store, and target/ has gigabytes.
PARTS = (
    *("flake.nix", "flake.lock", "default.nix", "Cargo.toml", "Cargo.lock", "build.rs"),
    *("docs", "examples", "images", "modules", "nix", "src", "templates", "tests/rules"),
)
SETTINGS = """\
build-users-group =
experimental-features = nix-command flakes
substituters =
download-attempts = 1
"""


def programs() -> Path:
    """The newest directory below target/ with both programs."""
    found = [path.parent for path in REPOSITORY.glob("target/*/*/synapse-site") if (path.parent / "launch").is_file()]
    if not found:
        sys.exit("synapse-site is not built: cargo build --release")
    return max(found, key=lambda path: (path / "synapse-site").stat().st_mtime)


def cache() -> Path:
    """Where `synapse-site build` keeps packages."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("SYNAPSE_SITE_CACHE") or Path(home) / "synapse-site")


def environment() -> dict[str, str]:
    """What Nix is called with: no file of settings, and as root no group of builders."""
    return {**os.environ, "NIX_CONFIG": SETTINGS}


@functools.cache
def nixpkgs_lib() -> tuple[Path | None, str]:
    """The pinned tree of nixpkgs' `lib` in the store of this machine, or nothing and why."""
    pin = json.loads((REPOSITORY / "flake.lock").read_text())["nodes"]["nixpkgs-lib"]["locked"]
    url = f"https://github.com/{pin['owner']}/{pin['repo']}/archive/{pin['rev']}.tar.gz"
    expression = f'builtins.fetchTarball {{ url = "{url}"; sha256 = "{pin["narHash"]}"; }}'
    done = subprocess.run(["nix", "eval", "--impure", "--raw", "--expr", expression], env=environment(), capture_output=True, text=True)
    path = Path(done.stdout.strip())
    if done.returncode == 0 and (path / "lib" / "modules.nix").is_file():
        return path, ""
    return None, f"nixpkgs' lib is neither in the store nor to be fetched: {(done.stderr.strip().splitlines() or ['Nix does not say why'])[-1].strip()}"


@dataclass
class Failed(Exception):
    """A build that ended with an error; what it said."""

    said: str


class World:
    """A store of its own, a stand-in and a copy of the flake."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.store = directory / "store"
        self.standin = directory / "standin"
        self.flake = directory / "flake"
        self.said = ""
        # For every call of Nix.
        self.options: list[str] = []

    def make(self) -> None:
        """Prepares whatever is not there or was made from other files."""
        self.directory.mkdir(parents=True, exist_ok=True)
        with (self.directory / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            shutil.rmtree(self.standin, ignore_errors=True)
            self.run([HERE / "prepare", cache(), programs(), self.store, self.standin])
            shutil.rmtree(self.flake, ignore_errors=True)
            self.flake.mkdir()
            for part in PARTS:
                source = REPOSITORY / part
                (shutil.copytree if source.is_dir() else shutil.copy)(source, self.flake / part)
            shell = self.directory / "sh"
            if not shell.exists():
                shutil.copy(shutil.which("busybox") or sys.exit("busybox is missing: apt-get install busybox-static"), shell)
            lib, _ = nixpkgs_lib()
            if lib is not None:
                # Not through `nix`, which puts this store in the place of the one that has it.
                self.run(["nix", "--store", self.store, "store", "add-path", "--name", "source", lib])

    def run(self, command: list[Any], directory: Path | None = None) -> str:
        """A program that has to succeed; what it wrote."""
        # What evaluation remembers belongs to this store.
        variables = {**environment(), "XDG_CACHE_HOME": str(self.directory / "cache"), "SYNAPSE_SITE_CACHE": str(cache())}
        done = subprocess.run([str(word) for word in command], env=variables, cwd=directory, capture_output=True, text=True)
        self.said = done.stderr
        if done.returncode != 0:
            raise Failed(done.stdout + done.stderr)
        return done.stdout.strip()

    def inside(self, *command: Any, directory: Path | None = None) -> str:
        """A program that sees this store at /nix, and no network. Not `--store`, which early versions do not follow everywhere."""
        enter = 'mkdir -p /nix "$0" && mount --bind "$0" /nix && exec "$@"'
        return self.run(["unshare", "--net", "--mount", "sh", "-c", enter, self.store / "nix", *command], directory)

    def nix(self, *arguments: Any, program: Path | str = "nix", directory: Path | None = None) -> str:
        """Nix with this store. The sandbox has busybox for a shell, as in most builds of Nix; Debian's has none."""
        options = [*self.options, "--option", "sandbox-paths", f"/bin/sh={self.directory / 'sh'}"]
        return self.inside(program, *arguments, *options, directory=directory)

    def built(self, *arguments: Any, **how: Any) -> Path:
        """A build; where its output is on the disk."""
        link = self.directory / f"result-{os.getpid()}"
        try:
            self.nix("build", "--print-build-logs", "--out-link", link, *arguments, **how)
            return Path(f"{self.store}{os.readlink(link)}")
        finally:
            link.unlink(missing_ok=True)

    def build(self, request: dict[str, Any], part: str, *options: str, **how: Any) -> Path:
        """One of the attributes of nix/images.nix, without the flake and without the module system."""
        file = self.directory / f"request-{os.getpid()}.json"
        file.write_text(json.dumps(request))
        arguments = [word for name, value in (("standin", self.standin), ("request", file)) for word in ("--argstr", name, value)]
        try:
            return self.built("--file", HERE / "site.nix", part, *arguments, *options, **how)
        finally:
            file.unlink()

    def overridden(self) -> list[str]:
        """The options that put the stand-in in the place of the flake's nixpkgs."""
        return ["--override-input", "nixpkgs", f"path:{self.standin}", "--no-write-lock-file"]

    def output(self, attribute: str, *options: Any, **how: Any) -> Path:
        """An output of the flake, built."""
        return self.built(f"path:{self.flake}#{attribute}", *self.overridden(), *options, **how)
