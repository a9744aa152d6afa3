#!/usr/bin/env python3
"""The image of a closure of 400 store paths and 1.4 GB, against `tar | pigz` over the same paths, in one run.

    benches/closure.py PROGRAMS DIR [--rounds N] [--stream-script FILE]

PROGRAMS is a directory with `synapse-site` and `launch`, DIR one for a store (made once) and outputs. The store paths hold files of
the Debian packages of this machine, so that sizes and compressibility are those of real programs, and refer to each other as the
packages depend. The builder is called as a derivation calls it: structured attributes, an empty directory, no cache. Everything is
read once before, so that no round waits for the disk; rounds take turns, so that what else the machine does meets all alike.

FILE is nixpkgs' pkgs/build-support/docker/stream_layered_image.py, from wherever; the repository does not bring it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tarfile
import time
from dataclasses import dataclass
from pathlib import Path

PATHS = 400
BYTES = 1_400_000_000
# No path of Synapse's closure in nixpkgs is bigger: Python with its tests has about this much.
BIGGEST = 115_000_000
# What the definitions of the images name, and the Debian package in its place.
NAMED = {"base": {"cacert": "ca-certificates", "glibc": "libc6", "tzdata": "tzdata"}, "synapse": {"jemalloc": "libpam-runtime"}}
DESCRIPTION = {"server": {"server_name": "bench.example.org", "public_baseurl": "https://matrix.bench.example.org/", "report_stats": False}}
REPOSITORY = Path(__file__).resolve().parent.parent
LETTERS = "0123456789abcdfghijklmnpqrsvwxyz"


@dataclass
class Package:
    """A Debian package of this machine."""

    name: str
    version: str
    size: int
    wants: list[str]

    def path(self, store: Path) -> Path:
        digest = hashlib.sha256(f"{self.name} {self.version}".encode()).digest()
        return store / f"{''.join(LETTERS[byte % 32] for byte in digest)}-{self.name}-{re.sub('[^0-9a-zA-Z+._-]', '-', self.version)}"


def installed() -> dict[str, Package]:
    """All packages, by name."""
    form = "${Package}\t${Version}\t${Installed-Size}\t${Pre-Depends}, ${Depends}\n"
    rows = [row.split("\t") for row in subprocess.run(["dpkg-query", "-Wf", form], check=True, capture_output=True, text=True).stdout.splitlines()]
    names = lambda text: [re.split(r"[ :(|]", part.strip())[0] for part in text.split(",") if part.strip()]
    return {name: Package(name, version, int(size or 0) * 1024, names(wants)) for name, version, size, wants in rows}


def chosen() -> list[Package]:
    """As many packages as there shall be paths, but for one, of about the size together. The choice follows from the names."""
    packages = installed()
    always = [packages[name] for group in NAMED.values() for name in group.values()]
    rest = [package for package in packages.values() if package not in always and package.size <= BIGGEST]
    rest.sort(key=lambda package: hashlib.sha256(package.name.encode()).digest())
    taken, left = rest[: PATHS - 1 - len(always)], rest[PATHS - 1 - len(always) :]
    if not left:
        sys.exit(f"this machine has {len(packages)} packages installed; the closure wants {PATHS}")
    # Exchanged one by one until the sum is right, the smallest for the biggest or the other way round.
    total = lambda: sum(package.size for package in [*always, *taken])
    while left and abs(total() - BYTES) > BYTES // 50:
        more = total() < BYTES
        out = (min if more else max)(taken, key=lambda package: package.size)
        into = (max if more else min)(left, key=lambda package: package.size)
        taken[taken.index(out)] = into
        left.remove(into)
    return [*always, *taken]


def fill(path: Path, name: str) -> None:
    """A store path with the files of a package: read-only, and of one time."""
    path.mkdir(parents=True)
    for line in subprocess.run(["dpkg-query", "-L", name], check=True, capture_output=True, text=True).stdout.splitlines():
        source = Path(line)
        target = path / re.sub("^/(usr/)?", "", line)
        # A link to a directory may be the machine's own, such as /lib.
        if not line.startswith("/") or source.is_dir():
            continue
        if source.is_symlink() or source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            if not os.path.lexists(target):
                shutil.copy(source, target, follow_symlinks=False)
                if not target.is_symlink():
                    target.chmod(0o555 if os.access(source, os.X_OK) and source.stat().st_mode & 0o100 else 0o444)


def graph(packages: list[Package], store: Path) -> list[dict]:
    """What Nix writes of a closure. Debian's dependencies have circles, a store has none: an edge that would close one is left out."""
    by_name = {package.name: package for package in packages}
    references: dict[str, list[str]] = {}

    def visit(name: str, above: tuple[str, ...]) -> None:
        if name in references:
            return
        references[name] = kept = []
        for other in by_name[name].wants:
            if other in by_name and other not in (*above, name):
                visit(other, (*above, name))
                kept.append(other)

    for name in sorted(by_name):
        visit(name, ())
    place = {name: str(package.path(store)) for name, package in by_name.items()}
    root = store / f"{'0' * 32}-matrix-synapse-1.163.2"
    (root / "bin").mkdir(parents=True, exist_ok=True)
    (root / "bin" / "synapse_homeserver").write_text("#!/bin/sh\n")
    edges = {place[name]: [place[other] for other in others] for name, others in references.items()}
    edges[str(root)] = sorted(place.values())
    return [record(path, others) for path, others in edges.items()]


