# SPDX-License-Identifier: ISC
"""System calls and allocations of a daemon that fail when a test says so: tests/faults/faults.c."""
import contextlib
import errno
import mmap
import os
import struct

import harness

ROWS = 8
ROW = struct.Struct("<7q16s192s")
ALWAYS = 1 << 62


class Faults:
    """The control file of a daemon that was started with `environment`."""

    def __init__(self, path):
        self.path = str(path)
        with open(self.path, "wb") as file:
            file.write(bytes(ROWS * ROW.size))
        self.file = open(self.path, "r+b")
        self.map = mmap.mmap(self.file.fileno(), ROWS * ROW.size)
        self.environment = {
            "LD_PRELOAD": " ".join([os.path.join(harness.BUILD_DIR, "tests/faults/faults.so"), *os.environ.get("LD_PRELOAD", "").split()]),
            "CDRD_FAULTS": self.path,
            "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0:detect_leaks=0:allocator_may_return_null=1",
        }

    def set(self, call, path="", at=1, times=ALWAYS, error=errno.EIO, row=0, alike=0):
        """From the at-th call on, so many calls fail. Counting begins anew, of all calls, or of so many from each place."""
        self.clear(row)
        packed = ROW.pack(0, at, times, error, 0, 0, alike, call.encode(), path.encode())
        self.map[row * ROW.size + 8:(row + 1) * ROW.size] = packed[8:]
        self.map[row * ROW.size:row * ROW.size + 8] = struct.pack("<q", 1)

    def clear(self, row=0):
        """Gives how many calls were seen and how many failed."""
        seen, failed = self.counts(row)
        self.map[row * ROW.size:(row + 1) * ROW.size] = bytes(ROW.size)
        return seen, failed

    def counts(self, row=0):
        values = ROW.unpack(self.map[row * ROW.size:(row + 1) * ROW.size])
        return values[4], values[5]

    @contextlib.contextmanager
    def failing(self, call, path="", **more):
        self.set(call, path, **more)
        yield self
        self.clear(more.get("row", 0))


def start(daemon, faults):
    """Starts a daemon, now and each time later, so that its calls can be made to fail."""
    plain_start = daemon.start
    daemon.start = lambda environment=None: plain_start({**faults.environment, **(environment or {})})
    return daemon.start()
