"""Compose, the classic 1.x program or the plugin of today, on one project. Takes the directory that an administrator has
on the target, gives what an administrator would type there and the state of the services."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import compose_v2
import engine
from commands import run
from waiting import eventually

# All services must be healthy within this time after `up` returns or fails.
HEALTHY_SECONDS = 90.0
# `up` waits for dependencies to be healthy; this is the limit for the whole of it.
UP_SECONDS = 180.0


class NotHealthy(Exception):
    """A service stopped or never became healthy. Not an AssertionError, so that waiting ends at once."""


@dataclass(frozen=True)
class Compose:
    """One project, driven by one of the two programs."""

    command: tuple[str, ...]
    directory: Path
    project: str
    # Files after compose.yaml, each overriding what came before.
    overrides: tuple[Path, ...] = ()

    def run(self, *words: str, seconds: float = 120.0, expect: Iterable[int] | None = (0,)) -> CompletedProcess[str]:
        """`compose WORDS` in the target's directory."""
        files = [word for path in ("compose.yaml", *self.overrides) for word in ("-f", str(path))]
        return run([*self.command, "-p", self.project, *files, *words], cwd=self.directory, seconds=seconds, expect=expect)

    def manifest(self) -> dict[str, Any]:
        """The manifest as the program understands it; Compose v2 only, since 1.29 writes YAML."""
        return json.loads(self.run("config", "--format", "json").stdout)

    def up(self, services: Sequence[str]) -> float:
        """Starts everything and waits until all `services` are healthy; the seconds that it took."""
        began = time.monotonic()
        try:
            self.run("up", "-d", seconds=UP_SECONDS)
            self.wait_healthy(services)
        except (AssertionError, NotHealthy) as error:
            raise NotHealthy(f"{error}\n{self.report()}") from None
        return time.monotonic() - began

    def down(self) -> None:
        """Removes containers and networks; volumes stay."""
        self.run("down", "--timeout", "30", seconds=180)

    def wait_healthy(self, services: Sequence[str], *, seconds: float = HEALTHY_SECONDS) -> None:
        """Waits until each of `services` is healthy; fails at once when one has ended."""

        def all_healthy() -> bool:
            current = {container.service: container for container in self.containers()}
            missing = sorted(set(services) - set(current))
            assert not missing, f"no container for {', '.join(missing)}"
            ended = [name for name in services if current[name].status in ("exited", "dead", "restarting")]
            if ended:
                raise NotHealthy(f"ended instead of running: {', '.join(ended)}")
            waiting = {name: current[name].health for name in services if current[name].health != "healthy"}
            assert not waiting, f"not healthy: {waiting}"
            return True

        eventually("all services healthy", all_healthy, seconds=seconds, interval=0.5)

    def containers(self) -> list[engine.Container]:
        """The containers of the project's services, without those of `run`."""
        return [container for container in engine.containers(self.project) if not container.one_off]

    def container(self, service: str) -> engine.Container:
        """The one container of a service."""
        found = [container for container in self.containers() if container.service == service]
        assert len(found) == 1, f"{service} has {len(found)} containers"
        return found[0]

    def logs(self, service: str, lines: int | None = None) -> str:
        """What a service wrote."""
        return engine.logs(self.container(service).id, lines)

    def report(self, lines: int = 25) -> str:
        """State and last log lines of every service: the part of a failure's message that shows where it comes from."""
        parts = []
        for container in self.containers():
            checks = container.details["State"].get("Health", {}).get("Log") or [{}]
            last_check = checks[-1].get("Output", "").strip()[-300:]
            parts.append(
                f"--- {container.service}: {container.status}, {container.health}, "
                f"exit code {container.details['State']['ExitCode']}, last health check said {last_check!r}\n"
                f"{engine.logs(container.id, lines)}"
            )
        return "\n".join(parts) or "the project has no containers"

    def remove(self) -> None:
        """Takes away everything of the project, whatever compose.yaml says now."""
        engine.remove_project(self.project)


def classic() -> tuple[str, ...]:
    """The `docker-compose` program of this machine: 1.29 on Debian 12. Where there is none, the plugin in its place."""
    path = shutil.which("docker-compose")
    return (path,) if path else plugin()


def plugin() -> tuple[str, ...]:
    """Compose v2 as a docker plugin."""
    return ("docker", "--config", str(compose_v2.configuration()), "compose")


def version(command: Sequence[str]) -> str:
    """What the program calls itself."""
    return run([*command, "version", "--short"]).stdout.strip()
