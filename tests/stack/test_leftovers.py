"""What an earlier run left, with `--keep-stack` or because it was killed, is ended; what a run that goes on has stays."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import engine
import leftovers
import ports
from commands import run
from directory import Directory

# No process has such a number (Linux, PID_MAX_LIMIT is 2^22).
OVER = f"stacktest{10_000_000 + os.getpid()}"
RUNNING = f"stacktest{os.getpid()}"


@pytest.fixture
def left(tmp_path: Path) -> Iterator[dict[str, Directory]]:
    """Two runs, each with a directory server and a volume of its second site."""
    directories = {name: Directory(tmp_path / name / "directory", engine.bridge_address(), ports.choose().ldap) for name in (OVER, RUNNING)}
    try:
        for name, directory in directories.items():
            directory.start()
            run(["docker", "volume", "create", "--label", f"com.docker.compose.project={name}leftovers", f"{name}leftovers"])
        yield directories
    finally:
        for name, directory in directories.items():
            directory.stop()
            engine.remove_project(f"{name}leftovers")


def test_only_a_run_that_is_over_is_ended(tmp_path: Path, left: dict[str, Directory]) -> None:
    over, running = left[OVER].process, left[RUNNING].process
    assert over is not None and running is not None
    assert leftovers.programs(tmp_path / OVER) == [over.pid]
    assert leftovers.end_all(tmp_path) == [OVER]
    assert over.wait(10) is not None
    assert engine.project_objects("volume", f"{OVER}leftovers") == []
    assert [path.name for path in tmp_path.iterdir()] == [RUNNING]
    assert running.poll() is None
    assert engine.project_objects("volume", f"{RUNNING}leftovers") == [f"{RUNNING}leftovers"]
    assert leftovers.end_all(tmp_path) == []
