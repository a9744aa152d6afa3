#!/usr/bin/env python3
"""Builds of a site by Nix from the stand-in, without a network. Imported by the tests here; and as a program it is a
`synapse-site` whose `build SITE --out DIR` is done by Nix, so that the stack test runs on the images of a closure:

    STACK_SHELLS="synapse synapse-generic-worker-1 synapse-federation-sender-1" \\
    STACK_PYTHON=$(tests/nix/by_nix.py python) pytest tests/stack --synapse-site tests/nix/by_nix.py

nixpkgs starts Synapse through a wrapper, which is a script, and so does the stand-in; the interpreter is at another place.

The world (store, stand-in, tool) is made once, below target/nix. Needs root, Nix, busybox-static, patchelf, and the cache of an
earlier `synapse-site build`.
"""

from __future__ import annotations

import fcntl
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


@dataclass(frozen=True)
class Failed(Exception):
    """A build that ended with an error; what it said."""

    said: str


class World:
    """A store of its own, a stand-in and a tool."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.store = directory / "store"
        self.standin = directory / "standin"
        self.tool = directory / "tool"
        self.said = ""

    def make(self) -> None:
        """Prepares whatever is not there or was made from other files."""
        self.directory.mkdir(parents=True, exist_ok=True)
        with (self.directory / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            shutil.rmtree(self.standin, ignore_errors=True)
            self._run([HERE / "prepare", cache(), self.store, self.standin])
            # Whoever builds at this moment has evaluated already, and has the old tool in its store.
            fresh = self.directory / "tool.new"
            shutil.rmtree(fresh, ignore_errors=True)
            (fresh / "bin").mkdir(parents=True)
            for name in ("synapse-site", "launch"):
                shutil.copy(programs() / name, fresh / "bin" / name)
            shutil.rmtree(self.tool, ignore_errors=True)
            fresh.rename(self.tool)

    def _run(self, command: list[Any]) -> str:
        config = "build-users-group =\nexperimental-features = nix-command flakes\nsubstituters =\n"
        done = subprocess.run(
            [str(word) for word in command],
            env={**os.environ, "NIX_CONFIG": config},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.said = done.stderr
        if done.returncode != 0:
            raise Failed(done.stdout + done.stderr)
        return done.stdout.strip()

    def build(self, request: dict[str, Any], part: str, *options: str) -> Path:
        """One of the attributes of nix/images.nix, built in the sandbox with the network unshared; where it is on the disk."""
        file = self.directory / f"request-{os.getpid()}.json"
        file.write_text(json.dumps(request))
        link = self.directory / f"result-{os.getpid()}"
        command = ["unshare", "--net", "nix", "build", "--store", self.store, "--print-build-logs", "--out-link", link, *options]
        command += ["--file", HERE / "site.nix", part]
        for name, value in (("standin", self.standin), ("tool", self.tool), ("request", file)):
            command += ["--argstr", name, value]
        try:
            self._run(command)
            return Path(f"{self.store}{os.readlink(link)}")
        finally:
            file.unlink()
            link.unlink(missing_ok=True)


def main(arguments: list[str]) -> int:
    """`build SITE --out DIR` by Nix; every other verb by the tool itself."""
    world = World(REPOSITORY / "target" / "nix")
    if arguments == ["python"]:
        world.make()
        path = world.build({"description": {}}, "packages.synapse.matrix-synapse")
        script = (path / "bin" / ".synapse_homeserver-wrapped").read_text()
        print(script.splitlines()[0].removeprefix("#!"))
        return 0
    if arguments[:1] != ["build"]:
        tool = programs() / "synapse-site"
        os.execv(tool, [str(tool), *arguments])
    site, option, out = arguments[1:]
    assert option == "--out", arguments
    world.make()
    description = json.loads(Path(site).read_text())
    files = {}
    certificate = description.get("ldap", {}).get("ca_certificate")
    if certificate:
        files["directory.pem"] = str(Path(site).parent.joinpath(certificate).resolve())
        description["ldap"]["ca_certificate"] = "directory.pem"
    try:
        built = world.build({"description": description, "files": files}, "bundle")
    except Failed as failed:
        sys.stderr.write(failed.said)
        return 3
    sys.stderr.write(world.said)
    shutil.copytree(built, out, dirs_exist_ok=True, copy_function=shutil.copyfile)
    for path in [Path(out), *Path(out).rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