def record(path: str, references: list[str]) -> dict:
    """The builder takes sizes and hashes as given: the size decides the layer, the hash is only passed on."""
    files = [entry for entry in Path(path).rglob("*") if not entry.is_symlink() and entry.is_file()]
    size = sum(entry.stat().st_size + 160 for entry in files)
    digest = hashlib.sha256(path.encode()).hexdigest()
    return {"path": path, "narHash": f"sha256:{digest}", "narSize": size, "closureSize": size, "references": [path, *references]}


@dataclass
class Run:
    """What one run took."""

    wall: float
    cpu: float
    size: int


def measured(command: list[str], out: Path, variables: dict[str, str]) -> Run:
    """A command that has to succeed, its children included."""
    began = time.monotonic()
    process = subprocess.Popen(command, env={**os.environ, **variables}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{command}: {said}")
    run = Run(wall, usage.ru_utime + usage.ru_stime, out.stat().st_size)
    out.unlink()
    return run


def stream_configuration(closure: list[dict], store: Path, work: Path) -> Path:
    """What nixpkgs' buildLayeredImage gives its script: a layer a path for as many as there may be, and one for the rest."""
    custom = work / "customisation"
    custom.mkdir(exist_ok=True)
    tarfile.open(custom / "layer.tar", "w").close()
    (custom / "checksum").write_text(hashlib.sha256((custom / "layer.tar").read_bytes()).hexdigest())
    paths = [entry["path"] for entry in closure]
    one = "1970-01-01T00:00:01+00:00"
    configuration = {
        "architecture": "amd64", "config": {}, "os": "linux", "created": one, "mtime": one, "repo_tag": "bench:1", "from_image": None,
        "uid": 0, "gid": 0, "uname": "root", "gname": "root", "store_dir": str(store), "customisation_layer": str(custom),
        "store_layers": [*([path] for path in paths[:98]), paths[98:]],
    }  # fmt: skip
    file = work / "stream.json"
    file.write_text(json.dumps(configuration))
    return file


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("programs", type=Path)
    parser.add_argument("dir", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--stream-script", type=Path)
    given = parser.parse_args()
    work = given.dir.resolve()
    store = work / "store"
    packages = chosen()
    if not (store / ".whole").exists():
        shutil.rmtree(store, ignore_errors=True)
        for package in packages:
            fill(package.path(store), package.name)
        (store / ".whole").touch()
    closure = graph(packages, store)
    paths = work / "paths"
    paths.write_text("".join(f"{entry['path'].lstrip('/')}\n" for entry in closure))
    size = sum(entry["narSize"] for entry in closure)
    files = 0
    for path in store.rglob("*"):
        if path.is_file() and not path.is_symlink():
            files += 1
            path.read_bytes()
    cores = len(os.sched_getaffinity(0))

    top, out = work / "build", work / "out"
    place = {package.name: str(package.path(store)) for package in packages}
    named = {image: {name: {"path": place[package], "version": "1"} for name, package in group.items()} for image, group in NAMED.items()}
    named["synapse"]["matrix-synapse"] = {"path": closure[-1]["path"], "version": "1.163.2"}
    request = {
        "format": 1, "part": "image", "system": "x86_64-linux", "description": DESCRIPTION, "files": {},
        "definitions": str(REPOSITORY / "images"), "packages": named,
    }  # fmt: skip
    attributes = json.dumps({"outputs": {"out": str(out)}, "closure": closure, "request": request})

    def builder() -> Run:
        shutil.rmtree(top, ignore_errors=True)
        top.mkdir()
        (top / ".attrs.json").write_text(attributes)
        run = measured([str(given.programs / "synapse-site"), "nix-builder"], out, {"NIX_BUILD_TOP": str(top), "NIX_BUILD_CORES": str(cores)})
        shutil.rmtree(top)
        return run

    def piped(command: str) -> Run:
        return measured(["bash", "-euo", "pipefail", "-c", f'{command} | pigz -p {cores} > "{out}"'], out, {})

    settled = "--sort=name --mtime=@1 --owner=0 --group=0 --numeric-owner"
    ways = {"synapse-site": builder, "tar | pigz": lambda: piped(f'tar -C / {settled} -cf - -T "{paths}"')}
    if given.stream_script:
        configuration = stream_configuration(closure, store, work)
        ways["stream_layered_image.py | pigz"] = lambda: piped(f'"{sys.executable}" "{given.stream_script}" "{configuration}"')

    runs: dict[str, list[Run]] = {way: [] for way in ways}
    for _ in range(given.rounds):
        for way, run in ways.items():
            runs[way].append(run())
    middle = {way: {name: statistics.median(getattr(run, name) for run in those) for name in ("wall", "cpu", "size")} for way, those in runs.items()}
    version = lambda *command: subprocess.run(command, capture_output=True, text=True).stdout.splitlines()[0]
    print(f"{len(closure)} store paths, {files} files, {size / 1e9:.2f} GB; {cores} processors, {platform.machine()}; load {os.getloadavg()[0]:.1f}")
    print(f"{version(given.programs / 'synapse-site', '--version')}; {version('tar', '--version')}; {version('pigz', '--version') or 'pigz'}; middle of {given.rounds} rounds\n")
    print(f"{'':32} {'wall s':>8} {'CPU s':>8} {'MB out':>8}   wall and CPU, times tar | pigz")
    base = middle["tar | pigz"]
    for way, row in middle.items():
        print(
            f"{way:32} {row['wall']:8.1f} {row['cpu']:8.1f} {row['size'] / 1e6:8.0f}"
            f"   {row['wall'] / base['wall']:.2f} {row['cpu'] / base['cpu']:.2f}"
        )


if __name__ == "__main__":
    main()
