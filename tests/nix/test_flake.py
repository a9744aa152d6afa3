"""The flake as a whole, in the sandbox and without a network, with the stand-in in the place of nixpkgs: everything that it puts
out is built, with an early and a later Nix to the same bytes, and the commands of docs/nix.md do what the page says."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from world import REPOSITORY, SYSTEM, World, programs

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


def test_a_later_nix_makes_the_same_bytes(flake: World, bundle: Path, later_nix: Path) -> None:
    """It finds the same derivation, builds it anew, and compares."""
    early, later = flake.nix("--version"), flake.nix("--version", program=later_nix)
    assert early != later
    assert flake.output("bundle", program=later_nix) == bundle
    flake.output("bundle", "--rebuild", program=later_nix)


def test_a_later_nix_checks_the_flake(flake: World, bundle: Path, later_nix: Path) -> None:
    flake.nix("flake", "check", "--all-systems", "--no-build", f"path:{flake.flake}", *flake.overridden(), program=later_nix)


def test_what_the_flake_puts_out(flake: World, later_nix: Path) -> None:
    """`nix flake show` finds all that docs/nix.md counts on, for both systems, with an early and a later Nix."""
    for program, options in (("nix", []), (later_nix, ["--all-systems"])):
        shown = json.loads(flake.nix("flake", "show", "--json", *options, f"path:{flake.flake}", *flake.overridden(), program=program))
        for system in (SYSTEM, OTHER):
            assert set(shown["packages"][system]) == {"synapse-site", "launch", "image", "images", "compose", "bundle", "docs", "default"}
            assert shown["packages"][system]["default"] == shown["packages"][system]["bundle"]
            assert set(shown["checks"][system]) == {"examples", "presets", "reference", "bundle"}
            assert "default" in shown["devShells"][system] and "default" in shown["apps"][system] and shown["formatter"][system]
        assert shown["templates"]["default"]["description"] and "lib" in shown
    names = json.loads(flake.nix("eval", "--json", f"path:{flake.flake}#lib", "--apply", "builtins.attrNames", *flake.overridden()))
    assert set(names) == {"evaluate", "examples", "mkSite", "module", "presets", "reference"}


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


@pytest.fixture
def own(flake: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A site of somebody's own, as docs/nix.md begins one: the place of synapse-site is said once, to the registry."""
    monkeypatch.setenv("HOME", str(tmp_path))
    # The registry of the world is on the network, which is not there.
    registry = tmp_path / "registry.json"
    registry.write_text(json.dumps({"flakes": [], "version": 2}))
    monkeypatch.setattr(flake, "options", ["--option", "flake-registry", str(registry)])
    site = tmp_path / "site"
    site.mkdir()
    flake.nix("registry", "add", "synapse-site", f"path:{flake.flake}")
    flake.nix("flake", "init", "-t", "synapse-site", directory=site)
    return site


def test_a_site_from_the_template(flake: World, own: Path) -> None:
    description = json.loads(flake.nix("eval", "--json", "path:.#description", directory=own))
    assert description["server"]["server_name"] == "example.com"
    locked = json.loads((own / "flake.lock").read_text())["nodes"]
    pins = json.loads((REPOSITORY / "flake.lock").read_text())["nodes"]
    assert locked["nixpkgs"]["locked"] == pins["nixpkgs"]["locked"], "the pins come with synapse-site"

    standin = ["--override-input", "synapse-site/nixpkgs", f"path:{flake.standin}", "--no-write-lock-file"]
    flake.nix("build", "path:.", *standin, directory=own)
    result = Path(f"{flake.store}{os.readlink(own / 'result')}")
    assert json.loads((result / "site.json").read_text())["nix"]["system"] == SYSTEM
    assert {"images.tar", "compose.yaml", "secrets.example"} <= {path.name for path in result.iterdir()}
    # The last word of the page's recipe for CI.
    flake.nix("build", "path:.", "--rebuild", *standin, directory=own)
