#!/usr/bin/env python3
"""A `synapse-site` whose `build SITE --out DIR` is done by `nix build` in a flake made from the template, with the stand-in for
nixpkgs, so that the stack test runs on what a user of the flake gets:

    STACK_SHELLS="synapse synapse-generic-worker-1 synapse-federation-sender-1" \\
    STACK_PYTHON=$(tests/nix/by_nix.py python) pytest tests/stack --synapse-site tests/nix/by_nix.py

nixpkgs starts Synapse through a wrapper, which is a script, and so does the stand-in; the interpreter is at another place.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from world import REPOSITORY, Failed, World, nixpkgs_lib, programs


def beside(site: Path) -> tuple[dict[str, Any], dict[str, Path]]:
    """A description whose files lie beside it, and where each of them is now."""
    files: dict[str, Path] = {}

    def renamed(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: renamed(member) for name, member in value.items()}
        if isinstance(value, list):
            return [renamed(member) for member in value]
        if isinstance(value, str) and value and site.parent.joinpath(value).is_file():
            name = f"{len(files)}-{Path(value).name}"
            files[name] = site.parent.joinpath(value).resolve()
            return name
        return value

    return renamed(json.loads(site.read_text())), files


def from_the_template(world: World, site: Path) -> Path:
    """`nix build` in a directory as `nix flake init` makes it, with this site in the place of the template's."""
    description, files = beside(site)
    with tempfile.TemporaryDirectory(dir=world.directory) as own:
        shutil.copytree(REPOSITORY / "templates" / "site", own, dirs_exist_ok=True)
        Path(own, "site.nix").write_text("builtins.fromJSON (builtins.readFile ./site.json)\n")
        Path(own, "site.json").write_text(json.dumps(description))
        for name, file in files.items():
            shutil.copyfile(file, Path(own, name))
        inputs = {"synapse-site": world.flake, "synapse-site/nixpkgs": world.standin}
        overridden = [word for name, place in inputs.items() for word in ("--override-input", name, f"path:{place}")]
        return world.built(f"path:{own}", *overridden, "--no-write-lock-file")


def alone(world: World, site: Path) -> Path:
    """The same without the module system."""
    description, files = beside(site)
    return world.build({"description": description, "files": {name: str(file) for name, file in files.items()}}, "bundle")


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
    lib, reason = nixpkgs_lib()
    try:
        if lib is None:
            sys.stderr.write(f"SKIPPED the flake: {reason}; built from nix/images.nix alone\n")
            built = alone(world, Path(site))
        else:
            built = from_the_template(world, Path(site))
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
