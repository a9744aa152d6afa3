"""The Docker engine as its command line shows it: containers of a project, their state, logs and processes. Takes names,
gives plain values; nothing here knows what the services are."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from commands import run

# Reads /proc of given processes from a container that shares the host's process namespace, because an ordinary user of
# the engine may not read another user's environ. The answer is JSON; bytes travel as base64.
READ_PROC = """
import base64, json, sys
found = {}
for pid in sys.argv[1:]:
    try:
        found[pid] = {
            name: base64.b64encode(open(f"/proc/{pid}/{name}", "rb").read()).decode()
            for name in ("cmdline", "environ", "status")
        }
    except (FileNotFoundError, ProcessLookupError):
        pass  # ended since it was listed
json.dump(found, sys.stdout)
"""


@dataclass(frozen=True)
class Process:
    """A process of a container, as the kernel shows it."""

    pid: int
    cmdline: bytes
    environ: bytes
    status: dict[str, str]


@dataclass(frozen=True)
class Container:
    """A container and what `docker inspect` says about it at one moment."""

    id: str
    details: dict[str, Any]

    @property
    def name(self) -> str:
        """The container's name, without the slash that the engine puts before it."""
        return self.details["Name"].lstrip("/")

    @property
    def service(self) -> str:
        """The service of the manifest that it belongs to."""
        return self.details["Config"]["Labels"]["com.docker.compose.service"]

    @property
    def one_off(self) -> bool:
        """Whether `compose run` made it."""
        return self.details["Config"]["Labels"].get("com.docker.compose.oneoff") == "True"

    @property
    def image(self) -> str:
        """The name of its image as the manifest gives it."""
        return self.details["Config"]["Image"]

    @property
    def status(self) -> str:
        """`running`, `exited`, `restarting` …"""
        return self.details["State"]["Status"]

    @property
    def health(self) -> str:
        """`starting`, `healthy`, `unhealthy`, or `none` without a health check."""
        return self.details["State"].get("Health", {}).get("Status", "none")

    @property
    def networks(self) -> dict[str, str]:
        """Its networks and its address in each."""
        return {name: net["IPAddress"] for name, net in self.details["NetworkSettings"]["Networks"].items()}

    @property
    def secrets(self) -> set[str]:
        """The names of the secrets that are mounted into it."""
        mounts = (PurePosixPath(mount["Destination"]) for mount in self.details["Mounts"])
        return {path.name for path in mounts if str(path.parent) == "/run/secrets"}

    @property
    def published(self) -> set[tuple[int, str]]:
        """Ports of the host that lead here or would if the network let them: number (0: any) and protocol."""
        # The engine drops bindings of a container in internal networks only; asked for is bad enough.
        asked, given = self.details["HostConfig"]["PortBindings"], self.details["NetworkSettings"]["Ports"]
        return {
            (int(binding["HostPort"] or 0), port.partition("/")[2])
            for ports in (asked or {}, given or {})
            for port, bindings in ports.items()
            for binding in bindings or []
        }


def inspect(kind: str, names: Iterable[str]) -> list[dict[str, Any]]:
    """`docker KIND inspect NAMES`."""
    listed = list(names)
    return json.loads(run(["docker", kind, "inspect", *listed]).stdout) if listed else []


def project_objects(kind: str, project: str) -> list[str]:
    """Containers (also stopped ones), volumes or networks of a compose project."""
    command = ["docker", kind, "ls", "-q", "--filter", f"label=com.docker.compose.project={project}"]
    return run([*command, "-a"] if kind == "container" else command).stdout.split()


def remove_project(project: str) -> None:
    """Takes away everything of a project by label, whatever state it is in."""
    for kind, flags in (("container", ["-f", "-v"]), ("network", []), ("volume", ["-f"])):
        found = project_objects(kind, project)
        if found:
            run(["docker", kind, "rm", *flags, *found])


def containers(project: str) -> list[Container]:
    """The project's containers, sorted by service."""
    found = [Container(details["Id"], details) for details in inspect("container", project_objects("container", project))]
    return sorted(found, key=lambda container: container.service)


def logs(container: str, lines: int | None = None) -> str:
    """What a container wrote to its two outputs."""
    done = run(["docker", "logs", *(["--tail", str(lines)] if lines else []), container])
    return done.stdout + done.stderr


def load(archive: str) -> list[str]:
    """`docker load`; the names of the images that the archive held."""
    return re.findall(r"^Loaded image: (\S+)$", run(["docker", "load", "-i", archive], seconds=300).stdout, re.MULTILINE)


def image_names() -> set[str]:
    """Every image name that the engine knows."""
    return set(run(["docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}}"]).stdout.split())


def bridge_address() -> str:
    """This machine's address on the engine's default bridge: what `host-gateway` means in `extra_hosts`."""
    options = inspect("network", ["bridge"])[0]["Options"]
    # Docker 20.10 does not say the address when nobody configured one, so the interface is asked.
    interface = options.get("com.docker.network.bridge.name", "docker0")
    for link in json.loads(run(["ip", "-json", "-4", "address", "show", "dev", interface]).stdout):
        for address in link.get("addr_info", ()):
            return address["local"]
    raise AssertionError(f"{interface} has no IPv4 address; is dockerd running with --bridge=none?")


def pids(container: str) -> list[int]:
    """The processes of a running container, numbered as on the host."""
    rows = run(["docker", "top", container, "-eo", "pid"]).stdout.split()[1:]
    return [int(row) for row in rows]


def processes(running: Iterable[Container], image: str, python: str) -> dict[str, list[Process]]:
    """Every process of the containers, by service. One helper container from `image`, which has a Python, reads them."""
    listed = {container.service: pids(container.id) for container in running}
    everything = [str(pid) for of_service in listed.values() for pid in of_service]
    helper = ["docker", "run", "--rm", "--pid", "host", "--network", "none", "--user", "0", "--cap-add", "SYS_PTRACE"]
    unconfined = ["--security-opt", "apparmor=unconfined", "--entrypoint", python, image]
    answer = json.loads(run([*helper, *unconfined, "-c", READ_PROC, *everything]).stdout)

    def process(pid: int) -> Process:
        read = {name: base64.b64decode(text) for name, text in answer[str(pid)].items()}
        status = dict(line.split(":\t", 1) for line in read["status"].decode().splitlines() if ":\t" in line)
        return Process(pid, read["cmdline"], read["environ"], status)

    return {service: [process(pid) for pid in of_service if str(pid) in answer] for service, of_service in listed.items()}
