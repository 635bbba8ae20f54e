"""A disk whose power is cut: of what was written, only what was flushed is left.

As POSIX has it, and stricter than most file systems: `fsync` of a file keeps its content but not
its name, and `fsync` of a directory keeps the names in it but not what they name.
"""

import os
import stat
from pathlib import Path


class Disk:
    """Watches `os.fsync`, from when it is made.

    Args:
        root: A directory, which survives itself.
        on_flush: Called before and after each flush.
    """

    def __init__(self, root, on_flush=lambda: None):
        self.root = root
        self._contents = {}
        self._names = {}
        self._opened = {}  # so that no number is used for another file
        self._on_flush = on_flush
        self._system = os.fsync
        os.fsync = self._flush

    def cut_power(self, place):
        """Copy to a new directory what is left."""
        place.mkdir()
        self._restore(self._number(self.root.stat()), place)

    def close(self):
        """Watch no longer, and forget the files."""
        os.fsync = self._system
        for descriptor in self._opened.values():
            os.close(descriptor)
        self._opened.clear()

    def _flush(self, descriptor):
        self._on_flush()
        number = self._number(os.fstat(descriptor))
        if number not in self._opened:
            self._opened[number] = os.dup(descriptor)
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            with os.scandir(descriptor) as entries:
                self._names[number] = {
                    entry.name: (entry.is_dir(), self._number(entry.stat(follow_symlinks=False)))
                    for entry in entries
                }
        else:  # which may be open only to be written
            self._contents[number] = Path(f"/proc/self/fd/{descriptor}").read_bytes()
        self._on_flush()

    def _restore(self, number, place):
        for name, (is_directory, inner) in self._names.get(number, {}).items():
            if is_directory:
                (place / name).mkdir()
                self._restore(inner, place / name)
            else:
                (place / name).write_bytes(self._contents.get(inner, b""))

    @staticmethod
    def _number(status):
        return status.st_dev, status.st_ino
