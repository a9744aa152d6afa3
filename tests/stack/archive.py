"""The archive of images, read without the engine: which images it holds, what is in their layers, and whether some bytes
occur anywhere. Layers are decompressed as they are read and never unpacked."""

from __future__ import annotations

import gzip
import json
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import IO, Any

CHUNK = 4 * 1024 * 1024
GZIP_MAGIC = b"\x1f\x8b"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
WHITEOUT = ".wh."


@dataclass(frozen=True)
class Image:
    """An image of the archive: its names, its configuration, and its layers from the lowest up."""

    names: tuple[str, ...]
    config: dict[str, Any]
    layers: tuple[str, ...]


@dataclass(frozen=True)
class Archive:
    """A file as `docker load` reads it, with a manifest.json."""

    path: Path

    def images(self) -> list[Image]:
        """All images, in the archive's order."""
        with tarfile.open(self.path) as tar:

            def read(name: str) -> Any:
                member = tar.extractfile(name)
                assert member is not None, f"{name} in {self.path} is no file"
                return json.load(member)

            return [
                Image(tuple(entry["RepoTags"] or ()), read(entry["Config"]), tuple(entry["Layers"]))
                for entry in read("manifest.json")
            ]

    @contextmanager
    def layer(self, name: str) -> Iterator[tarfile.TarFile]:
        """A layer, open for reading from front to back."""
        with self._open(name) as raw, decompressed(raw) as plain, tarfile.open(fileobj=plain, mode="r|") as layer:
            yield layer

    def tree(self, image: Image) -> dict[str, tarfile.TarInfo]:
        """What a container of the image sees: path from the root to entry, lower layers hidden by higher ones."""
        tree: dict[str, tarfile.TarInfo] = {}
        for name in image.layers:
            for entry in entries(self, name):
                path = PurePosixPath("/", entry.name)
                if path.name.startswith(WHITEOUT):
                    hidden = str(path.with_name(path.name.removeprefix(WHITEOUT)))
                    tree = {key: value for key, value in tree.items() if key != hidden and not key.startswith(f"{hidden}/")}
                else:
                    tree[str(path)] = entry
        return tree

    def search(self, needles: Mapping[str, bytes]) -> set[tuple[str, str]]:
        """Looks for byte strings in every member, as it lies there and decompressed: pairs of needle and member."""
        found = set()
        with tarfile.open(self.path) as tar:
            for member in tar:
                source = tar.extractfile(member)
                if source is None:
                    continue
                found |= {(needle, member.name) for needle in search_stream(source, needles)}
                source.seek(0)
                magic = source.read(len(ZSTD_MAGIC))
                assert magic != ZSTD_MAGIC, f"{member.name} is zstd, which this test cannot look into: build it with gzip"
                if magic.startswith(GZIP_MAGIC):
                    source.seek(0)
                    with gzip.open(source) as plain:
                        found |= {(needle, f"{member.name}, decompressed") for needle in search_stream(plain, needles)}
        return found

    @contextmanager
    def _open(self, name: str) -> Iterator[IO[bytes]]:
        with tarfile.open(self.path) as tar:
            member = tar.extractfile(name)
            assert member is not None, f"{name} in {self.path} is no file"
            yield member


@cache
def entries(archive: Archive, layer: str) -> list[tarfile.TarInfo]:
    """The entries of a layer; kept, since images share layers."""
    with archive.layer(layer) as tar:
        return list(tar)


@contextmanager
def decompressed(source: IO[bytes]) -> Iterator[IO[bytes] | gzip.GzipFile]:
    """The content of a stream that may be gzip, in one member or many, or nothing at all."""
    packed = source.read(len(GZIP_MAGIC)) == GZIP_MAGIC
    source.seek(0)
    if packed:
        with gzip.open(source) as plain:
            yield plain
    else:
        yield source


def search_stream(source: IO[bytes] | gzip.GzipFile, needles: Mapping[str, bytes]) -> set[str]:
    """Which of the needles occur in a stream, also across the border of two reads."""
    overlap = max(map(len, needles.values()), default=1) - 1
    found: set[str] = set()
    kept = b""
    while chunk := source.read(CHUNK):
        window = kept + chunk
        found |= {name for name, needle in needles.items() if needle in window}
        kept = window[-overlap:] if overlap else b""
    return found


def search_bytes(content: bytes, needles: Mapping[str, bytes]) -> set[str]:
    """Which of the needles occur in some bytes."""
    return {name for name, needle in needles.items() if needle in content}


def files_below(root: Path, without: Iterable[str] = ()) -> list[Path]:
    """Regular files of a directory tree in a fixed order, leaving out named entries at its top."""
    left_out = set(without)
    top = sorted(path for path in root.iterdir() if path.name not in left_out)
    return [file for path in top for file in ([path] if path.is_file() else sorted(path.rglob("*"))) if file.is_file()]
