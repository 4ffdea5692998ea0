# SPDX-License-Identifier: ISC
"""Calls of the daemon that fail one after the other while it works: tests/faults/sweep, a sample of it, or with --long all but allocations that are alike."""
import os
import subprocess
import sys

import pytest

import harness

SWEEP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "faults", "sweep")
LONG = bool(os.environ.get("CDRD_LONG_TESTS"))


@pytest.mark.slow
def test_a_call_that_fails_costs_nothing_but_what_needs_it():
    run = subprocess.run([sys.executable, SWEEP, *(["--all", "--alike", "1"] if LONG else ["--seed", "1"])], stdout=subprocess.PIPE,
                         env={**os.environ, "CDRD_BUILD_DIR": harness.BUILD_DIR}, text=True, check=False)
    assert run.returncode == 0 and run.stdout.rstrip().endswith(", 0 findings"), run.stdout[-20000:]
