"""What Synapse itself does with every bad and every good site: asked once in a run, of the images that `make image` built."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import cases
from laboratory import Laboratory

HOME = cases.REPOSITORY / "target" / "measure"
SECONDS = pytest.StashKey[float]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--synapse-site", type=Path, help="the program; by default the newest one below target/")
    parser.addoption("--images", type=Path, default=cases.REPOSITORY / "out" / "images.tar", help="an archive that it built, with its site.json beside it")
    parser.addoption("--write-measured", action="store_true", help="write tests/rules/synapse-verdicts.toml anew instead of comparing with it")


@dataclass(frozen=True)
class Measured:
    """All answers, by the name of the case."""

    answers: dict[str, dict[str, Any]]
    # What was said about cases that could not be rendered.
    unrendered: dict[str, str]
    # The rendered files, by case.
    below: Path


@pytest.fixture(scope="session")
def measured(request: pytest.FixtureRequest) -> Iterator[Measured]:
    """Everything, measured once."""
    tool = request.config.getoption("--synapse-site") or newest_tool()
    shutil.rmtree(HOME, ignore_errors=True)
    below = HOME / "cases"
    below.mkdir(parents=True)
    # Examples first: they need more of Synapse than others, and the first case warms up.
    pairs = {case.name: case for pair in cases.pairs().values() for case in pair}
    wanted = cases.of_examples() + list(pairs.values()) + cases.with_workers()
    unrendered = cases.render(tool, wanted, below)
    laboratory = Laboratory(request.config.getoption("--images").resolve(), HOME, below)
    try:
        laboratory.make_secrets()
        laboratory.start()
        laboratory.wait()
        began = time.monotonic()
        answers = laboratory.measure(case for case in wanted if case.name not in unrendered)
        request.config.stash[SECONDS] = time.monotonic() - began
        yield Measured(answers, unrendered, below)
    finally:
        laboratory.close()


def newest_tool() -> Path:
    """The program that was built last."""
    found = list(cases.REPOSITORY.glob("target/*/*/synapse-site"))
    assert found, "synapse-site is not built: cargo build --release"
    return max(found, key=lambda path: path.stat().st_mtime)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if SECONDS in config.stash:
        terminalreporter.write_line(f"asking Synapse: {config.stash[SECONDS]:.1f} s")
