# SPDX-License-Identifier: ISC
"""cdrctl erase with records in a cluster of two replicas: it can be finished after the daemon or a replica was killed, and
loses no record, whatever comes meanwhile."""
import datetime
import subprocess
import threading
import time

import pytest

import cluster as clusters
import harness
from front_ends import PATIENCE
from samples import DAY, HOUR, NOON, SECOND, UTC, YESTERDAY, iso, many_sms, sms, whole_day
from test_erased import check_that_a_report_brings_nothing_back, mappings_of_ones_own

pytestmark = pytest.mark.skipif(clusters.REASON is not None, reason=str(clusters.REASON))

PERSON = "447700900999"
MESSAGE = "You have won nothing, sincerely"
DAYS = 3


servers = clusters.fixture(shards=1, replicas=2)


@pytest.fixture
def daemon(daemons, servers, request, tmp_path):
    database = request.node.name[:60]
    servers.make_database(database)
    made = daemons(store="clickhouse", clickhouse=servers.hosts, clickhouse_database=database, clickhouse_quorum=servers.replicas,
                   clickhouse_timeout="6s", usage_records="no", page_max="1000",
                   mappings_dir=mappings_of_ones_own(tmp_path))
    made.await_ready(PATIENCE)
    yield made
    made.stop()


def of_person(account, time=NOON, **changes):
    return sms(account, time, **{"to": PERSON, "message_body": MESSAGE, **changes})


def all_records(daemon, account):
    return [record for day in range(DAYS) for page in daemon.pages(account, product="SMS", direction="outbound", include_message="true",
                                                                   **whole_day(YESTERDAY - day * DAY)) for record in page["records"]]


def versions_with(servers, daemon, text):
    database = daemon.options["clickhouse_database"]
    return [int(server.query(f"SELECT count() FROM {database}.sms WHERE position(concat(line, rest, body, f_to), '{text}') > 0"))
            for server in servers.servers.values()]


def fill(daemon, account):
    for day in range(DAYS):
        daemon.post_cdrs(many_sms(account, 400, YESTERDAY - day * DAY) +
                         [of_person(account, NOON - day * DAY + i * SECOND) for i in range(300)])


