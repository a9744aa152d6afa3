"""What runs left that have ended: those with `--keep-stack`, and those that were killed. Takes the directory of all runs; ends their programs
on this machine and takes away their containers, networks, volumes, images and files. A run does so before it begins; by hand:
`python tests/stack/leftovers.py`."""

from __future__ import annotations

import os
import re
import shutil
import signal
import time
from pathlib import Path

import engine
from commands import run

# The directory of all runs.
KEPT = Path(__file__).resolve().parents[2] / "target" / "stack"
# A run's directory is called like its compose project, which ends in the number of the run's process.
NAME = re.compile(r"stacktest(\d+)")
# Programs that a run starts on this machine. Each has the run's directory in its command line.
PROGRAMS = {"slapd", "canaille", "heisenbridge", "ngircd"}
# The file in a run's directory that names the images which that run brought to the engine.
IMAGES = "images"


def end_all(below: Path) -> list[str]:
    """Ends what each run that is over has left below a directory; gives their names."""
    found = [path for path in sorted(below.glob("stacktest*")) if (name := NAME.fullmatch(path.name)) and not is_running(int(name[1]))]
    for home in found:
        end_programs(home)
        for project in projects(home.name):
            engine.remove_project(project)
        listed = home / IMAGES
        images = set(listed.read_text().split()) & engine.image_names() if listed.is_file() else set()
        if images:
            # One that somebody uses by now stays.
            run(["docker", "image", "rm", *sorted(images)], expect=None)
        shutil.rmtree(home)
    return [home.name for home in found]


def is_running(number: int) -> bool:
    """Whether a process is pytest; the number of one that has ended may be another's by now."""
    return any("pytest" in word for word in words(number))


def words(number: int) -> list[str]:
    """The command line of a process; none when it has ended."""
    try:
        return Path(f"/proc/{number}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except (FileNotFoundError, ProcessLookupError):
        return []


def programs(home: Path) -> list[int]:
    """The programs of a run."""
    found = {int(path.name): words(int(path.name)) for path in Path("/proc").iterdir() if path.name.isdigit()}
    # A script comes after its interpreter.
    of_run = {number: line for number, line in found.items() if PROGRAMS & {Path(word).name for word in line[:2]}}
    return [number for number, line in of_run.items() if any(f"{home}/" in word for word in line)]


def end_programs(home: Path) -> None:
    """Ends the programs of a run, and waits until they have ended."""
    for number in programs(home):
        os.kill(number, signal.SIGTERM)
    deadline = time.monotonic() + 10
    while programs(home) and time.monotonic() < deadline:
        time.sleep(0.1)
    for number in programs(home):
        os.kill(number, signal.SIGKILL)


def projects(name: str) -> set[str]:
    """The compose projects of a run, which begin with its name."""
    label = '{{.Label "com.docker.compose.project"}}'
    listed = [run(["docker", kind, "ls", "--format", label, *all]).stdout.split() for kind, all in (("container", ["-a"]), ("volume", []), ("network", []))]
    return {project for kind in listed for project in kind if re.fullmatch(rf"{name}(?!\d).*", project)}


if __name__ == "__main__":
    print(f"ended: {', '.join(end_all(KEPT)) or 'nothing was left'}")
