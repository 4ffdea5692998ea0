# SPDX-License-Identifier: ISC
"""A modern ClickHouse deletes what is erased, as test_erasing.py has it, and accounts."""
import pytest

import cluster as clusters
import harness
import modern
from test_erasing import PATIENCE, all_records, daemon, many_sms, rows_of, test_a_place_that_a_record_has_left_stays_left, \
    test_a_server_that_refuses_is_told_of_without_the_number

pytestmark = [pytest.mark.slow, pytest.mark.skipif(modern.REASON is not None, reason=str(modern.REASON))]
assert daemon  # a fixture
# Tests of this module, too:
assert test_a_place_that_a_record_has_left_stays_left and test_a_server_that_refuses_is_told_of_without_the_number

servers = clusters.fixture(modern.ModernCluster)


def test_an_account_that_is_deleted_is_gone(daemon, servers):
    daemon.options["account_grace"] = "0"
    daemon.restart()
    daemon.await_ready(PATIENCE)
    account, other = daemon.new_account(), daemon.new_account()
    daemon.post_cdrs(many_sms(account, 400) + many_sms(other, 50))
    daemon.ctl("account", "delete", account.id)
    harness.wait_for(lambda: daemon.ctl_run("account", "show", account.id).returncode != 0, 120)
    assert rows_of(servers.server(1, 1), daemon) == 50
    assert len(all_records(daemon, other)) == 50