def begin(daemon, account):
    return subprocess.Popen([harness.program("cdrctl"), "-s", daemon.socket, "erase", "--account", account.id, "--number", PERSON],
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def erase_again(daemon, account):
    """Until it has not failed: a replica that has just come back may not take part in a quorum yet."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return daemon.ctl("erase", "--account", account.id, "--number", PERSON)
        except harness.CtlError as failure:
            assert "erased in part, erase it again" in str(failure) and time.monotonic() < deadline


def finish(daemon, servers, account):
    receipt = erase_again(daemon, account)
    assert receipt["nothing_left"], receipt
    found = all_records(daemon, account)
    assert len(found) == len({record["message_id"] for record in found}) == DAYS * 700
    assert [record["to"] for record in found].count("erased") == DAYS * 300
    assert all(record["message_body"] == "" for record in found if record["to"] == "erased")
    harness.wait_for(lambda: versions_with(servers, daemon, PERSON) == [0] * servers.replicas == versions_with(servers, daemon, MESSAGE), PATIENCE)


def test_a_report_that_comes_later_brings_nothing_back(daemon):
    check_that_a_report_brings_nothing_back(daemon, daemon.new_account())


def test_after_crashes_it_can_be_finished(daemon, servers):
    account = daemon.new_account()
    fill(daemon, account)
    for delay in (0.01, 0.05, 0.1, 0.3, 0.6):
        process = begin(daemon, account)
        time.sleep(delay)
        daemon.kill9()
        process.wait()
        daemon.start()
        daemon.await_ready(PATIENCE)
        for record in all_records(daemon, account):  # whatever is erased is erased whole
            assert (record["to"] == PERSON) == (record["message_body"] == MESSAGE)
    finish(daemon, servers, account)


def test_a_replica_that_dies_meanwhile_erases_when_it_is_back(daemon, servers):
    account = daemon.new_account()
    fill(daemon, account)
    process = begin(daemon, account)
    time.sleep(0.1)
    servers.server(1, 2).kill9()
    assert process.poll() is None  # it is under way
    time.sleep(1)
    servers.server(1, 2).start()
    servers.server(1, 2).wait()
    daemon.await_ready(PATIENCE)
    assert process.wait(60) in (0, 1)  # it goes on, or says that it has not
    finish(daemon, servers, account)


class Sender(threading.Thread):
    """Sends the bodies that `make` gives, one after the other, until it ends; `sent` are the records that were taken in."""

    def __init__(self, daemon, make):
        super().__init__()
        self.daemon, self.make, self.sent, self.ends, self.failure = daemon, make, [], threading.Event(), None

    def run(self):
        try:
            while not self.ends.is_set():
                records = self.make(len(self.sent))
                self.daemon.post_cdrs(records)
                self.sent.extend(records)
        except Exception as failure:
            self.failure = failure

    def end(self):
        self.ends.set()
        self.join()
        assert self.failure is None, self.failure


def test_records_that_come_meanwhile_lose_it_and_nothing_else(daemon, servers):
    account = daemon.new_account()
    fill(daemon, account)
    sender = Sender(daemon, lambda at: [of_person(account, NOON + i * SECOND, id=f"m{at:06d}-{i}") for i in range(20)])
    sender.start()
    try:
        harness.wait_for(lambda: len(sender.sent) > 100, PATIENCE)
        receipt = daemon.ctl("erase", "--account", account.id, "--number", PERSON)
        assert receipt["nothing_left"], receipt
    finally:
        sender.end()
    found = all_records(daemon, account)
    assert len(found) == len({record["message_id"] for record in found}) == DAYS * 700 + len(sender.sent)
    assert [record["to"] for record in found].count("erased") == DAYS * 300 + len(sender.sent)
    harness.wait_for(lambda: versions_with(servers, daemon, PERSON) == [0] * servers.replicas, PATIENCE)


def test_no_record_that_is_on_its_way_is_lost(daemon):
    """Those of a time after the erasure are stored with the number: what a search cannot have seen must stay."""
    account = daemon.new_account()
    fill(daemon, account)
    start = datetime.datetime.now(UTC).replace(microsecond=0) + HOUR / 2
    senders = [Sender(daemon, lambda at: [of_person(account, start + i * SECOND) for i in range(5)]) for _ in range(4)]
    for sender in senders:
        sender.start()
    try:
        harness.wait_for(lambda: all(sender.sent for sender in senders), PATIENCE)
        daemon.ctl("erase", "--account", account.id, "--number", PERSON)
    finally:
        for sender in senders:
            sender.end()
    sent = [record["id"] for sender in senders for record in sender.sent]
    found = [record for page in daemon.pages(account, product="SMS", direction="outbound", date_start=iso(start - HOUR),
                                             date_end=iso(start + HOUR)) for record in page["records"]]
    assert sorted(record["message_id"] for record in found) == sorted(sent)


def test_a_place_that_a_record_has_left_stays_left(daemon, servers):
    """At any moment while servers delete, part by part, and for who reads on as of before."""
    account, database = daemon.new_account(), daemon.options["clickhouse_database"]
    early, late = YESTERDAY - HOUR, YESTERDAY + HOUR
    moving = [of_person(account, early + i * SECOND) for i in range(300)]
    for at in range(4):
        daemon.post_cdrs(many_sms(account, 5000, early - 20 * HOUR + at * HOUR) + (moving if at == 0 else []))
    daemon.post_cdrs([{**record, "date_received": iso(late + i * SECOND)} for i, record in enumerate(moving)])  # a small part
    live = f"SELECT count() FROM {database}.sms FINAL WHERE dead = 0"
    assert [server.query(live) for server in servers.servers.values()] == ["20300\n"] * servers.replicas
    pages = daemon.pages(account, product="SMS", direction="outbound", date_start=iso(early - 20 * HOUR), date_end=iso(late + HOUR))
    found, counts, ends = next(pages)["records"], [], threading.Event()

    def count(server):
        while not ends.is_set():
            counts.append(int(server.query(live)))

    counters = [threading.Thread(target=count, args=(server,)) for server in servers.servers.values()]
    for counter in counters:
        counter.start()
    try:
        receipt = daemon.ctl("erase", "--account", account.id, "--number", PERSON)
        assert receipt["nothing_left"] and receipt["records"] == 300, receipt
        harness.wait_for(lambda: versions_with(servers, daemon, PERSON) == [0] * servers.replicas == versions_with(servers, daemon, MESSAGE), PATIENCE)
    finally:
        ends.set()
        for counter in counters:
            counter.join()
    assert set(counts) == {20300}
    found += [record for page in pages for record in page["records"]]
    assert len(found) == len({record["message_id"] for record in found}) == 20300


def test_a_server_that_refuses_is_told_of_without_the_number(daemon, servers):
    account, database = daemon.new_account(), daemon.options["clickhouse_database"]
    fill(daemon, account)
    for change in ("DROP COLUMN f_forced_from", "ADD COLUMN f_forced_from UUID"):
        servers.server(1, 1).query(f"ALTER TABLE {database}.sms {change}")
    with pytest.raises(harness.CtlError) as failure:
        daemon.ctl("erase", "--account", account.id, "--number", PERSON)
    assert "erased" in failure.value.stderr and PERSON not in failure.value.stderr, failure.value.stderr


def rows_of(server, daemon):
    return int(server.query(f"SELECT count() FROM {daemon.options['clickhouse_database']}.sms"))


def test_an_account_is_gone_when_no_replica_has_records_of_it(daemon, servers):
    """Until then its id is not free: a replica that was missing would show its records to whoever has that id next."""
    daemon.options.update(account_grace="0", clickhouse_quorum=1, clickhouse_timeout="60s")
    daemon.restart()
    daemon.await_ready(PATIENCE)
    account, other = daemon.new_account(), daemon.new_account()
    daemon.post_cdrs(many_sms(account, 400) + many_sms(other, 50))
    both = [servers.server(1, number) for number in (1, 2)]
    for server in both:
        harness.wait_for(lambda: rows_of(server, daemon) == 450, PATIENCE)
    both[1].stop()
    harness.wait_for(lambda: "is missing" in daemon.log(), PATIENCE)
    daemon.ctl("account", "delete", account.id)
    harness.wait_for(lambda: rows_of(both[0], daemon) == 50, PATIENCE)
    time.sleep(3)  # it has been looked at since
    shown = daemon.ctl_run("account", "show", account.id)
    both[1].resume()
    assert shown.returncode == 0 and b"deleted" in shown.stdout, shown
    harness.wait_for(lambda: daemon.ctl_run("account", "show", account.id).returncode != 0, 120)
    assert [rows_of(server, daemon) for server in both] == [50, 50]
    assert len(all_records(daemon, other)) == 50


def test_accounts_that_wait_for_a_replica_are_seldom_tried(daemon, servers):
    daemon.options.update(account_grace="0", clickhouse_quorum=1)
    daemon.restart()
    daemon.await_ready(PATIENCE)
    accounts = [daemon.new_account() for _ in range(3)]
    for account in accounts:
        daemon.post_cdrs(many_sms(account, 50))
    both = [servers.server(1, number) for number in (1, 2)]
    for server in both:
        harness.wait_for(lambda: rows_of(server, daemon) == 150, 60)
    both[1].kill9()
    try:
        for account in accounts:
            daemon.ctl("account", "delete", account.id)
        harness.wait_for(lambda: all(f"account {account.id}: waits" in daemon.log() for account in accounts), 60)
        before = daemon.log().count(": waits, its records removed")
        time.sleep(8)
        assert daemon.log().count(": waits, its records removed") <= before + len(accounts)  # those deleted while it looked
    finally:
        both[1].start()
        both[1].wait()
    harness.wait_for(lambda: all(daemon.ctl_run("account", "show", account.id).returncode != 0 for account in accounts), 150)
    assert [rows_of(server, daemon) for server in both] == [0, 0]
