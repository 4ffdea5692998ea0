# SPDX-License-Identifier: ISC
"""Front ends that do not hold the catalog take records in themselves: what either has acknowledged is there exactly once, at once,
and in the feed once, whatever fails meanwhile."""
import concurrent.futures
import contextlib
import http.client
import signal
import subprocess
import time
import urllib.parse

import pytest

import harness
from front_ends import END, PATIENCE, RANGE, REASON, START, cluster, front_end, post, post_as_asked, send, server, stored
from test_changes import Loader, begin_waiting, end_waiting
from test_front_ends import begin_forwarding, holds, pair, reached, readiness, run_through

pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))
assert cluster and server and front_end and reached and pair  # fixtures


def takes_in(daemon):
    return readiness(daemon).get("takes_in", False)


@pytest.fixture
def both(pair):
    """One that holds the catalog, and one that forwards and takes records in."""
    holder, other = pair
    harness.wait_for(lambda: takes_in(other), PATIENCE)
    return holder, other


def accepted_by(daemon):
    return daemon.ctl("status")["ingest"]["accepted"]


def body_of(account, seed, count=200):
    return harness.encode(harness.generate("SMS", account, count, START, END, "--direction", "outbound", "--seed", str(seed)), "ndjson")


def test_records_of_an_account_that_was_just_added_are_taken_in(both):
    holder, other = both
    for seed in range(10):
        account = holder.new_account()
        answer = other.post_body(body_of(account, seed, 5))
        # not known here yet: to be sent again
        assert answer.status == 503 and answer.headers["Retry-After"] or answer.status == 200 and answer.json()["accepted"] == 5, str(answer)
        send(other, account, seed, 5)
        assert len(stored(holder, account)) == 5
    assert holder.ctl("quarantine", "list") == []


def test_records_are_taken_in_where_they_come(both):
    holder, other = both
    account = holder.new_account()
    before = accepted_by(holder)
    sent = set()
    for seed in range(1, 6):
        sent |= send(other, account, seed)
        # what was acknowledged is in the next page, through either
        assert set(stored(holder, account)) == set(stored(other, account)) == sent
    assert accepted_by(holder) == before
    for daemon in both:
        assert daemon.post_body(body_of(account, 1)).json()["duplicates"] == 200
    sent |= send(holder, account, 6)
    assert set(stored(other, account)) == sent


def test_id_that_is_sent_through_both_at_once_is_one_record_and_a_duplicate(both):
    holder, other = both
    account = holder.new_account()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for seed in range(1, 9):
            body = body_of(account, seed, 300)
            answers = list(pool.map(lambda daemon: post(daemon, body), [holder, other] * 4))
            assert sum(answer["accepted"] for answer in answers) == 300, answers
            assert sum(answer["duplicates"] for answer in answers) == 7 * 300, answers
    found = stored(holder, account)
    assert len(found) == len(set(found)) == 8 * 300


