# SPDX-License-Identifier: ISC
"""The fixtures of tests/blackbox, for tests that need a whole cluster."""
import importlib.util
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
BLACKBOX = os.path.join(os.path.dirname(HERE), "blackbox")
sys.path[:0] = [BLACKBOX, HERE]

spec = importlib.util.spec_from_file_location("blackbox_conftest", os.path.join(BLACKBOX, "conftest.py"))
fixtures = importlib.util.module_from_spec(spec)
spec.loader.exec_module(fixtures)
daemons = fixtures.daemons
nothing_wrong_with_daemons = fixtures.nothing_wrong_with_daemons
clock = fixtures.clock
day_with_time_left = fixtures.day_with_time_left
pytest_configure = fixtures.pytest_configure

# As LONGEST of the black box.
LONGEST = ["test_front_ends", "test_modern", "test_forwarded_files", "test_workers", "test_taking_in", "test_erasing", "test_move",
           "test_catalog", "test_engines", "test_answers_of_workers", "test_sources"]


def pytest_collection_modifyitems(items):
    fixtures.begin_with(items, LONGEST)
    fixtures.leave_out_slow(items)
