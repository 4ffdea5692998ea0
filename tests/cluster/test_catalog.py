# SPDX-License-Identifier: ISC
"""A catalog in PostgreSQL: a front end that is killed is replaced by another one, which has all that was acknowledged; while
PostgreSQL is away, reads go on, changes get 503, and all heals by itself."""
import os
import signal
import subprocess
import time

import pytest

import harness
import reporting
from front_ends import (KEYS, PATIENCE, RANGE, REASON, ask_for_report, begin, begin_waiting, cluster, front_end, send, server,
                        stored, wait_for_report, wait_until_ready)
from test_callbacks import FAST, LOCAL, receivers
from test_destinations import add

pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))
assert cluster and server and front_end and receivers  # fixtures


def test_schema_is_what_migrate_makes(server):
    printed = subprocess.run([harness.program("cdrctl"), "schema", "postgresql"], check=True, capture_output=True, text=True).stdout
    for _ in range(2):  # again does no harm
        server.query(printed)
    assert server.query("SELECT format, number FROM cdrd_catalog") == "1|0"


def test_tables_that_are_missing_are_named(front_end, server):
    daemon = front_end()
    server.query("DROP TABLE cdrd_catalog")
    ended = subprocess.run(daemon.command(), capture_output=True, text=True, timeout=PATIENCE)
    assert ended.returncode == 1 and "cdrd -m makes it" in ended.stderr, ended.stderr


def test_front_end_that_is_killed_is_replaced_with_all_that_was_acknowledged(front_end):
    first = begin(front_end())
    first.add_producer()
    account, parent = first.new_account(), first.new_account()
    child = first.new_account(parent)
    sent = send(first, account, 1)
    request_id = ask_for_report(first, account)
    wait_for_report(first, account, request_id)
    pending = ask_for_report(first, account)

    second = begin_waiting(front_end())
    assert "holds the catalog" in second.log()
    third_account = first.new_account()
    first.kill9()
    harness.wait_for(second.answers, PATIENCE)
    wait_until_ready(second)

    assert set(stored(second, account)) == sent
    lost = reporting.status(second, account, request_id)
    assert lost["request_status"] == "SUCCESS"
    answer = second.get(reporting.media_path(lost), account=account)
    assert answer.status == 503 and "Retry-After" in answer.headers, str(answer)
    again = wait_for_report(second, account, request_id)
    assert "on a front end that is gone" in second.log()
    answer = second.get(reporting.media_path(again), account=account)
    assert answer.status == 200 and reporting.media_path(again) == reporting.media_path(lost)
    wait_for_report(second, account, pending)
    assert stored(second, third_account) == []
    assert second.ctl("account", "show", child.id)["parent"] == parent.id
    more = send(second, account, 2)
    assert set(stored(second, account)) == sent | more

    # the one of before waits for its turn, and gets it at once when the other one ends
    begin_waiting(first)
    late = second.new_account()
    second.stop()
    harness.wait_for(first.answers, PATIENCE)
    wait_until_ready(first)
    assert stored(first, late) == []
    assert set(stored(first, account)) == sent | more
    even_more = send(first, account, 3)
    assert set(stored(first, account)) == sent | more | even_more

    # its file of the report is not the one that was made since
    answer = first.get(reporting.media_path(again), account=account)
    assert answer.status == 503 and "Retry-After" in answer.headers, str(answer)
    answer = first.get(reporting.media_path(wait_for_report(first, account, request_id)), account=account)
    assert answer.status == 200, str(answer)


