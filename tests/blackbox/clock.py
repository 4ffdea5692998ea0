# SPDX-License-Identifier: ISC
"""The clock of a daemon, which a test sets while it runs or before it starts: what takes hours is tested in a moment, and no
test must be done before a few seconds are over. Timers go by the monotonic clock, which stays as it is."""
import glob
import os

import pytest


def libfaketime():
    found = glob.glob("/usr/lib/*/faketime/libfaketime.so.1") + glob.glob("/usr/lib/faketime/libfaketime.so.1")
    if not found:
        pytest.skip("libfaketime is not installed")
    return found[0]


class Clock:
    """Of the daemons that start() has started."""

    def __init__(self, path):
        self.path = path
        self.environment = {
            "LD_PRELOAD": " ".join([libfaketime(), *os.environ.get("LD_PRELOAD", "").split()]),
            "FAKETIME_TIMESTAMP_FILE": str(path), "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1",
            "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0:detect_leaks=0",
        }
        self.set("+0")

    def set(self, offset):
        """"+2h", "-800d": so much from the true time."""
        part = self.path.with_suffix(".part")
        part.write_text(offset + "\n")
        part.rename(self.path)

    def start(self, daemon):
        """Starts a daemon by this clock, now and each time later."""
        plain_start = daemon.start
        daemon.start = lambda environment=None: plain_start({**self.environment, **(environment or {})})
        daemon.start()
        daemon.add_producer()
        return daemon
