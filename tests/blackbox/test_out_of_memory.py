# SPDX-License-Identifier: ISC
"""Memory that runs out fails the request at hand; the daemon goes on, and nothing is taken for what it is not."""
import http.client
import os

import pytest

import faults
import harness
import reporting
from harness import wait_for
from samples import NOON, SECOND, many_sms, whole_day

QUERY = {"product": "SMS", "direction": "outbound"}
LONG = bool(os.environ.get("CDRD_LONG_TESTS"))
POINTS = 600 if LONG else 80
STEP = 1 if LONG else 3 # what is missed in one run of the short test, a longer one finds


@pytest.fixture(scope="module")
def short(daemons, tmp_path_factory):
    """A daemon whose allocations can be made to fail."""
    daemon = daemons(start=False)
    fault = faults.Faults(tmp_path_factory.mktemp("faults") / "faults")
    faults.start(daemon, fault)
    daemon.add_producer()
    fault.daemon, fault.account = daemon, daemon.new_account()
    daemon.post_cdrs(many_sms(fault.account, 20))
    return fault


def sweep(short, call, prepare=lambda: None):
    """Fails the n-th allocation after the call's beginning, for n from 1 on, as long as the call has so many."""
    statuses = set()
    for at in range(1, POINTS, STEP):
        prepare()
        short.set("malloc", at=at, times=1)
        try:
            statuses.add(call())
        except (OSError, http.client.HTTPException):
            statuses.add("closed")
        _, failed = short.clear()
        assert short.daemon.process.poll() is None, f"allocation {at}:\n{short.daemon.log()[-6000:]}"
        if not failed:
            break
    return statuses


def post(short, records):
    return short.daemon.post_body(harness.encode(records, "ndjson"))


def test_ingest_takes_no_record_for_one_of_an_unknown_account(short):
    daemon = short.daemon
    before = len(daemon.ctl("quarantine", "list"))
    sent = []

    def forget():
        """What the daemon remembers of accounts."""
        daemon.ctl("account", "disable", short.account.id)
        daemon.ctl("account", "enable", short.account.id)

    def call():
        records = many_sms(short.account, 2, NOON + (len(sent) + 60) * 60 * SECOND)
        sent.append(records)
        return post(short, records).status

    statuses = sweep(short, call, forget)
    assert statuses <= {200, 408, 500, 503, "closed"}, statuses
    assert len(daemon.ctl("quarantine", "list")) == before, daemon.ctl("quarantine", "list")[-1]
    for records in sent:
        assert post(short, records).json()["rejected"] == 0


@pytest.mark.parametrize("method, path", [
    ("GET", "/v2/account"), ("GET", "/v2/account/webhook"), ("POST", "/v2/account/webhook/rotate"),
    ("GET", "/v2/reports/products/SMS"), ("GET", "/openapi.json")])
def test_what_an_account_asks_about_itself_fails_alone(short, method, path):
    daemon, account = short.daemon, short.account

    def ask():
        return daemon.request(method, path, auth=(account.id, account.secret)).status

    assert ask() == 200
    statuses = sweep(short, ask)
    assert statuses <= {200, 408, 500, 503, "closed"} and ask() == 200, statuses


@pytest.mark.parametrize("path, params", [
    ("/v2/reports/records", {**QUERY, **whole_day()}),
    ("/v2/reports/records", {"product": "SMS", "id": "00000000-0000-4000-8000-000000000000"}),
    ("/v2/reports/summary", {**QUERY, **whole_day(), "group_by": "status"}),
    ("/v2/reports/changes", {"product": "SMS"}),
    ("/v2/reports", {}),
])
def test_queries_fail_alone(short, path, params):
    daemon, account = short.daemon, short.account

    def ask():
        return daemon.get(path, {"account_id": account.id, **params}, account).status

    good = ask()
    statuses = sweep(short, ask)
    assert statuses <= {good, 408, 429, 500, 503, "closed"} and (good == 200 or path == "/v2/reports"), statuses
    assert ask() == good


def test_admin_commands_fail_alone(short):
    statuses = sweep(short, lambda: short.daemon.ctl_run("account", "show", short.account.id).returncode)
    assert statuses <= {0, 1}, statuses
    assert short.daemon.ctl("account", "show", short.account.id)["id"] == short.account.id


def test_a_report_ends_whatever_allocation_of_it_fails(short):
    daemon, account = short.daemon, short.account
    body = {"account_id": account.id, **QUERY, **whole_day()}
    made = []

    def call():
        answer = daemon.request("POST", "/v2/reports", harness.json.dumps(body),
                                {"Content-Type": "application/json"}, (account.id, account.secret))
        if answer.status == 200:
            made.append(answer.json()["request_id"])
        return answer.status

    statuses = sweep(short, call)
    assert statuses <= {200, 202, 408, 500, 503, "closed"}, statuses
    for id in made:
        wait_for(lambda: reporting.status(daemon, account, id)["request_status"] not in ("PENDING", "PROCESSING"))
