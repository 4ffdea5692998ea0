# SPDX-License-Identifier: ISC
"""Front ends of one catalog in PostgreSQL and one ClickHouse cluster, for tests: fixtures, and what their tests do with them."""
import itertools
import os
import shutil
import subprocess
import time

import pytest

import cluster as clusters
import harness
import postgresql as servers
import reporting

REASON = clusters.REASON or servers.REASON
START, END = "2026-11-23T00:00:00Z", "2026-11-24T00:00:00Z"
KEYS = ("cursor.key", "destination.key", "erased.key")
numbers = itertools.count(1)
PATIENCE = 120  # seconds: for what takes one where nothing else runs


cluster = clusters.fixture()


@pytest.fixture
def server():
    made = servers.PostgreSQL()
    yield made
    made.remove()


@pytest.fixture
def front_end(daemons, cluster, server):
    """Makes front ends of one catalog and one database."""
    database = f"test_{next(numbers)}"
    made = []

    def make(**options):
        daemon = daemons(start=False, store="clickhouse", clickhouse_database=database, catalog="postgresql", postgresql=server.connection,
                         **{"clickhouse": cluster.hosts, "postgresql_lease": "3s", "postgresql_timeout": "1s",
                            "clickhouse_quorum": cluster.replicas, **options})
        if made:
            copy_keys(made[0], daemon)
        else:
            subprocess.run(daemon.command("-m"), check=True, capture_output=True)
        made.append(daemon)
        return daemon

    yield make
    server.resume()
    for daemon in made:
        if daemon.process and daemon.process.poll() is None:
            daemon.process.kill()
            daemon.process.wait()
        daemon.process = None


def copy_keys(one, other):
    """What front ends seal and hash with must be the same."""
    os.makedirs(other.data_dir, exist_ok=True)
    for name in KEYS:
        shutil.copy(os.path.join(one.data_dir, name), other.data_dir)


def wait_until_ready(daemon):
    daemon.await_ready(PATIENCE)
    return daemon


def begin(daemon):
    daemon.start()
    harness.wait_for(lambda: all(os.path.exists(os.path.join(daemon.data_dir, name)) for name in KEYS))
    return wait_until_ready(daemon)


def begin_waiting(daemon):
    """Starts it, where it does not serve yet."""
    with open(daemon.log_path, "ab") as log:
        daemon.process = subprocess.Popen(daemon.command(), stderr=log, stdin=subprocess.DEVNULL)
    harness.wait_for(lambda: "waits:" in daemon.log(), PATIENCE)
    return daemon


def post_as_asked(daemon, body, **how):
    """The answer to a body, sent again if so asked, as for records of an account that was just added through another front end."""
    answer = daemon.post_body(body, **how)
    if answer.status == 503 and "Retry-After" in answer.headers:
        time.sleep(int(answer.headers["Retry-After"]))
        answer = daemon.post_body(body, **how)
    return answer


def post(daemon, body):
    """The counts of what was stored of a body."""
    answer = post_as_asked(daemon, body)
    assert answer.status == 200, f"{answer}\n{daemon.log()[-2000:]}"
    return answer.json()


def send(daemon, account, seed, count=200):
    records = harness.generate("SMS", account, count, START, END, "--direction", "outbound", "--seed", str(seed))
    counts = post(daemon, harness.encode(records, "ndjson"))
    assert counts["rejected"] == 0, counts
    return {record["message_id"] for record in records}


def stored(daemon, account):
    pages = daemon.pages(account, product="SMS", direction="outbound", date_start=START, date_end=END)
    return [record["message_id"] for page in pages for record in page["records"]]


RANGE = {"product": "SMS", "direction": "outbound", "date_start": START, "date_end": END}


def ask_for_report(daemon, account):
    return reporting.create(daemon, account, **RANGE)["request_id"]


def wait_for_report(daemon, account, request_id):
    ended = reporting.wait(daemon, account, request_id, seconds=PATIENCE)
    assert ended["request_status"] == "SUCCESS", ended
    return ended
