"""Each block of Nix on the page docs/nix.md is what its first line says, and evaluates: a flake, a site, an argument of `mkSite`, a module
for NixOS."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from test_outputs import nixos, said
from world import REPOSITORY, World

PAGE = (REPOSITORY / "docs/nix.md").read_text()
BLOCKS = [block.split("\n", 1) for block in re.findall(r"```nix\n# (.*?)```", PAGE, re.S)]
LEAST = '{ server.server_name = "page.example.org"; server.public_baseurl = "https://page.example.org/"; }'
# What the page's blocks name beside them.
BESIDE = {"site.nix": LEAST, "limits.nix": "{ }", "directory.pem": "a certificate\n", "greeter.py": "class Greeter: pass\n"}


def blocks(kind: str) -> list[str]:
    """The blocks of a kind."""
    found = [text for first, text in BLOCKS if first == kind]
    assert found, f"docs/nix.md shows no {kind}"
    return found


def beside(tmp_path: Path) -> Path:
    """A directory with these files."""
    for name, text in BESIDE.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def test_every_block_is_of_a_known_kind() -> None:
    assert PAGE.count("```nix") == len(BLOCKS)
    assert {first for first, _ in BLOCKS} == {"flake.nix", "site.nix", "mkSite", "configuration.nix"}


@pytest.mark.parametrize("text", [text for text in blocks("flake.nix") if "flake-parts" not in text])
def test_a_flake(flake: World, tmp_path: Path, text: str) -> None:
    beside(tmp_path).joinpath("flake.nix").write_text(text)
    places = {"synapse-site": flake.flake, "nixpkgs" if "inputs.nixpkgs" in text else "synapse-site/nixpkgs": flake.standin}
    where = [word for name, place in places.items() for word in ("--override-input", name, f"path:{place}")]
    packages = f"path:{tmp_path}#packages.x86_64-linux"
    names = flake.nix("eval", "--json", packages, "--apply", "builtins.mapAttrs (_: it: [ it.name it.description.server.server_name it.drvPath ])", "--no-write-lock-file", *where)
    found = json.loads(names)
    assert found and all(server == "page.example.org" for _, server, _ in found.values())


def test_a_site(flake: World, tmp_path: Path) -> None:
    (text,) = blocks("site.nix")
    beside(tmp_path).joinpath("page.nix").write_text(text)
    found = said(flake, f"(mkSite {{ modules = [ {tmp_path}/page.nix ]; }}).description.ldap")
    assert found["ca_certificate"].endswith("directory.pem")


@pytest.mark.parametrize("text", blocks("mkSite"))
def test_arguments_of_mksite(flake: World, tmp_path: Path, text: str) -> None:
    # Packages of nixpkgs that the stand-in has not.
    text = text.replace("matrix-synapse-pam", "matrix-synapse-ldap3")
    beside(tmp_path).joinpath("arguments.nix").write_text(f"{{ pkgs, nixpkgs }}: {text}")
    assert said(flake, f"(mkSite (import {tmp_path}/arguments.nix {{ inherit pkgs; nixpkgs = {flake.standin}; }})).bundle.drvPath").endswith(".drv")


def test_a_configuration_of_nixos(flake: World) -> None:
    (text,) = blocks("configuration.nix")
    module = re.sub(r"imports = \[ synapse-site.nixosModules.default \];", "", text)
    found = said(flake, f"{nixos(flake, module)}.systemd.services.synapse-site.description")
    assert found == "The Matrix site example.com"
