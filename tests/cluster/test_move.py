# SPDX-License-Identifier: ISC
"""A data directory is moved to a cluster while the daemon serves: what is read after it is what was read before."""
import random
import subprocess
import threading
import time
import urllib.parse

import pytest

import cluster as clusters
import harness
import reporting

pytestmark = pytest.mark.skipif(clusters.REASON is not None, reason=str(clusters.REASON))

START, END = "2026-11-20T00:00:00Z", "2026-11-24T00:00:00Z"
RANGE = {"date_start": START, "date_end": END}
PRODUCTS = ("SMS", "VOICE-CALL")
PATIENCE = 120

cluster = clusters.fixture(shards=2, replicas=2)


@pytest.fixture
def daemon(daemons, cluster, request):
    """Of records in LMDB, with a cluster to move them to."""
    database = "".join(c if c.isalnum() else "_" for c in request.node.name)[:60]
    made = daemons(start=False, clickhouse=cluster.hosts, clickhouse_database=database, clickhouse_quorum=cluster.replicas, clickhouse_timeout="6s",
                   sync_window_max="31d", summary_window_max="4000d", changes_page_max=300, seal_rows=500, account_grace="1s",
                   usage_delay="100ms")
    subprocess.run(made.command("-m"), check=True, capture_output=True)
    made.start()
    made.add_producer()
    return made


def generated(accounts, count, seed):
    """Of both products and all directions, each account's own, some with another time or status to come."""
    choose = random.Random(seed)
    records = []
    for number, account in enumerate(accounts):
        for product in PRODUCTS:
            made = harness.generate(product, account, count, START, END, "--seed", str(seed * 1000 + number))
            for record in made:
                record["total_price"] = choose.choice(("0.000000000001", "99999999.5", "-0.5", "12", "", "0.03330000"))
            records += made
    changed = []
    for record in choose.sample(records, len(records) // 4):
        record = dict(record, status=choose.choice(("failed", "delivered", "Answered")))
        time_column = "date_received" if record["product"] == "SMS" else "date_start"
        if choose.random() < 0.5 and time_column in record:
            record[time_column] = record[time_column][:11] + f"{choose.randrange(24):02d}:30:00Z"
        changed.append(record)
    return records, changed


def pages(daemon, account, **more):
    return [record for page in daemon.pages(account, **RANGE, **more) for record in page["records"]]


def feed(daemon, account, product, since="beginning"):
    """All changes since, and where they end."""
    query = {"account_id": account.id, "product": product, "since": since}
    records, more = [], True
    while more:
        answer = daemon.get("/v2/reports/changes", query, account)
        assert answer.status == 200, answer
        page = answer.json()
        records += page["records"]
        query["since"], more = page["next"], page["more"]
    return records, query["since"]


def everything(daemon, accounts):
    """All that can be asked."""
    found = {}
    for account in accounts:
        for direction in ("outbound", "inbound"):
            found[account.id, direction] = pages(daemon, account, product="SMS", direction=direction, include_message="true")
        found[account.id, "calls"] = pages(daemon, account, product="VOICE-CALL")
        for product in PRODUCTS:
            found[account.id, product, "feed"] = feed(daemon, account, product)[0]
            answer = daemon.get("/v2/reports/summary", {"account_id": account.id, "product": product, "group_by": "status,currency",
                                                        "interval": "day", **RANGE}, account)
            assert answer.status == 200, answer
            found[account.id, product, "summary"] = sorted(map(str, answer.json()["groups"]))
    return found


def refused_start(daemon):
    """What a daemon says that does not start."""
    run = subprocess.run(daemon.command(), capture_output=True, timeout=60)
    assert run.returncode != 0
    return run.stderr.decode()


def to_cluster(daemon):
    daemon.options["store"] = "clickhouse"
    daemon.restart()
    daemon.await_ready(PATIENCE)


def next_pages(daemon, account, page):
    """The records of the pages after one."""
    records = []
    while "next" in page["_links"]:
        target = urllib.parse.urlsplit(page["_links"]["next"]["href"])
        page = daemon.get(target.path, account=account, raw_query=target.query).json()
        records += page["records"]
    return records


def test_everything_is_the_same_after_a_move(daemon):
    """Records, bodies, sums, the feed of changes and where it and pages were: also of what came while it was copied."""
    accounts = [daemon.new_account() for _ in range(5)]
    records, changed = generated(accounts, 300, 1)
    daemon.post_cdrs(records)
    early, late = changed[:len(changed) // 2], changed[len(changed) // 2:]
    daemon.post_cdrs(early)
    daemon.ctl("seal")
    daemon.ctl("erase", "--account", accounts[0].id, "--number", records[0]["to"].lstrip("+"))
    gone = daemon.new_account()
    daemon.post_cdrs(harness.generate("SMS", gone, 50, START, END))
    since = feed(daemon, accounts[0], "SMS")[1]
    first = daemon.records(accounts[1], product="SMS", direction="outbound", limit=50, **RANGE)
    assert daemon.ctl("move")["state"] == "none"
    state = daemon.ctl("move", "--to", "clickhouse")
    assert state["state"] == "follows", state
    daemon.post_cdrs(late)
    daemon.ctl("account", "delete", gone.id)
    before, later = everything(daemon, accounts), feed(daemon, accounts[0], "SMS", since)[0]
    assert later
    done = daemon.ctl("move", "--finish")
    assert done["state"] == "done" and done["records_refused"], done
    refused = daemon.post_body(harness.encode(records[:1], "ndjson"))
    assert refused.status == 503 and "Retry-After" in refused.headers, refused
    assert "being moved to the cluster" in daemon.request("GET", "/readyz").json()["warnings"][0]
    assert everything(daemon, accounts) == before
    to_cluster(daemon)
    after = everything(daemon, accounts)
    for key, found in before.items():
        assert after[key] == found, key
    assert feed(daemon, accounts[0], "SMS", since)[0] == later
    paged = [record["message_id"] for record in first["records"] + next_pages(daemon, accounts[1], first)]
    assert sorted(paged) == sorted(record["message_id"] for record in before[accounts[1].id, "outbound"])
    counts = daemon.post_cdrs(records[:20])
    assert counts["accepted"] == 0, counts
    harness.wait_for(lambda: daemon.ctl_run("account", "show", gone.id).returncode != 0, PATIENCE)
    daemon.stop()
    daemon.options["store"] = "lmdb"
    assert "are in a ClickHouse cluster" in refused_start(daemon)


def catalog_of(daemon, accounts, started):
    """What the catalog has of accounts that are not records, and what was charged."""
    found = {account.id: (daemon.ctl("account", "show", account.id), daemon.ctl("key", "list", account.id),
                          daemon.get("/v2/reports/schedules", account=account).json()["schedules"],
                          daemon.ctl("usage", "--account", account.id)) for account in accounts}
    found["rejected"] = daemon.ctl("quarantine", "list")
    found["charges"] = [record["id"] for account in accounts for page in
                        daemon.pages(account, product="REPORTS-USAGE", date_start=started, date_end=in_a_minute())
                        for record in page["records"]]
    return found


def in_a_minute():
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 60))


