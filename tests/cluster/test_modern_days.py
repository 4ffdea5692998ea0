# SPDX-License-Identifier: ISC
"""Days go from a modern ClickHouse, as test_days_go.py has it: what is summed, estimated, followed, listed and reported has all of a day
or nothing."""
import pytest

import cluster as clusters
import modern
from test_days_go import betweens, family, test_pages_that_are_within_it_are_to_begin_anew, \
    test_what_is_asked_while_a_shard_still_has_a_day_has_nothing_of_it

pytestmark = [pytest.mark.slow, pytest.mark.skipif(modern.REASON is not None, reason=str(modern.REASON))]
assert betweens and family  # fixtures
# Tests of this module, too:
assert test_pages_that_are_within_it_are_to_begin_anew and test_what_is_asked_while_a_shard_still_has_a_day_has_nothing_of_it

cluster = clusters.fixture(modern.ModernCluster, shards=2)
