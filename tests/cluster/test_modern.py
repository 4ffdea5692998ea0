# SPDX-License-Identifier: ISC
"""A modern ClickHouse answers as LMDB's engine and as a plain list of records do."""
import pytest

import cluster as clusters
import modern
from test_engines import *
from test_model import every_answer_is_that_of_a_plain_list

pytestmark = pytest.mark.skipif(modern.REASON is not None, reason=str(modern.REASON))

cluster = clusters.fixture(modern.ModernCluster, shards=2)


def test_every_answer_is_that_of_a_plain_list():
    every_answer_is_that_of_a_plain_list(modern.ModernCluster(shards=2))