def test_what_the_catalog_has_goes_on_after_a_move(daemon):
    """Accounts that come and go meanwhile, keys, schedules, what is rejected, and what was charged."""
    started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 60))
    parent, gone, back = (daemon.new_account() for _ in range(3))
    for account in (parent, gone, back):
        daemon.post_cdrs(harness.generate("SMS", account, 50, START, END, "--direction", "outbound"))
    daemon.ctl("move", "--to", "clickhouse")
    late = [daemon.new_account(parent) for _ in range(3)]  # of ids of all lengths, so with keys of both kinds
    records = [harness.generate("SMS", account, 20, START, END, "--direction", "outbound") for account in late]
    daemon.post_cdrs(sum(records, []))
    for account in (gone, back):
        daemon.ctl("account", "delete", account.id)
    daemon.ctl("account", "undelete", back.id)
    key = daemon.ctl("key", "add", late[0].id)["key"]
    wrong = dict(records[0][0], id="wrong", message_id="wrong", total_price="a lot")
    assert daemon.post_cdrs([wrong])["rejected"] == 1
    scheduled = reporting.post(daemon, late[1], {"account_id": late[1].id, "product": "SMS", "direction": "outbound", "cron": "0 6 1 * *",
                                                 "range": "last_month"}, path="/v2/reports/schedules")
    assert scheduled.status == 201, scheduled
    accounts = [parent, back, *late]
    assert [len(pages(daemon, account, product="SMS", direction="outbound")) for account in accounts] == [50, 50, 20, 20, 20]
    before = None
    while before != (before := catalog_of(daemon, accounts, started)):
        time.sleep(1)  # what is charged is there after usage_delay
    assert daemon.ctl("move", "--finish")["state"] == "done"
    [number] = [str(entry["number"]) for entry in before["rejected"]]
    with pytest.raises(harness.CtlError, match="being moved to a cluster"):
        daemon.ctl("quarantine", "replay", number, "--set", "total_price=1")
    to_cluster(daemon)
    after = catalog_of(daemon, accounts, started)
    for name, found in before.items():
        assert after[name] == found, name
    assert daemon.ctl("quarantine", "replay", number, "--set", "total_price=1")["accepted"] == 1
    answer = daemon.get("/v2/reports/records", {"account_id": late[0].id, "product": "SMS", "direction": "outbound", **RANGE},
                        harness.Account(late[0].id, key))
    assert answer.status == 200 and len(answer.json()["records"]) == 21, answer
    harness.wait_for(lambda: daemon.ctl_run("account", "show", gone.id).returncode != 0, PATIENCE)
    added = [daemon.new_account() for _ in range(3)]
    daemon.ctl("account", "add", gone.id, "--secret", gone.secret)
    for account in (gone, *added):  # nobody has another one's records
        assert pages(daemon, account, product="SMS", direction="outbound") == []
    daemon.post_cdrs([dict(record, account_id=account.id) for record in records[1][:5] for account in added])
    assert [len(pages(daemon, account, product="SMS", direction="outbound")) for account in (*accounts, *added)] == [50, 50, 21, 20, 20, 5, 5, 5]


