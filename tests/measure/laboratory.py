"""The images of an archive at work: PostgreSQL, Redis, and one container of Synapse's in which cases are measured."""

from __future__ import annotations

import base64
import json
import os
import secrets
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cases import MOUNT, RULES, Case

HERE = Path(__file__).resolve().parent
# A question that takes longer than this is a hang, in seconds.
LONGEST = 900
SERVICES = ("postgres", "redis")


def docker(*words: object, **options: Any) -> str:
    """Runs `docker`; its output."""
    done = subprocess.run(["docker", *map(str, words)], capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, f"docker {' '.join(map(str, words))}\n{done.stderr}"
    return done.stdout


class Laboratory:
    """A network with a database and a bus, and secrets for every case. `close` takes all of it away."""

    def __init__(self, archive: Path, home: Path, cases: Path) -> None:
        site = json.loads((archive.parent / "site.json").read_text())
        self.images = {image["name"]: image["reference"] for image in site["images"]}
        known = docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}").split()
        self.loaded = [image for image in self.images.values() if image not in known]
        if self.loaded:
            docker("load", "-i", archive)
        self.network = f"measure{os.getpid()}"
        self.containers: list[str] = []
        self.cases = cases
        self.secrets = home / "secrets"

    def make_secrets(self) -> None:
        """A value for every secret that a case wants."""
        self.secrets.mkdir(parents=True, mode=0o700)
        plans = self.cases.glob("*/synapse/etc/synapse-site/launch.json")
        names = {secret["name"] for plan in plans for secret in json.loads(plan.read_text())["secrets"]}
        for name in sorted(names):
            value = secrets.token_hex(32)
            if name == "signing_key":
                value = f"ed25519 a_lab {base64.b64encode(secrets.token_bytes(32)).decode().rstrip('=')}"
            path = self.secrets / name
            path.write_text(f"{value}\n")
            path.chmod(0o444)
        self.secrets.chmod(0o755)

    def start(self) -> None:
        """The network, the database and the bus."""
        docker("network", "create", self.network)
        for service in SERVICES:
            user = docker("image", "inspect", "--format", "{{.Config.User}}", self.images[service]).strip().split(":")[0]
            memory = f"/run/synapse-site:mode=0700,uid={user},gid={user}"
            self.run(service, "-d", "--network-alias", service, "--tmpfs", memory, self.images[service], "run", service)

    def wait(self) -> None:
        """Until both services say that they are well."""
        deadline = time.monotonic() + 90
        for service in SERVICES:
            while True:
                command = ["docker", "exec", f"{self.network}-{service}", "/launch", "health", service]
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                if done.returncode == 0:
                    break
                logs = subprocess.run(["docker", "logs", f"{self.network}-{service}"], capture_output=True, text=True, check=False)
                gone = "is not running" in done.stderr
                assert not gone and time.monotonic() < deadline, f"{service}: {done.stderr}\n{logs.stdout}{logs.stderr}"
                time.sleep(0.2)

    def run(self, name: str, *words: str) -> None:
        """A container that has the secrets."""
        full = f"{self.network}-{name}"
        self.containers.append(full)
        docker("run", "--name", full, "--network", self.network, "-v", f"{self.secrets}:/run/secrets:ro", *words)

    def measure(self, cases: Iterable[Case]) -> dict[str, dict[str, Any]]:
        """The answers of one container about all cases, by name."""
        name = f"{self.network}-synapse"
        self.containers.append(name)
        mounts = [f"{self.secrets}:/run/secrets:ro", f"{self.cases}:{MOUNT}:ro", f"{RULES}:/rules:ro", f"{HERE}:/measure:ro"]
        command = ["docker", "run", "--name", name, "-i", "--network", self.network, "--user", "0"]
        command += [word for mount in mounts for word in ("-v", mount)]
        command += ["--entrypoint", "/usr/bin/python3.13", self.images["synapse"], "/measure/inside.py"]
        lines = "".join(f"{case.line()}\n" for case in cases)
        done = subprocess.run(command, input=lines, capture_output=True, text=True, check=False, timeout=LONGEST)
        assert done.returncode == 0, f"{done.stdout[-1000:]}\n{done.stderr[-3000:]}"
        answers = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        return {answer["name"]: answer for answer in answers}

    def close(self) -> None:
        """Takes away what was made here."""
        subprocess.run(["docker", "rm", "-f", "-v", *self.containers], capture_output=True, check=False)
        subprocess.run(["docker", "network", "rm", self.network], capture_output=True, check=False)
        if self.loaded:
            subprocess.run(["docker", "image", "rm", *self.loaded], capture_output=True, check=False)
