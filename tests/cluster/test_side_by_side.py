# SPDX-License-Identifier: ISC
"""Front ends that insert into the same tables with a quorum: ClickHouse takes one such insert at a time, and what meets another one is
tried again."""
import concurrent.futures

import pytest

import cluster as clusters
from front_ends import REASON, front_end, send, server, stored
from test_changes import Loader
from test_front_ends import pair, reached
from test_taking_in import accepted_by, both

pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))
assert server and front_end and reached and pair and both  # fixtures

cluster = clusters.fixture(replicas=2)


@pytest.mark.slow
def test_records_of_one_account_come_in_through_both_at_once(both):
    holder, _ = both
    account = holder.new_account()
    before = accepted_by(holder)

    def put(daemon, first):
        return set().union(*(send(daemon, account, seed, 50) for seed in range(first, first + 10)))

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        sent = set().union(*pool.map(put, [*both, *both], [100, 200, 300, 400]))
    assert len(sent) == 2000
    assert accepted_by(holder) == before + 1000
    for daemon in both:
        assert set(stored(daemon, account)) == sent
        loader = Loader(daemon, account).catch_up()
        assert loader.given == 2000
