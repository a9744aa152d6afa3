"""Free ports for one run, so that several runs and whatever else the machine does stay out of each other's way. Takes
nothing, gives numbers below the kernel's ephemeral range that nobody listens on at this moment."""

from __future__ import annotations

import random
import socket
from dataclasses import dataclass

# Linux hands out 32768 and up for outgoing connections.
FIRST, LAST = 20000, 32000
# One allocation takes one port, or two with RTCP; a handful is enough for a test.
RELAY_PORTS = 40


@dataclass(frozen=True)
class Ports:
    """The ports of one run on the host."""

    gateway: int
    turn: int
    turn_tls: int
    relay_first: int
    relay_last: int
    ldap: int
    peer: int


def is_free(port: int) -> bool:
    """Whether neither TCP nor UDP uses the port on any address."""
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind(("0.0.0.0", port))
            except OSError:
                return False
    return True


def choose() -> Ports:
    """Picks a block of neighbouring free ports."""
    size = RELAY_PORTS + 5
    for _ in range(200):
        base = random.randrange(FIRST, LAST - size)
        if all(is_free(port) for port in range(base, base + size)):
            return Ports(
                gateway=base,
                turn=base + 1,
                ldap=base + 2,
                peer=base + 3,
                turn_tls=base + 4,
                relay_first=base + 5,
                relay_last=base + 5 + RELAY_PORTS - 1,
            )
    raise AssertionError(f"no {size} free ports in a row between {FIRST} and {LAST}")
