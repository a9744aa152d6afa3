"""The cases that are measured: for each code of `check` its bad and its good site, the same of each mistake that cannot be written at all,
and every example; rendered as `build` would."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
RULES = REPOSITORY / "tests" / "rules"
IMPOSSIBLE = REPOSITORY / "tests" / "invariants"
# Where the container sees the rendered cases.
MOUNT = "/cases"
# Codes whose sites are Nix, which the tests of modules try; Synapse reads the same files as for a site without the finding.
NIX_ONLY = {"S0010"}
# Both kinds of them.
WORKERS = "{ generic: 1, federation_senders: 1 }"


@dataclass(frozen=True)
class Case:
    """One configuration and what is asked about it."""

    name: str
    # The description that is rendered.
    site: Path
    # Options of Synapse that somebody would have written by hand, laid over the rendered ones; or a text that is not YAML.
    by_hand: dict[str, Any] | str = field(default_factory=dict)
    # Questions to a running main process; None means that it is not started.
    ask: list[dict[str, Any]] | None = None
    # Whether the site is tried with workers though its description has none.
    workers_added: bool = False

    @property
    def is_good(self) -> bool:
        """Whether nothing is wrong with it."""
        return not self.name.endswith("-bad")

    def line(self) -> str:
        """The case as the program in the container reads it."""
        rendered = f"{MOUNT}/{self.name}"
        asked = {"ask": self.ask, "start_workers": self.is_good}
        return json.dumps({"name": self.name, "rendered": rendered, "by_hand": self.by_hand} | asked)


def codes() -> list[str]:
    """Every code with plain sites."""
    return sorted(path.name for path in RULES.iterdir() if path.is_dir() and path.name not in NIX_ONLY and not is_of_another(path))


def is_of_another(directory: Path) -> bool:
    """Whether a rule is about another Synapse than the images hold: there is nobody to ask."""
    return (directory / "bad.yaml").read_text().startswith("# Checked for Synapse ")


def of_code(code: str) -> tuple[Case, Case]:
    """The bad and the good case of a code. A mistake that cannot show in what is rendered is written over the good site by hand."""
    directory = RULES / code
    ask = read(directory / "ask.yaml")
    by_hand = read(directory / "by-hand.yaml", broken=True)
    # Somebody else's database or relay is not there to start with.
    foreign = ask == [] and "source: external" in (directory / "good.yaml").read_text()
    good = Case(f"{code}-good", directory / "good.yaml", ask=None if foreign else ask)
    if by_hand is not None:
        return Case(f"{code}-bad", directory / "good.yaml", by_hand, ask), good
    return Case(f"{code}-bad", directory / "bad.yaml", ask=ask), good


def mistakes() -> list[str]:
    """Every mistake that cannot be written here and that somebody can write by hand."""
    return sorted(path.parent.name for path in IMPOSSIBLE.glob("*/by-hand.yaml"))


def of_mistake(name: str) -> tuple[Case, Case]:
    """The bad and the good case of a mistake that cannot be written."""
    directory = IMPOSSIBLE / name
    site = next(path for path in (directory / "site.yaml", IMPOSSIBLE / "site.yaml") if path.is_file())
    ask = read(directory / "ask.yaml")
    # Most of them share a site, which is asked once.
    good = Case(f"{site.parent.name}-{'started' if ask == [] else name if ask else 'read'}-good", site, ask=ask)
    return Case(f"{name}-bad", site, read(directory / "by-hand.yaml"), ask), good


def pairs() -> dict[str, tuple[Case, Case]]:
    """The bad and the good case of everything that the table has, by its name there."""
    return {code: of_code(code) for code in codes()} | {name: of_mistake(name) for name in mistakes()}


def with_workers() -> list[Case]:
    """The good site of every code that has no workers, with two."""
    goods = [(code, RULES / code / "good.yaml") for code in codes()]
    return [Case(f"{code}-workers", site, workers_added=True) for code, site in goods if "workers" not in read(site)]


def of_examples() -> list[Case]:
    """Every example."""
    sites = [next(path for path in (directory / "site.yaml", directory / "site.nix") if path.is_file()) for directory in examples()]
    # One with somebody else's database can only be read.
    return [Case(f"example-{site.parent.name}", site, ask=None if "hoster.example" in site.read_text() else []) for site in sites]


def examples() -> list[Path]:
    """The directories of the examples."""
    return sorted(path for path in (REPOSITORY / "examples").iterdir() if path.is_dir())


def read(path: Path, *, broken: bool = False) -> Any:
    """A YAML file, or None where there is none; its text where it may be no YAML."""
    if not path.is_file():
        return None
    try:
        return yaml.safe_load(path.read_text())
    except yaml.YAMLError:
        if not broken:
            raise
        return path.read_text()


def add_workers(case: Case, below: Path) -> Path:
    """A copy of a description, with the files that lie beside it and with workers."""
    directory = below / case.name
    shutil.copytree(case.site.parent, directory)
    site = directory / case.site.name
    site.write_text(f"{site.read_text()}\nworkers: {WORKERS}\n")
    return site


def render(tool: Path, cases: list[Case], below: Path) -> dict[str, str]:
    """Renders every case, wrong ones too, and gives what was said about those that could not be."""

    def one(case: Case) -> tuple[str, str]:
        site = add_workers(case, below.with_name("sites")) if case.workers_added else case.site
        command = [tool, "render", site, "--out", below / case.name, "--in-spite-of-errors"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return case.name, "" if done.returncode == 0 else done.stderr

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return {name: said for name, said in pool.map(one, cases) if said}
