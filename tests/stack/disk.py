"""A small disk of its own for a volume: a file with a file system, so that a test can fill it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from commands import run


class Disk:
    """An ext4 file system in a file, as a block device. `owner` is the `user:group` that its top directory belongs to."""

    def __init__(self, image: Path, mebibytes: int, owner: str) -> None:
        with image.open("wb") as file:
            file.truncate(mebibytes * 1024 * 1024)
        user, _, group = owner.partition(":")
        # No blocks kept for root: full is full for everybody.
        run(["mkfs.ext4", "-q", "-m", "0", "-E", f"root_owner={user}:{group or user}", image])
        self.device = run(["losetup", "--find", "--show", image]).stdout.strip()

    def remove(self) -> None:
        """Gives the block device back; the file is the caller's."""
        run(["losetup", "--detach", self.device], expect=None)


def fill(path: Path, leave: int) -> None:
    """Makes a file so large that so many bytes are left on its file system; 0 fills it to the last block."""
    with path.open("wb", buffering=0) as file:
        found = os.statvfs(path)
        size = found.f_bavail * found.f_frsize - leave
        if size > 0:
            os.posix_fallocate(file.fileno(), 0, size - (1 << 20) if leave == 0 else size)
        if leave == 0:
            file.seek(0, os.SEEK_END)
            try:
                while file.write(bytes(4096)):
                    pass
            except OSError as full:
                assert full.errno == errno.ENOSPC, full