class Sender(threading.Thread):
    """Sends batches of new and changed records, each until it is acknowledged."""

    def __init__(self, daemon, accounts):
        super().__init__()
        self.daemon, self.accounts, self.ends, self.batches, self.wrong = daemon, accounts, False, 0, []

    def run(self):
        while not self.ends and not self.wrong:
            records, changed = generated(self.accounts, 20, 5000 + self.batches)
            for part in (records, changed):
                self.send(harness.encode(part, "ndjson"))
            self.batches += 1

    def send(self, body):
        while not self.ends:
            try:
                answer = self.daemon.post_body(body)
            except OSError:  # it is being killed
                time.sleep(0.1)
                continue
            if answer.status == 200:
                return
            if answer.status != 503:
                self.wrong.append(str(answer))
                return
            time.sleep(0.2)


def follows(daemon):
    return daemon.ctl("move")["state"] == "follows"


@pytest.mark.slow
def test_what_is_killed_meanwhile_resumes(daemon, cluster):
    """The daemon at several moments, a server twice, while records come in and are read."""
    accounts = [daemon.new_account() for _ in range(4)]
    for seed in range(3):
        for part in generated(accounts, 300, seed):
            daemon.post_cdrs(part)
    sender = Sender(daemon, accounts)
    sender.start()
    copying = subprocess.Popen([harness.program("cdrctl"), "-s", daemon.socket, "move", "--to", "clickhouse"],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        harness.wait_for(lambda: daemon.ctl("move")["state"] != "none", PATIENCE)
        for pause in (0.3, 1.0, 2.5):
            time.sleep(pause)
            daemon.kill9()
            daemon.start()
        copying.wait(PATIENCE)
        server = cluster.server(1, 1)
        server.kill9()
        time.sleep(2)
        server.start()
        server.wait()
        harness.wait_for(lambda: follows(daemon), PATIENCE)
        assert pages(daemon, accounts[0], product="VOICE-CALL")
        cluster.server(2, 2).kill9()
        finishing = subprocess.Popen([harness.program("cdrctl"), "-s", daemon.socket, "move", "--finish"],
                                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(3)
        daemon.kill9()
        finishing.wait(PATIENCE)
        cluster.server(2, 2).start()
        cluster.server(2, 2).wait()
        daemon.start()
    finally:
        sender.ends = True
        sender.join()
    assert not sender.wrong, sender.wrong
    assert sender.batches > 0
    # It is given up while a server that comes back has not all yet.
    harness.wait_for(lambda: daemon.ctl_run("move", "--finish").returncode == 0, PATIENCE)
    assert daemon.ctl("move")["state"] == "done"
    before = everything(daemon, accounts)
    to_cluster(daemon)
    after = everything(daemon, accounts)
    for key, found in before.items():
        assert after[key] == found, key


def lose_day(cluster, daemon, day):
    """On all servers. (With a quorum, the last part that was inserted would be missed by whoever reads.)"""
    table = daemon.options["clickhouse_database"] + ".sms"
    for shard in (1, 2):
        cluster.server(shard, 1).query(f"ALTER TABLE {table} DROP PARTITION ID '{day.replace('-', '')}'")
    for server in cluster.servers.values():
        harness.wait_for(lambda: server.query(f"SELECT count() FROM {table} WHERE day = '{day}'") == "0\n", PATIENCE)


def test_a_difference_is_named_and_nothing_moves(daemon, cluster):
    """A day that is lost in the cluster: it is copied again when that is asked for."""
    daemon.options["clickhouse_quorum"] = 1
    daemon.restart()
    account = daemon.new_account()
    records = harness.generate("SMS", account, 300, START, END)
    daemon.post_cdrs(records)
    daemon.ctl("move", "--to", "clickhouse")
    day = records[17]["date_received"][:10]
    lost = [record for record in records if record["date_received"][:10] == day]
    lose_day(cluster, daemon, day)
    run = daemon.ctl_run("move", "--finish")
    assert run.returncode == 1 and b"1 accounts and days differ" in run.stderr, run
    state = daemon.ctl("move")
    assert state["state"] == "follows" and not state["records_refused"] and state["differences_count"] == 1, state
    [difference] = state["differences"]
    assert (difference["product"], difference["account"], difference["day"]) == ("SMS", account.id, day)
    assert difference["here"].startswith(f"{len(lost)} records, ") and difference["in_cluster"].startswith("0 records, ")
    assert daemon.post_cdrs(records[:5])["duplicates"] == 5
    daemon.ctl("move", "--to", "clickhouse")  # copies all once more
    # Without a quorum, the replica that is asked may not have all yet.
    harness.wait_for(lambda: daemon.ctl_run("move", "--finish").returncode == 0, PATIENCE)
    assert daemon.ctl("move")["state"] == "done"


@pytest.mark.slow
def test_a_move_is_given_up(daemon, cluster):
    """Before it is done, when it is, and after records have been taken in by the cluster."""
    account = daemon.new_account()
    records = harness.generate("SMS", account, 200, START, END, "--direction", "outbound")
    daemon.post_cdrs(records)
    daemon.ctl("move", "--to", "clickhouse")
    erased = daemon.ctl_run("erase", "--account", account.id, "--number", records[0]["to"].lstrip("+"))
    assert erased.returncode == 1 and b"being moved to the cluster" in erased.stderr
    daemon.stop()
    daemon.options["store"] = "clickhouse"
    assert "cdrctl move --to clickhouse" in refused_start(daemon)
    daemon.options["store"] = "lmdb"
    hosts, daemon.options["clickhouse"] = daemon.options["clickhouse"], ""
    assert "clickhouse: empty, but records" in refused_start(daemon)
    daemon.options["clickhouse"] = hosts
    daemon.start()
    given_up = daemon.ctl("move", "--stop")
    assert given_up["rows_left_in_cluster"] == 200, given_up
    assert daemon.ctl("move")["state"] == "none"
    again = daemon.ctl_run("move", "--to", "clickhouse")
    assert again.returncode == 1 and b"has records; a move needs one that has none" in again.stderr, again
    daemon.ctl("move", "--stop")
    cluster.drop_database(daemon.options["clickhouse_database"])
    daemon.options["clickhouse_database"] += "_2"
    subprocess.run(daemon.command("-m"), check=True, capture_output=True)
    daemon.restart()
    daemon.ctl("move", "--to", "clickhouse")
    assert daemon.ctl("move", "--finish")["state"] == "done"
    daemon.ctl("move", "--stop")
    assert daemon.post_cdrs(records[:3])["duplicates"] == 3
    assert daemon.ctl_run("erase", "--account", account.id, "--number", records[0]["to"].lstrip("+")).returncode == 0
    daemon.stop()
    daemon.options["clickhouse_database"] += "_3"
    subprocess.run(daemon.command("-m"), check=True, capture_output=True)
    daemon.start()
    daemon.ctl("move", "--to", "clickhouse")
    daemon.ctl("move", "--finish")
    to_cluster(daemon)
    more = harness.generate("SMS", account, 10, START, END, "--direction", "outbound", "--seed", "7")
    assert daemon.post_cdrs(more)["accepted"] == 10
    refused = daemon.ctl_run("move", "--stop")
    assert refused.returncode == 1 and b"would be lost: cdrctl move --stop --lose-records" in refused.stderr, refused
    assert daemon.post_cdrs(more[:1])["duplicates"] == 1
    assert daemon.ctl("move", "--stop", "--lose-records")["changes_in_cluster_alone"] >= 10
    assert daemon.post_body(harness.encode(more, "ndjson")).status == 503
    assert daemon.ctl("move")["state"] == "given up"
    daemon.stop()
    daemon.options["store"] = "lmdb"
    daemon.start()
    assert len(pages(daemon, account, product="SMS", direction="outbound")) == 200
    assert daemon.post_cdrs(more)["accepted"] == 10
