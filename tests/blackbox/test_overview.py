# SPDX-License-Identifier: ISC
"""cdrctl overview: what the daemon does now, and the accounts with the most of it today."""
import pytest

import harness
from harness import wait_for
from samples import many_sms, sms, whole_day


def accounts(section, key):
    return [(a["account"], a[key]) for a in section["accounts"]]


def test_accounts_are_in_order_of_the_records_of_today(own_daemon):
    few, most, none = own_daemon.new_account(), own_daemon.new_account(), own_daemon.new_account()
    own_daemon.post_cdrs(many_sms(most, 30) + many_sms(few, 3))
    repeated = sms(few)
    own_daemon.post_cdrs([repeated])
    own_daemon.post_cdrs([repeated])
    today = own_daemon.ctl("overview")["records_today"]
    assert accounts(today, "records") == [(most.id, 30), (few.id, 4)]
    assert today["low_by_at_most"] == 0
    assert accounts(own_daemon.ctl("overview", "--accounts", "1")["records_today"], "records") == [(most.id, 30)]
    assert none.id not in str(today)


def test_accounts_are_in_order_of_what_they_were_charged_today(own_daemon):
    one, two = own_daemon.new_account(), own_daemon.new_account()
    own_daemon.post_cdrs(many_sms(one, 3) + many_sms(two, 40))
    for account in (one, two, one):
        own_daemon.records(account, product="SMS", direction="outbound", **whole_day())
    today = own_daemon.ctl("overview")["charges_today"]
    assert [(a["account"], a["charged"], a["currency"], a["requests"]) for a in today["accounts"]] == \
        [(two.id, "0.016", "EUR", 1), (one.id, "0.0024", "EUR", 2)]


def test_rates_show_what_was_done_in_the_last_seconds(own_daemon):
    account = own_daemon.new_account()

    def shown():
        own_daemon.post_cdrs(many_sms(account, 30))  # each time, as what is older than five seconds is not in it
        own_daemon.records(account, product="SMS", direction="outbound", **whole_day())
        rates = own_daemon.ctl("overview")["rates"]
        return rates["records"] > 0 and rates["pages"] > 0 and rates["requests"] >= rates["pages"]
    wait_for(shown, 60)


def test_what_waits_for_the_operator_is_shown(own_daemon, tmp_path):
    account = own_daemon.new_account()
    before = own_daemon.ctl("overview")
    assert before["quarantine"]["records"] == 0 and before["backup"] == {"last": None, "age_seconds": None}
    own_daemon.post_cdrs([sms(account), sms(account, total_price="much")])
    own_daemon.ctl("backup", str(tmp_path))
    after = own_daemon.ctl("overview")
    assert after["quarantine"]["records"] == 1
    assert after["backup"]["last"] is not None and after["backup"]["age_seconds"] >= 0
    assert after["store"]["hot_rows"] == (0 if own_daemon.database else 1)  # a cluster has none
    assert after["store"]["sealing_lags"] is False
    assert after["disk"]["free_bytes"] > after["disk"]["keep_free_bytes"] and after["disk"]["low"] is False
    assert after["reports"] == {"pending": 0, "processing": 0}
    assert after["callbacks"]["waiting"] == after["callbacks"]["failed"] == 0


def test_the_last_backup_is_known_after_a_restart(own_daemon, tmp_path):
    own_daemon.ctl("backup", str(tmp_path))
    last = own_daemon.ctl("overview")["backup"]["last"]
    own_daemon.restart()
    assert own_daemon.ctl("overview")["backup"]["last"] == last


def test_too_many_accounts_are_refused(own_daemon):
    with pytest.raises(harness.CtlError, match="accounts: .*1000"):
        own_daemon.ctl("overview", "--accounts", "1001")