def test_record_that_changes_through_either_is_one_record(both):
    holder, other = both
    account = holder.new_account()
    record = harness.generate("SMS", account, 1, START, END, "--direction", "outbound")[0]
    loader = Loader(other, account).catch_up()
    for turn in range(10):
        changed = {**record, "status": "delivered" if turn % 2 else "failed", "date_received": f"2026-11-23T1{turn}:00:00.000Z"}
        answer = post(both[turn % 2], harness.encode([changed], "ndjson"))
        assert answer["accepted"] + answer["updated"] == 1, answer
        assert len(stored(both[turn // 2 % 2], account)) == 1
        loader.catch_up()
    assert loader.given == 10 and list(loader.copy) == [record["id"] if "id" in record else record["message_id"]]


def test_credentials_are_those_of_the_catalog(both):
    holder, other = both
    account = holder.new_account()
    body = body_of(account, 1, 5)
    assert other.post_body(body, auth=("late", "secret-of-late-1")).status == 401
    holder.ctl("producer", "add", "late", "--secret", "secret-of-late-1")
    assert other.post_body(body, auth=("late", "secret-of-late-1")).status == 200  # at once: what is not known here is asked there
    holder.ctl("producer", "revoke", "late")
    harness.wait_for(lambda: other.post_body(body, auth=("late", "secret-of-late-1")).status == 401, 20)
    new = holder.new_account()
    time.sleep(1)
    assert post(other, body_of(new, 2, 5))["accepted"] == 5


def test_body_of_who_was_revoked_ends(both):
    holder, other = both
    holder.ctl("producer", "add", "late", "--secret", "secret-of-late-1")
    harness.wait_for(lambda: takes_in(other), PATIENCE)
    time.sleep(1)
    connection = http.client.HTTPConnection("127.0.0.1", other.port, timeout=60)
    with contextlib.closing(connection):
        connection.putrequest("POST", "/v1/cdrs")
        for name, value in {"Content-Type": harness.CONTENT_TYPES["ndjson"], "Content-Length": "1000000",
                            "Authorization": harness.basic("late", "secret-of-late-1")}.items():
            connection.putheader(name, value)
        connection.endheaders(b"{}\n")
        holder.ctl("producer", "revoke", "late")
        assert connection.getresponse().status == 401


def test_rejected_records_are_in_quarantine(both):
    holder, other = both
    account = holder.new_account()
    records = harness.generate("SMS", account, 20, START, END, "--direction", "outbound")
    for record in records[:7]:
        record["date_received"] = "never"
    before = len(holder.ctl("quarantine", "list"))
    answer = post(other, harness.encode(records, "ndjson"))
    assert (answer["accepted"], answer["rejected"]) == (13, 7), answer
    harness.wait_for(lambda: len(holder.ctl("quarantine", "list")) == before + 7, PATIENCE)
    assert len(stored(holder, account)) == 13
    # and the holder goes on with the catalog
    holder.new_account()


def test_front_end_goes_on_after_a_number_was_erased(both):
    holder, other = both
    account = holder.new_account()
    sent = send(other, account, 1)
    records = harness.generate("SMS", account, 20, START, END, "--direction", "outbound", "--seed", "2")
    for record in records:
        record["date_received"] = "never"
    for number in ("447700900998", "447700900999"):
        holder.ctl("erase", "--account", account.id, "--number", number, "--lasting")
        # rejected alone: they were checked with the catalog as it is
        answer = post(other, harness.encode(records, "ndjson"))
        assert answer["rejected"] == 20, answer
        record = {**harness.generate("SMS", account, 1, START, END, "--direction", "outbound", "--seed", number)[0], "to": number}
        post(other, harness.encode([record], "ndjson"))
        sent.add(record["message_id"])
    pages = holder.pages(account, product="SMS", direction="outbound", date_start=START, date_end=END)
    found = {record["message_id"]: record["to"] for page in pages for record in page["records"]}
    assert set(found) == sent and not [to for to in found.values() if to.startswith("44770090099")]


def test_wrong_credentials_of_one_address_do_not_turn_it_off_for_others(both):
    holder, other = both
    account = holder.new_account()
    before = accepted_by(holder)
    with concurrent.futures.ThreadPoolExecutor(30) as pool:
        wrong = [pool.submit(other.post_body, b"{}\n", auth=("nobody", "wrong")) for _ in range(30)]
        # addresses may share a place
        for seed, address in enumerate(["127.0.0.2", "127.0.0.3", "127.0.0.4"], 1):
            answer = post_as_asked(other, body_of(account, seed, 5), source=address)
            assert answer.status == 200, str(answer)
        assert {job.result().status for job in wrong} <= {401, 429}
    assert accepted_by(holder) < before + 15


def test_feed_has_each_change_once_while_both_take_in(both):
    holder, other = both
    account = holder.new_account()
    loaders = [Loader(daemon, account) for daemon in both]

    def put(daemon, first):
        return set().union(*(send(daemon, account, seed, 50) for seed in range(first, first + 15)))

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(put, daemon, 100 * number) for number, daemon in enumerate([holder, other, holder, other], 1)]
        while not all(job.done() for job in jobs):
            for loader in loaders:
                loader.page()
        sent = set().union(*(job.result() for job in jobs))
    for loader in loaders:
        loader.catch_up()
        assert loader.given == len(sent) == 3000
    assert set(stored(holder, account)) == sent


def test_waiting_reader_hears_of_what_another_front_end_takes_in(both):
    holder, other = both
    account = holder.new_account()
    send(holder, account, 1)
    token = Loader(holder, account).catch_up().token
    connection = begin_waiting(holder, account, since=token)
    begun = time.monotonic()
    send(other, account, 2, 10)
    assert end_waiting(connection)["items_count"] == 10
    assert time.monotonic() - begun < 20


def check_feed(daemon, account, acknowledged):
    """It has all that was acknowledged, each once."""
    loader = Loader(daemon, account).catch_up()
    assert acknowledged <= {record["message_id"] for record in loader.copy.values()}
    assert loader.given == len(loader.copy)


def fail_and_check(front_ends, account, fail):
    producers = run_through(front_ends, account, fail)
    assert not any(producer.wrong for producer in producers), [producer.wrong for producer in producers]
    acknowledged = set().union(*(producer.sent for producer in producers))
    assert acknowledged
    check_feed(front_ends[0], account, acknowledged)


def test_front_end_that_takes_in_is_killed_and_stopped(both):
    holder, other = both
    account = holder.new_account()

    def fail(_):
        time.sleep(1)
        other.kill9()
        begin_forwarding(other)
        harness.wait_for(lambda: takes_in(other), PATIENCE)
        other.process.send_signal(signal.SIGSTOP)
        time.sleep(4)
        other.process.send_signal(signal.SIGCONT)
        harness.wait_for(lambda: takes_in(other), PATIENCE)

    fail_and_check([holder, other], account, fail)


def test_holder_is_killed_and_stopped(both):
    holder, other = both
    account = holder.new_account()

    def fail(_):
        time.sleep(1)
        holder.kill9()
        harness.wait_for(lambda: holds(other), PATIENCE)
        begin_forwarding(holder)
        harness.wait_for(lambda: takes_in(holder), PATIENCE)
        other.process.send_signal(signal.SIGSTOP)
        harness.wait_for(lambda: holds(holder), PATIENCE)
        other.process.send_signal(signal.SIGCONT)
        assert other.process.wait(PATIENCE) == 1
        begin_forwarding(other)
        harness.wait_for(lambda: takes_in(other), PATIENCE)

    fail_and_check([holder, other], account, fail)


@pytest.mark.parametrize("restarts", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["alone", "while_postgresql_restarts"])
def test_holder_that_was_stopped_shows_nothing_that_lacks_what_another_took_in(both, server, restarts):
    holder, other = both
    account = holder.new_account()
    sent = send(holder, account, 1, 20)
    holder.process.send_signal(signal.SIGSTOP)
    harness.wait_for(lambda: holds(other), PATIENCE)
    sent |= send(other, account, 2, 20)
    if restarts:
        server.crash()
        server.start()
    with contextlib.ExitStack() as stack:
        asked = [stack.enter_context(contextlib.closing(http.client.HTTPConnection("127.0.0.1", holder.port, timeout=PATIENCE))) for _ in range(8)]
        query = urllib.parse.urlencode({**RANGE, "account_id": account.id})
        for connection in asked:
            connection.request("GET", f"/v2/reports/records?{query}", headers={"Authorization": harness.basic(account.id, account.secret)})
        operators = [subprocess.Popen([harness.program("cdrctl"), "-s", holder.socket, "--json", "account", "list"], stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE) for _ in range(4)]
        time.sleep(0.5)  # they have connected
        holder.process.send_signal(signal.SIGCONT)
        for operator in operators:
            out, problem = operator.communicate(timeout=PATIENCE)
            assert operator.returncode != 0 and not out, (out, problem)
        for connection in asked:
            with contextlib.suppress(OSError, http.client.HTTPException):  # as it ends
                answer = connection.getresponse()
                text = answer.read()
                assert answer.status == 503 and answer.getheader("Retry-After"), (answer.status, text[:1000])
    assert holder.process.wait(PATIENCE) == 1
    begin_forwarding(holder)
    assert set(stored(holder, account)) == sent


def test_postgresql_goes_and_comes_back(both, server):
    holder, other = both
    account = holder.new_account()

    def fail(_):
        time.sleep(1)
        server.stop()
        harness.wait_for(lambda: not takes_in(other), PATIENCE)
        server.resume()
        harness.wait_for(lambda: takes_in(other) and holder.is_ready(), PATIENCE)
        server.crash()
        harness.wait_for(lambda: not takes_in(other), PATIENCE)
        server.start()
        harness.wait_for(lambda: takes_in(other) and holder.is_ready(), PATIENCE)

    fail_and_check([holder, other], account, fail)


def test_numbers_are_for_front_ends_alone(both):
    holder, other = both
    for daemon in both:
        for path in ("/front-ends/numbers", "/front-ends/numbers/17"):
            answer = daemon.request("POST", path, b"x" * 24)
            assert answer.status == 404, str(answer)
