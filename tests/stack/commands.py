"""Running programs. One function starts a program without a shell, with a deadline, and turns a failure into a message
that holds the command, its exit code and the end of what it said."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path


class CommandFailed(AssertionError):
    """A program ended with another exit code than expected, or not in time."""


def tail(text: str, lines: int = 40) -> str:
    """The last lines of a text."""
    return "\n".join(text.splitlines()[-lines:])


def run(
    command: Sequence[object],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    input: str | None = None,
    seconds: float = 120.0,
    expect: Iterable[int] | None = (0,),
    umask: int = -1,
) -> subprocess.CompletedProcess[str]:
    """Runs a program (words and paths) to its end and returns its exit code and its two outputs.

    `env` is added to this process's environment, `seconds` is the deadline, `expect` lists the exit codes that are
    right (None: all of them)."""
    words = [str(word) for word in command]
    shown = shlex.join(words)
    try:
        done = subprocess.run(
            words,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            input=input,
            stdin=subprocess.DEVNULL if input is None else None,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=seconds,
            umask=umask,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        said = (error.stderr or b"") + (error.stdout or b"")
        text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
        raise CommandFailed(f"{shown}\nnot done after {seconds:g} s; it said:\n{tail(text)}") from None
    except FileNotFoundError as error:
        raise CommandFailed(f"{shown}\ncannot be started: {error}") from None
    if expect is not None and done.returncode not in set(expect):
        raise CommandFailed(f"{shown}\nexit code {done.returncode}\n{tail(done.stdout)}\n{tail(done.stderr)}")
    return done


def program(name: str, package: str) -> str:
    """The path of a program that a Debian package brings; the message names the package when it is missing."""
    # slapd is in /usr/sbin, which an ordinary user's PATH leaves out.
    path = shutil.which(name, path=os.environ.get("PATH", "") + os.pathsep + "/usr/sbin")
    assert path, f"{name} is not installed; install the Debian package {package}"
    return path
