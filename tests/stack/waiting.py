"""Waiting with a deadline. A distributed system answers late (a worker has not yet heard of a new room, a service is
still starting), so tests ask again until the answer is right, and say what the last answer was when time is up."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Answer = TypeVar("Answer")

# What may go wrong while a service is not ready: refused and cut connections are OSError, a wrong answer is AssertionError.
PASSING_TROUBLE = (AssertionError, OSError)


def eventually(
    what: str,
    probe: Callable[[], Answer | None],
    *,
    seconds: float = 20.0,
    interval: float = 0.25,
    trouble: tuple[type[Exception], ...] = PASSING_TROUBLE,
) -> Answer:
    """Calls `probe` until it returns something true, and returns that.

    An exception in `trouble` counts as "not yet". At the deadline an AssertionError tells what was waited for and what
    came back last."""
    deadline = time.monotonic() + seconds
    while True:
        last: object
        try:
            answer = probe()
            if answer:
                return answer
            last = answer
        except trouble as error:
            last = f"{type(error).__name__}: {error}"
        if time.monotonic() >= deadline:
            raise AssertionError(f"{what}: not within {seconds:g} s; the last answer was {last}")
        time.sleep(interval)
