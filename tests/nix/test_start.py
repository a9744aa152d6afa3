"""The README's start with Nix, word for word, on the earliest, a later and the newest Nix: only the editor is left out, git finds the
repository's address on this machine, and the inputs of the flake come from the tests."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import pytest

from world import REPOSITORY, SYSTEM, World

ADDRESS = tomllib.loads((REPOSITORY / "Cargo.toml").read_text())["package"]["repository"]
CHECKOUT = "git+file:///path/to/synapse-site"


def commands(heading: str) -> list[list[str]]:
    """The indented blocks below a heading of the README: each line without its remark."""
    text = (REPOSITORY / "README.md").read_text().split(f"## {heading}\n")[1].split("\n## ")[0]
    blocks = re.findall(r"(?:^ {4}\S.*\n)+", text, re.M)
    return [[line.split("  #")[0].strip() for line in block.splitlines()] for block in blocks]


@pytest.fixture(scope="session")
def published(flake: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository as a git repository, as people clone it. Its branch is the one that Nix 2.8 takes for every repository's; later
    ones ask."""
    place = tmp_path_factory.mktemp("published") / "synapse-site"
    git = ["git", "-C", place, "-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "init.defaultBranch=master"]
    subprocess.run(["cp", "-r", flake.flake, place], check=True)
    for command in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message", "all"]):
        subprocess.run([*git, *command], check=True)
    return place


@pytest.fixture
def home(flake: World, published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Somebody who has never used Nix, and whose git finds the address of the repository on this machine."""
    place = tmp_path / "home"
    place.mkdir()
    registry = tmp_path / "registry.json"
    registry.write_text(json.dumps({"flakes": [], "version": 2}))
    # The registry of the world is on the network, which is not there. What an earlier run found at the address is an hour old at most,
    # and not to be believed.
    monkeypatch.setattr(flake, "options", ["--option", "flake-registry", str(registry), "--option", "tarball-ttl", "0"])
    settings = {
        "HOME": str(place),
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.file://{published}.insteadOf",
        "GIT_CONFIG_VALUE_0": ADDRESS,
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return place


def follow(flake: World, nix: Path | str, lines: list[str], home: Path, *, published: Path) -> dict[str, str]:
    """Does what the lines say, and gives what each wrote; packages come from the stand-in."""
    inputs = ["--override-input", "synapse-site/nixpkgs", f"path:{flake.standin}"]
    here = home
    written: dict[str, str] = {}
    for line in lines:
        for word in line.split(" && "):
            program, *arguments = shlex.split(word.replace(CHECKOUT, f"git+file://{published}"))
            if program == "mkdir":
                (here / arguments[0]).mkdir()
            elif program == "cd":
                here = here / arguments[0]
            elif program == "nix":
                given = [*inputs, "--no-write-lock-file"] if arguments[0] == "build" else []
                written[arguments[0]] = flake.nix(*arguments, *given, program=nix, directory=here)
            else:
                assert program == "$EDITOR", f"the README has a command that this test does not know: {word}"
    return written


def test_the_start_of_the_readme(flake: World, home: Path, published: Path, each_nix: Path | str) -> None:
    lines = commands("Five minutes, with Nix")[0]
    assert [line for line in lines if "nix build" in line], lines
    written = follow(flake, each_nix, lines, home, published=published)
    assert json.loads(written["eval"])["server"]["server_name"] == "example.com"
    site = home / "example.com"
    result = Path(f"{flake.store}{os.readlink(site / 'result')}")
    assert json.loads((result / "site.json").read_text())["nix"]["system"] == SYSTEM
    assert {"images.tar", "compose.yaml", "secrets.example"} <= {path.name for path in result.iterdir()}
    locked = json.loads((site / "flake.lock").read_text())["nodes"]
    pins = json.loads((REPOSITORY / "flake.lock").read_text())["nodes"]
    assert locked["nixpkgs"]["locked"] == pins["nixpkgs"]["locked"], "the pins come with synapse-site"
    # What the page on Nix says of a runner: the lock names an address that others reach.
    assert locked["synapse-site"]["locked"]["url"] == ADDRESS
    assert (site / "flake.lock").read_text().find("file://") == -1


def test_the_start_from_a_checkout(flake: World, home: Path, published: Path, each_nix: Path | str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lock is written once; nothing asks for the address after that."""
    monkeypatch.delenv("GIT_CONFIG_COUNT")
    start, checkout = commands("Five minutes, with Nix")[:2]
    lines = [line for line in start if "flake init" not in line and "nix build" not in line]
    follow(flake, each_nix, [lines[0], *checkout, *lines[1:]], home, published=published)
    locked = json.loads((home / "example.com" / "flake.lock").read_text())["nodes"]["synapse-site"]
    assert locked["locked"]["url"] == f"file://{published}"


def test_the_template_of_several_sites(flake: World, home: Path, published: Path, each_nix: Path | str) -> None:
    lines = ["mkdir sites && cd sites", f"nix flake init -t git+{ADDRESS}#several", "nix eval --json path:.#lib"]
    found = json.loads(follow(flake, each_nix, lines, home, published=published)["eval"])
    assert {site["description"]["server"]["server_name"] for site in found.values()} == {"example.com", "example.org"}
    assert found["example-com"]["description"]["media"]["max_upload_size"] == "100M"
    assert found["example-org"]["description"]["media"]["max_upload_size"] == "50M"
    where = ["--override-input", "synapse-site/nixpkgs", f"path:{flake.standin}", "--no-write-lock-file"]
    for system in (SYSTEM, "aarch64-darwin"):
        names = flake.nix("eval", "--raw", f"path:.#packages.{system}.example-org.site.images.name", *where, program=each_nix, directory=home / "sites")
        assert names == "example.org-images.tar"


def test_a_template_checks_without_warnings(flake: World, home: Path, published: Path, newest_nix: Path | str) -> None:
    for template in ("default", "several"):
        lines = [f"mkdir {template} && cd {template}", f"nix flake init -t git+{ADDRESS}#{template}", "nix eval --json path:.#lib"]
        follow(flake, newest_nix, lines, home, published=published)
        where = ["--override-input", "synapse-site/nixpkgs", f"path:{flake.standin}", "--no-write-lock-file"]
        flake.nix("flake", "check", "--all-systems", "--no-build", "path:.", *where, program=newest_nix, directory=home / template)
        warned = [line for line in flake.said.splitlines() if "warning" in line and not re.search("Internet access|not writing modified lock", line)]
        assert not warned, warned


def test_the_address_stands_in_one_place() -> None:
    """What names the address is what `make generated` made of Cargo.toml."""
    pages = [REPOSITORY / "README.md", REPOSITORY / "docs/nix.md", *REPOSITORY.glob("templates/*/flake.nix")]
    for page in pages:
        named = set(re.findall(r"git\+(https://[^\s\"#`]*/synapse-site)", page.read_text()))
        assert named == {ADDRESS}, f"{page.relative_to(REPOSITORY)} names {named}: run make generated"