def test_what_is_delivered_after_a_takeover_is_the_file_that_was_made_last(front_end, receivers):
    """The one that has begun the first report and is back has but a part of its file, and nothing of the second one's."""
    receiver = receivers(statuses=[503] * 10000)
    options = {"callback_allow": LOCAL, "report_file_keep": "1h", **FAST}
    first = begin(front_end(**options, report_pause="2s"))
    first.add_producer()
    account = first.new_account()
    add(first, account, name="archive", type="put", url=receiver.url(path="/in/"))
    for seed in range(3):
        send(first, account, seed, 2000)
    ids = [reporting.create(first, account, destination="archive", **RANGE)["request_id"]]
    harness.wait_for(lambda: reporting.status(first, account, ids[0])["items_count"] > 0, PATIENCE)
    second = begin_waiting(front_end(**options))
    first.kill9()
    harness.wait_for(second.answers, PATIENCE)
    wait_until_ready(second)
    ids.append(reporting.create(second, account, destination="archive", **RANGE)["request_id"])
    ended = [wait_for_report(second, account, request_id) for request_id in ids]
    files = [second.get(reporting.media_path(one), account=account).body for one in ended]
    second.kill9()
    first.options["report_pause"] = "0s"
    begin(first)
    receiver.requests.clear()
    receiver.statuses.clear()
    for request_id, file in zip(ids, files):
        harness.wait_for(lambda: reporting.status(first, account, request_id).get("delivery", {}).get("state") == "delivered", PATIENCE)
        sent = [body for path, _, body in receiver.requests if request_id in path]
        assert set(sent) == {file}, [len(body) for body in sent]


def test_front_end_that_was_stopped_ends_when_another_has_taken_its_place(front_end):
    first = begin(front_end())
    first.add_producer()
    account = first.new_account()
    sent = send(first, account, 1)
    second = begin_waiting(front_end())
    first.process.send_signal(signal.SIGSTOP)
    harness.wait_for(second.answers, PATIENCE)
    wait_until_ready(second)
    sent |= send(second, account, 2)
    first.process.send_signal(signal.SIGCONT)
    assert first.process.wait(PATIENCE) == 1
    first.process = None
    assert "another front end holds the catalog" in first.log()
    assert set(stored(second, account)) == sent


@pytest.mark.parametrize("away, back", [("crash", "start"), pytest.param("stop", "resume", marks=pytest.mark.slow)])
def test_without_postgresql_reads_go_on_and_changes_are_refused(front_end, server, away, back):
    daemon = begin(front_end(postgresql_lease="60s"))
    daemon.add_producer()
    account = daemon.new_account()
    sent = send(daemon, account, 1)
    getattr(server, away)()
    harness.wait_for(lambda: not daemon.is_ready(), PATIENCE)
    reasons = " ".join(daemon.request("GET", "/readyz").json()["reasons"])
    assert "the catalog cannot be changed: PostgreSQL" in reasons, reasons

    began = time.monotonic()
    for _ in range(5):
        assert set(stored(daemon, account)) == sent
    answer = reporting.post(daemon, account, {"account_id": account.id, **RANGE})
    assert answer.status == 503 and "Retry-After" in answer.headers, str(answer)
    assert time.monotonic() - began < 30
    with pytest.raises(harness.CtlError, match="PostgreSQL"):
        daemon.new_account()
    sent |= send(daemon, account, 2)  # records need no catalog

    getattr(server, back)()
    wait_until_ready(daemon)
    new = daemon.new_account()
    sent |= send(daemon, account, 3)
    assert set(stored(daemon, account)) == sent and stored(daemon, new) == []
    wait_for_report(daemon, account, ask_for_report(daemon, account))


@pytest.mark.parametrize("name", KEYS)
def test_front_end_with_other_keys_is_refused(front_end, name):
    first = begin(front_end())
    first.stop()
    other = front_end()
    os.remove(os.path.join(other.data_dir, name))
    ended = subprocess.run(other.command(), capture_output=True, text=True, timeout=PATIENCE)
    assert ended.returncode == 1 and f"{name} is not the key of the catalog's other front ends" in ended.stderr, ended.stderr


def test_start_waits_for_postgresql(front_end, server):
    daemon = front_end()
    server.crash()
    begin_waiting(daemon)
    server.start()
    harness.wait_for(daemon.answers, PATIENCE)
    wait_until_ready(daemon)


def test_start_that_waits_can_be_ended(front_end, server):
    daemon = front_end()
    server.crash()
    begin_waiting(daemon)
    daemon.process.terminate()
    assert daemon.process.wait(PATIENCE) == 0
    daemon.process = None
    server.start()
