# SPDX-License-Identifier: ISC
"""Moves that are stored in part are found and mended in a modern ClickHouse, too."""
import pytest

import cluster as clusters
import modern
from test_moves import between, daemon, test_move_of_which_a_server_has_one_day_is_mended_after_a_start

pytestmark = [pytest.mark.slow, pytest.mark.skipif(modern.REASON is not None, reason=str(modern.REASON))]
assert between and daemon  # fixtures
assert test_move_of_which_a_server_has_one_day_is_mended_after_a_start  # a test of this module, too

cluster = clusters.fixture(modern.ModernCluster)
