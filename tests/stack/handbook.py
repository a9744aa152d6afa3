"""The commands of the pages in `docs/`, as they stand there. Takes a page and a heading, runs what is below it in the target's
directory under an ordinary umask, and gives what the commands printed and which command lines other users could see meanwhile."""

from __future__ import annotations

import re
import shlex
import textwrap
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from commands import run
from compose import Compose
from stack import Stack

DOCS = Path(__file__).resolve().parents[2] / "docs"


def commands(page: str, heading: str) -> str:
    """The commands below a heading of a page."""
    section = (DOCS / page).read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    found = re.findall(r"^    (.+)$", section, re.MULTILINE)
    assert found, f"{page}: {heading}"
    return "\n".join(found)


def block(page: str, part: str) -> str:
    """The one block of commands of a page in which that stands."""
    found = [block for block in re.findall(r"((?:^    .*\n)+)", (DOCS / page).read_text(), re.MULTILINE) if part in block]
    assert len(found) == 1, f"{page}: {part}"
    # One in a step of a list is indented further.
    return textwrap.dedent(found[0])


@dataclass
class CommandLines:
    """Every command line that the machine's processes had while this was open, as any user sees them in /proc."""

    seen: set[str] = field(default_factory=set)

    def __enter__(self) -> CommandLines:
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(0.005):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    self.seen.add(path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"))
                except (FileNotFoundError, ProcessLookupError):
                    pass  # It ended between the two looks.


def do(stack: Stack, script: str, *, input: str | None = None) -> str:
    """Runs commands in the target's directory, where `docker compose` is the test's own project; gives what they printed."""
    return do_with(stack.compose_v2, stack.tool, script, input=input)


def do_with(compose: Compose, tool: Path, script: str, *, input: str | None = None) -> str:
    """The same in the directory of any project, with `synapse-site` at hand."""
    files = [word for path in ("compose.yaml", *compose.overrides) for word in ("-f", str(path))]
    words = shlex.join([*compose.command, "-p", compose.project, *files])
    function = f'docker() {{ if [ "$1" = compose ]; then shift; {words} "$@"; else command docker "$@"; fi; }}'
    return do_in(compose.directory, tool, f"{function}\n{script}", input=input)


def do_in(directory: Path, tool: Path, script: str, *, input: str | None = None) -> str:
    """The same in a directory of no project."""
    function = f'synapse-site() {{ {shlex.quote(str(tool))} "$@"; }}'
    # Debian's ordinary umask: what is written is open to everybody unless a page says otherwise.
    done = run(["bash", "-euo", "pipefail", "-c", f"{function}\n{script}"], cwd=directory, input=input, seconds=240, umask=0o022)
    return done.stdout


def mode(path: Path) -> int:
    """Permission bits of a file."""
    return path.stat().st_mode & 0o7777


def private(path: Path, within: Path) -> bool:
    """Whether nobody but its owner reads a file: by its own mode, or by that of a directory around it."""
    around = [outer for outer in path.parents if outer != within and outer.is_relative_to(within)]
    return mode(path) & 0o077 == 0 or any(mode(outer) & 0o077 == 0 for outer in around)


@contextmanager
def leaving_nothing_open(directory: Path, *values: str) -> Iterator[None]:
    """Sees that what is done meanwhile leaves no file behind that others may read, and shows none of these values in a command line."""

    def files() -> set[Path]:
        return {path for path in directory.rglob("*") if path.is_file()}

    before = files()
    with CommandLines() as visible:
        yield
    assert visible.seen
    assert [path for path in files() - before if not private(path, directory)] == []
    assert not [line for line in visible.seen if any(value in line for value in values)], "a command line shows a secret"
