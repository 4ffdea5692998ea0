# SPDX-License-Identifier: ISC
"""Records are moved to a modern ClickHouse, and are the same there."""
import pytest

import cluster as clusters
import harness
import modern
from test_move import END, START, daemon, test_a_difference_is_named_and_nothing_moves, test_a_move_is_given_up, \
    test_everything_is_the_same_after_a_move

pytestmark = pytest.mark.skipif(modern.REASON is not None, reason=str(modern.REASON))
assert daemon  # a fixture
# Tests of this module, too:
assert test_a_difference_is_named_and_nothing_moves and test_a_move_is_given_up and test_everything_is_the_same_after_a_move

cluster = clusters.fixture(modern.ModernCluster, shards=2)


def test_rows_that_a_server_has_lost_are_copied_again(daemon, cluster):
    """Though it knows that it had them. It does from the second time on, when it has learnt how to store what is mostly empty."""
    account = daemon.new_account()
    records = harness.generate("SMS", account, 300, START, END)
    daemon.post_cdrs(records)
    daemon.ctl("move", "--to", "clickhouse")
    table, day = daemon.options["clickhouse_database"] + ".sms", records[17]["date_received"][:10]
    for _ in range(3):
        for server in cluster.servers.values():
            server.query(f"ALTER TABLE {table} DELETE WHERE day = '{day}'", mutations_sync=1)
        assert b"1 accounts and days differ" in daemon.ctl_run("move", "--finish").stderr
        daemon.ctl("move", "--to", "clickhouse")
    assert daemon.ctl("move", "--finish")["state"] == "done"
