"""The site of the stack test from its description to its running services, the way an administrator takes it: build on
one directory, carry the output to a target directory, load, make secrets, start. Holds what a run needs; the steps of
the test are elsewhere."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import archive
import description
import engine
from commands import run
from compose import Compose
from directory import BIND_DN, FILTER, SUFFIX, USERS, Directory, private
from matrix import Server
from ports import Ports


@dataclass(frozen=True)
class Built:
    """The output of one `build`."""

    directory: Path

    @property
    def archive(self) -> archive.Archive:
        """Its images."""
        return archive.Archive(self.directory / "images.tar")

    def digests(self) -> dict[str, str]:
        """Every file below the output by its path, with its hash and its permission bits."""
        found = {}
        for path in archive.files_below(self.directory):
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            found[str(path.relative_to(self.directory))] = f"{path.stat().st_mode & 0o7777:04o} {digest}"
        return found


@dataclass
class Stack:
    """One run of the stack test."""

    tool: Path
    # Everything of the run is below this directory.
    home: Path
    project: str
    ports: Ports
    directory: Directory
    classic: tuple[str, ...]
    plugin: tuple[str, ...]
    # The output that was carried to the target last.
    carried: Built | None = None
    # Images that were not on the engine before this run.
    loaded: set[str] = field(default_factory=set)
    # How long things took, for the summary; seconds.
    timings: dict[str, float] = field(default_factory=dict)
    # What commands said that are over, by a name for it; the search for secrets reads it.
    said: dict[str, str] = field(default_factory=dict)

    @property
    def target(self) -> Path:
        """The directory on the target: what `build` wrote, and `secrets/`."""
        return self.home / "target"

    @property
    def secrets(self) -> Path:
        """The secrets on the target."""
        return self.target / description.SECRETS_DIR

    @property
    def compose(self) -> Compose:
        """The project in the hands of the classic program."""
        return Compose(self.classic, self.target, self.project, (self.home / "override.yaml",))

    @property
    def compose_v2(self) -> Compose:
        """The project in the hands of Compose v2."""
        return Compose(self.plugin, self.target, self.project, (self.home / "override.yaml",))

    @property
    def gateway(self) -> Server:
        """The site as clients reach it."""
        return Server("127.0.0.1", self.ports.gateway, description.MATRIX_HOST)

    @property
    def well_known(self) -> Server:
        """The host of the server name, as clients and servers reach it."""
        return Server("127.0.0.1", self.ports.gateway, description.SERVER_NAME)

    def inside(self, service: str, port: int) -> Server:
        """A service as its neighbours reach it; the host has an address in every network of the engine."""
        addresses = self.compose.container(service).networks.values()
        return Server(next(address for address in addresses if address), port, description.MATRIX_HOST)

    def describe(self, name: str, **changes: Any) -> Path:
        """Writes the description of the site, with changes, to `NAME.json`."""
        site = description.site(
            self.ports,
            ldap_ca=self.directory.ca,
            ldap_base=SUFFIX,
            ldap_users=USERS,
            ldap_bind_dn=BIND_DN,
            ldap_filter=FILTER,
            peer_address=self.directory.address,
            **changes,
        )
        path = self.home / f"{name}.json"
        path.write_text(json.dumps(site, indent=2))
        return path

    def build(self, site: Path, name: str, *, env: Mapping[str, str] | None = None, umask: int = -1) -> Built:
        """`synapse-site build` into a new directory."""
        out = self.home / name
        done = run(description.build_command(self.tool, site, out), env=env, umask=umask, cwd=self.home, seconds=900)
        self.said[f"build {name}"] = done.stdout + done.stderr
        return Built(out)

    def carry(self, built: Built) -> None:
        """Copies an output over the target's directory, as `rsync` or an unpacked archive would; secrets stay."""
        shutil.copytree(built.directory, self.target, dirs_exist_ok=True)
        self.carried = built

    @property
    def current(self) -> Built:
        """The output that is on the target now."""
        assert self.carried is not None, "nothing was carried to the target yet"
        return self.carried

    @property
    def archive(self) -> archive.Archive:
        """The images of the output that is on the target now."""
        return self.current.archive

    def deploy(self, built: Built) -> None:
        """Carries an output to the target and loads its images."""
        self.carry(built)
        before = engine.image_names()
        self.loaded |= set(engine.load(str(self.target / "images.tar"))) - before

    def init_secrets(self) -> str:
        """`synapse-site secrets init` on the target; what it said."""
        return self.make_secrets(self.target)

    def make_secrets(self, directory: Path) -> str:
        """`synapse-site secrets init` on a directory with a site.json; what it said."""
        # 4: some are still to bring.
        done = run(description.secrets_command(self.tool, directory), cwd=directory, expect=(0, 4))
        self.said[f"secrets init {len(self.said)}"] = done.stdout + done.stderr
        return done.stdout + done.stderr

    def bring(self) -> None:
        """What the administrator brings: the password of the directory's bind DN, and the relay's certificate and key."""
        certificate, key = self.directory.certificate(description.TURN_HOST, "turn")
        brought = {
            description.LDAP_BIND_SECRET: self.directory.bind_password,
            description.TURN_CERTIFICATE_SECRET: certificate.read_text(),
            description.TURN_KEY_SECRET: key.read_text(),
        }
        for name, value in brought.items():
            private(self.secrets / name, value)
            (self.secrets / name).chmod(0o444)

    def override(self) -> None:
        """Names this machine in the containers' hosts file, as DNS names the directory on a real site."""
        hosts = {"extra_hosts": [f"{description.LDAP_HOST}:{self.directory.address}"]}
        services = {service: hosts for service in description.SYNAPSE_SERVICES}
        # JSON is YAML; both programs read it.
        (self.home / "override.yaml").write_text(json.dumps({"services": services}))

    def secret_needles(self) -> dict[str, bytes]:
        """The values that must be nowhere: each secret of the site and each password of the directory."""
        needles = {person.uid: person.password.encode() for person in self.directory.people.values()}
        for path in sorted(self.secrets.iterdir()):
            value = path.read_bytes().strip()
            needles[path.name] = value
            if value.startswith(b"-----BEGIN"):
                # Its first line of base64; the lines around it are the same in every such file.
                needles[f"{path.name}, inside"] = value.split()[3 if b"PRIVATE" in value else 2]
                continue
            # The signing key's file has an algorithm and a name before the key itself.
            if b" " in value:
                needles[f"{path.name}, last word"] = value.split()[-1]
        short = [name for name, value in needles.items() if len(value) < 12]
        assert not short, f"too short to be told from other bytes: {', '.join(short)}"
        return needles

    def keep_artefacts(self, place: Path) -> None:
        """Copies logs, states and descriptions of a failed run to a place that stays."""
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        for container in engine.containers(self.project):
            (place / f"{container.name}.log").write_text(engine.logs(container.id))
            (place / f"{container.name}.json").write_text(json.dumps(container.details, indent=2))
        for name, text in self.said.items():
            (place / f"{re.sub(r'[^a-z0-9]+', '-', name)}.txt").write_text(text)
        for path in (self.target / "compose.yaml", self.target / "site.json", self.directory.log, *self.home.glob("*.json")):
            if path.is_file():
                shutil.copy(path, place / path.name)

    def remove(self) -> None:
        """Ends everything that this run started and removes what it made on the engine and on disk."""
        with ExitStack() as steps:
            # Each step runs even when one before it fails; the last one pushed is the first.
            steps.callback(shutil.rmtree, self.home)
            steps.callback(self.remove_images)
            steps.callback(self.directory.stop)
            steps.callback(self.compose.remove)

    def remove_images(self) -> None:
        """Takes the images away that this run brought to the engine."""
        found = sorted(self.loaded & engine.image_names())
        if found:
            run(["docker", "image", "rm", *found])


def project_name() -> str:
    """A name that no other run on this engine has now."""
    return f"stacktest{os.getpid()}"


def newest_tool(repository: Path) -> Path:
    """The most recently built `synapse-site` below target/."""
    built = [*repository.glob("target/*/synapse-site"), *repository.glob("target/*/*/synapse-site")]
    assert built, "synapse-site is not built; run `cargo build --release`, or name the program with --synapse-site"
    return max(built, key=lambda path: path.stat().st_mtime)
