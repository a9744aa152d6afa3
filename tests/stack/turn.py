"""Debian's TURN client against a running TURN server: does it give an allocation for these credentials, and does it relay
data to a peer. The programs are those of the coturn package; nothing of its server runs on the host."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from commands import program, run

MESSAGES = 5


@dataclass(frozen=True)
class Attempt:
    """What came of one run of the client."""

    output: str
    code: int

    @property
    def allocated(self) -> bool:
        """The server gave a relay address."""
        return "Received relay addr" in self.output

    @property
    def relay_ports(self) -> list[int]:
        """The ports that the server gave for relaying."""
        return [int(port) for port in re.findall(r"Received relay addr: \S+:(\d+)", self.output)]

    @property
    def refused(self) -> bool:
        """The server answered, and gave no allocation."""
        return "allocate response received" in self.output and "Cannot complete Allocation" in self.output

    @property
    def forbidden(self) -> bool:
        """The server gave an allocation and would not let it reach the peer."""
        return self.allocated and "403 (Forbidden IP)" in self.output

    @property
    def relayed(self) -> bool:
        """Every message came back from the peer."""
        return f"tot_send_msgs={MESSAGES}, tot_recv_msgs={MESSAGES}" in self.output


@contextmanager
def echo(address: str, port: int) -> Iterator[None]:
    """A peer that sends back what it gets over UDP, at an address of this machine."""
    command = [program("turnutils_peer", "coturn"), "-L", address, "-p", str(port)]
    peer = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
        assert peer.poll() is None, f"the echo service ended early with {peer.returncode}"
    finally:
        peer.terminate()
        peer.wait(timeout=10)


def attempt(
    server: str, port: int, username: str, password: str, peer: str, peer_port: int, *, tcp: bool = False, ca: Path | None = None, peer_by_tcp: bool = False
) -> Attempt:
    """Asks for one allocation, for leave to reach the peer, and sends a few messages through it; over TLS with an authority. A peer
    that is to be reached by TCP is asked for with an allocation of another kind (RFC 6062)."""
    command = [
        program("turnutils_uclient", "coturn"),
        *("-v", "-c", "-m", "1", "-n", str(MESSAGES), "-l", "100"),
        *(("-t",) if tcp or ca else ()),
        *(("-T",) if peer_by_tcp else ()),
        *(("-S", "-E", str(ca)) if ca else ()),
        *("-u", username, "-w", password, "-p", str(port), "-e", peer, "-r", str(peer_port), server),
    ]
    # The client repeats for a while what is refused; it ends by itself within the deadline.
    done = run(command, seconds=45, expect=None)
    return Attempt(done.stdout + done.stderr, done.returncode)
