# SPDX-License-Identifier: ISC
"""cdrctl erase with records in a cluster of two replicas: it can be finished after the daemon or a replica was killed, and
loses no record, whatever comes meanwhile."""
import subprocess
import threading
import time

import pytest

import cluster as clusters
import harness
from samples import DAY, NOON, SECOND, YESTERDAY, many_sms, sms, whole_day

pytestmark = pytest.mark.skipif(clusters.REASON is not None, reason=str(clusters.REASON))

PERSON = "447700900999"
MESSAGE = "You have won nothing, sincerely"
DAYS = 3


@pytest.fixture(scope="module")
def servers():
    made = clusters.Cluster(shards=1, replicas=2).start()
    yield made
    made.remove()


@pytest.fixture
def daemon(daemons, servers, request):
    database = request.node.name[:60]
    servers.make_database(database)
    made = daemons(store="clickhouse", clickhouse=servers.hosts, clickhouse_database=database, clickhouse_quorum=2,
                   clickhouse_timeout="6s", usage_records="no", page_max="1000")
    await_ready(made)
    return made


def await_ready(daemon):
    harness.wait_for(lambda: daemon.request("GET", "/readyz").status == 200, 60)


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


def finish(daemon, servers, account):
    receipt = daemon.ctl("erase", "--account", account.id, "--number", PERSON)
    assert receipt["nothing_left"], receipt
    found = all_records(daemon, account)
    assert len(found) == len({record["message_id"] for record in found}) == DAYS * 700
    assert [record["to"] for record in found].count("erased") == DAYS * 300
    assert all(record["message_body"] == "" for record in found if record["to"] == "erased")
    harness.wait_for(lambda: versions_with(servers, daemon, PERSON) == [0, 0] == versions_with(servers, daemon, MESSAGE), 60)


def test_after_crashes_it_can_be_finished(daemon, servers):
    account = daemon.new_account()
    fill(daemon, account)
    for delay in (0.01, 0.05, 0.1, 0.3, 0.6):
        process = begin(daemon, account)
        time.sleep(delay)
        daemon.kill9()
        process.wait()
        daemon.start()
        await_ready(daemon)
        for record in all_records(daemon, account):  # whatever is erased is erased whole
            assert (record["to"] == PERSON) == (record["message_body"] == MESSAGE)
    finish(daemon, servers, account)


def test_a_replica_that_dies_meanwhile_erases_when_it_is_back(daemon, servers):
    account = daemon.new_account()
    fill(daemon, account)
    process = begin(daemon, account)
    time.sleep(0.1)
    servers.server(1, 2).kill9()
    time.sleep(1)
    servers.server(1, 2).start()
    servers.server(1, 2).wait()
    await_ready(daemon)
    process.wait()
    finish(daemon, servers, account)


def test_records_that_come_meanwhile_lose_it_and_nothing_else(daemon, servers):
    account = daemon.new_account()
    fill(daemon, account)
    ends = threading.Event()
    sent = []

    def send():
        while not ends.is_set():
            records = [of_person(account, NOON + i * SECOND, id=f"m{len(sent):06d}-{i}") for i in range(20)]
            daemon.post_cdrs(records)
            sent.extend(records)

    sender = threading.Thread(target=send)
    sender.start()
    try:
        harness.wait_for(lambda: len(sent) > 100, 60)
        receipt = daemon.ctl("erase", "--account", account.id, "--number", PERSON)
        assert receipt["nothing_left"], receipt
    finally:
        ends.set()
        sender.join()
    found = all_records(daemon, account)
    assert len(found) == len({record["message_id"] for record in found}) == DAYS * 700 + len(sent)
    assert [record["to"] for record in found].count("erased") == DAYS * 300 + len(sent)
    harness.wait_for(lambda: versions_with(servers, daemon, PERSON) == [0, 0], 60)
