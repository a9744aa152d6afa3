"""The flake as a whole, in the sandbox and without a network, with the stand-in in the place of nixpkgs: everything that it puts
out is built, with an early and a later Nix to the same bytes, and the commands of docs/nix.md do what the page says."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from conftest import nix_of
from world import SYSTEM, World, programs

OTHER = "aarch64-linux"


@pytest.fixture(scope="session")
def bundle(flake: World) -> Path:
    """Everything of the example site."""
    return flake.output("bundle")


def test_the_flake_checks(flake: World) -> None:
    flake.nix("flake", "check", f"path:{flake.flake}", *flake.overridden())


@pytest.mark.parametrize("program", ["synapse-site", "launch"])
def test_the_programs(flake: World, program: str) -> None:
    made = flake.output(program) / "bin" / program
    assert made.read_bytes() == (programs() / program).read_bytes()


def test_the_source_of_the_tool_is_complete(flake: World) -> None:
    """What the derivation compiles holds every file that the code embeds, and cargo finds all that the manifest names."""
    source = Path(f"{flake.store}{flake.nix('eval', '--raw', f'path:{flake.flake}#synapse-site.src', *flake.overridden())}")
    embedded = 0
    for file in source.glob("src/**/*.rs"):
        code = file.read_text().split("#[cfg(test)]")[0]
        for name in re.findall(r'include_(?:str|bytes)!\("([^"]+)"\)', code):
            assert (file.parent / name).is_file(), f"{file.relative_to(source)} embeds {name}, which nix/tool.nix leaves out"
            embedded += 1
    assert embedded > 10
    command = ["cargo", "metadata", "--locked", "--offline", "--no-deps", "--format-version", "1", "--manifest-path", source / "Cargo.toml"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert {target["name"] for target in json.loads(done.stdout)["packages"][0]["targets"]} >= {"synapse-site", "launch", "build-script-build"}


def test_outputs_are_parts_of_the_bundle(flake: World, bundle: Path) -> None:
    assert flake.output("images").read_bytes() == (bundle / "images.tar").read_bytes()
    assert flake.output("compose").read_bytes() == (bundle / "compose.yaml").read_bytes()
    assert flake.output("docs").read_text().startswith("# ")
    done = subprocess.run([programs() / "synapse-site", "inspect", flake.output("image")], capture_output=True, text=True)
    assert done.returncode == 0 and "example.com" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("release", ["trixie", "sid"])
def test_a_later_nix_makes_the_same_bytes(flake: World, bundle: Path, release: str) -> None:
    """It finds the same derivation, builds it anew, and compares."""
    later = nix_of(release)
    assert flake.output("bundle", program=later) == bundle
    flake.output("bundle", "--rebuild", program=later)


def test_a_later_nix_checks_the_flake(flake: World, bundle: Path, later_nix: Path) -> None:
    flake.nix("flake", "check", "--all-systems", "--no-build", f"path:{flake.flake}", *flake.overridden(), program=later_nix)


def test_the_versions_of_nix(flake: World, later_nix: Path, newest_nix: Path) -> None:
    """Three that differ, and those that the README names."""
    said = [flake.nix("--version", program=program) for program in ("nix", later_nix, newest_nix)]
    versions = [tuple(int(part) for part in re.search(r"(\d+)\.(\d+)", line).groups()) for line in said]
    assert versions == sorted(set(versions)) and versions[0] >= (2, 8) and versions[1] >= (2, 18), said
    # From here on a user's registry is not asked for the inputs of a flake.
    assert versions[2] >= (2, 29), said


def test_what_the_flake_puts_out(flake: World, each_nix: Path | str) -> None:
    """`nix flake show` finds all that docs/nix.md counts on."""
    options = [] if each_nix == "nix" else ["--all-systems"]
    shown = json.loads(flake.nix("flake", "show", "--json", *options, f"path:{flake.flake}", *flake.overridden(), program=each_nix))
    parts = {"synapse-site", "launch", "directory-guard", "image", "images", "configuration", "compose", "bundle", "docs", "default"}
    for system in (SYSTEM, OTHER):
        assert set(shown["packages"][system]) == parts
        assert shown["packages"][system]["default"] == shown["packages"][system]["bundle"]
        assert set(shown["checks"][system]) == {"examples", "presets", "reference", "bundle"}
        assert "default" in shown["devShells"][system] and "default" in shown["apps"][system] and shown["formatter"][system]
    for mac in ("aarch64-darwin", "x86_64-darwin"):
        assert set(shown["packages"][mac]) == parts and shown["formatter"][mac]
        assert "default" in shown["devShells"][mac] and "default" in shown["apps"][mac]
    assert set(shown["templates"]) == {"default", "several"} and "lib" in shown
    for modules in ("nixosModules", "flakeModules", "overlays"):
        assert modules in shown
    names = json.loads(flake.nix("eval", "--json", f"path:{flake.flake}#lib", "--apply", "builtins.attrNames", *flake.overridden(), program=each_nix))
    assert set(names) == {"directoryGuard", "evaluate", "examples", "mkSite", "module", "perSystem", "presets", "reference"}


def test_a_binary_cache(flake: World, later_nix: Path, tmp_path: Path) -> None:
    """Another machine gets the result and nothing else, since nothing else is referred to, and builds nothing. Nix before 2.14 knows
    only references that it found, and so this site is one that only the later Nix builds."""
    description = {"server": {"server_name": "cache.example.org", "public_baseurl": "https://matrix.cache.example.org/"}}
    # The hook for other machines is the program itself, which cannot start itself from where tools/later-nix put it.
    built = flake.build({"description": description}, "image", "--option", "build-hook", "", program=later_nix)
    cache, other = tmp_path / "cache", tmp_path / "other"
    name = f"/{built.relative_to(flake.store)}"
    flake.nix("copy", "--to", f"file://{cache}?compression=none", name, program=later_nix)
    assert len(list(cache.glob("*.narinfo"))) == 1
    flake.run(["nix", "--store", other, "copy", "--no-check-sigs", "--from", f"file://{cache}", name])
    assert Path(f"{other}{name}").read_bytes() == built.read_bytes()
    subprocess.run(["chmod", "-R", "u+w", tmp_path], check=True)


def test_another_system_evaluates(flake: World) -> None:
    name = flake.nix("eval", "--raw", f"path:{flake.flake}#packages.{OTHER}.bundle.drvPath", *flake.overridden())
    derivation = json.loads(flake.nix("show-derivation", name))[name]
    assert derivation["system"] == OTHER
    assert json.loads(derivation["env"]["__json"])["request"]["system"] == OTHER


def test_without_flakes(flake: World, bundle: Path) -> None:
    """`nix-build` gives the very same store path."""
    lib = flake.nix("eval", "--raw", "--impure", "--expr", f"(builtins.getFlake path:{flake.flake}).inputs.nixpkgs-lib.outPath")
    pkgs = f"import {flake.standin} {{ system = \"{SYSTEM}\"; }}"
    arguments = ["--no-out-link", flake.flake, "-A", "bundle", "--arg", "nixpkgs-lib", lib, "--arg", "pkgs", pkgs]
    made = flake.nix(*arguments, "--arg", "modules", f"[ {flake.flake}/examples/example.com/site.nix ]", program="nix-build")
    assert Path(f"{flake.store}{made}") == bundle
