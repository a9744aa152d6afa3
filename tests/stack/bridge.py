"""A real bridge, Heisenbridge, and a real IRC server for it to lead to, ngIRCd. Its registration is the file that its own program writes; the
tokens go into the site's secrets, as docs/app-services.md says. Takes addresses and ports; gives the registration without tokens,
the tokens, and a bridge that runs."""

from __future__ import annotations

import secrets
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from commands import program, run
from waiting import eventually

ID = "heisenbridge"
SENDER = "heisenbridge"
PUPPETS = "irc_"
TOKENS = ("as_token", "hs_token")


def secret_name(token: str) -> str:
    """The site's secret for a token of the registration."""
    return f"app_service_{ID}_{token}"


@dataclass
class Bridge:
    """The bridge and the IRC server."""

    home: Path
    address: str
    port: int
    irc_port: int
    host: str
    tokens: dict[str, str] = field(default_factory=dict, repr=False)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def log(self) -> Path:
        """What the bridge says."""
        return self.home / "bridge.log"

    @property
    def _registration(self) -> Path:
        return self.home / "registration.yaml"

    def register(self) -> str:
        """The registration as the bridge's program writes it, without the tokens, which are kept apart."""
        self.home.mkdir(parents=True)
        where = ["--listen-address", self.host, "--listen-port", str(self.port)]
        run([self._program("heisenbridge"), "--config", self._registration, "--generate", *where])
        self._registration.chmod(0o600)
        written = yaml.safe_load(self._registration.read_text())
        self.tokens = {name: written.pop(name) for name in TOKENS}
        return yaml.safe_dump(written)

    def start(self, homeserver: str, owner: str) -> None:
        """Starts both, and waits until they listen."""
        where = ["--listen-address", self.address, "--listen-port", str(self.port), "--owner", owner]
        configuration = self.home / "irc.conf"
        configuration.write_text(
            f"[Global]\nName = irc.campus.test\nListen = {self.address}\nPorts = {self.irc_port}\n[Options]\nDNS = no\nIdent = no\nPAM = no\n"
        )
        self._run("irc.log", program("ngircd", "ngircd"), "--nodaemon", "--config", configuration)
        self._run("bridge.log", self._program("heisenbridge"), "-v", "--config", self._registration, *where, homeserver)
        for port in (self.irc_port, self.port):
            eventually(f"a listener on {port}", lambda port=port: self._listens(port), seconds=30)

    def stop(self) -> None:
        """Ends both."""
        for process in self.processes:
            process.terminate()
            process.wait(20)
        self.processes.clear()

    def visitor(self, nick: str, channel: str) -> IrcVisitor:
        """Somebody in a channel of the IRC server."""
        return IrcVisitor(socket.create_connection((self.address, self.irc_port), timeout=20), nick, channel)

    def _program(self, name: str) -> Path:
        # It lies beside this interpreter.
        return Path(sys.executable).with_name(name)

    def _run(self, log: str, *command: object) -> None:
        with (self.home / log).open("wb") as file:
            words = [str(word) for word in command]
            self.processes.append(subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=file, stderr=file, cwd=self.home))

    def _listens(self, port: int) -> bool:
        ended = [process.args for process in self.processes if process.poll() is not None]
        assert not ended, f"ended: {ended}\n{self.log.read_text(errors='replace')[-2000:]}"
        socket.create_connection((self.address, port), timeout=2).close()
        return True


class IrcVisitor:
    """A person with an IRC client (RFC 2812), in one channel."""

    def __init__(self, connection: socket.socket, nick: str, channel: str) -> None:
        self.nick = nick
        self.channel = channel
        self._connection = connection
        self._lines = connection.makefile("r", encoding="utf-8", newline="\r\n")
        self._write(f"NICK {nick}", f"USER {nick} 0 * :{nick}")
        # 001, welcome; and 366, the end of the list of names: the visitor is in.
        self.read(" 001 ")
        self._write(f"JOIN {channel}")
        self.read(" 366 ")

    def say(self, text: str) -> None:
        """Says something to everybody in the channel."""
        self._write(f"PRIVMSG {self.channel} :{text}")

    def read(self, words: str) -> str:
        """The next line with these words in it."""
        for line in self._lines:
            if line.startswith("PING"):
                self._write(line.strip().replace("PING", "PONG", 1))
            if words in line:
                return line.strip()
        raise AssertionError(f"the IRC server hung up before it said {words!r}")

    def leave(self) -> None:
        """Hangs up."""
        self._lines.close()
        self._connection.close()

    def _write(self, *lines: str) -> None:
        self._connection.sendall("".join(f"{line}\r\n" for line in lines).encode())


def word() -> str:
    """A word that nobody said before."""
    return f"tea{secrets.token_hex(4)}"
