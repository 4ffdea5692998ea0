# SPDX-License-Identifier: ISC
"""An account that asks for much does not keep the others waiting, nor ingest, nor the probes."""
import concurrent.futures
import contextlib
import http.client
import threading
import time

import pytest

import harness
import reporting
from harness import wait_for
from samples import DAY, YESTERDAY, iso, sms, whole_day

ROWS = 300_000
CHUNK = 50_000
HEAVY_CLIENTS = 32
SAMPLES = 15
PATIENCE = 480  # seconds

# What a busy machine and sanitizers may add to the median; without turns of equal length it is several times as much.
SLACK_SECONDS = 0.15
TIMES = 10
REPORTS = 4


@pytest.fixture(scope="module")
def daemon(daemons):
    """Sheds load as it does by default."""
    return daemons(shed_lag="1s")


def load_heavy(daemon):
    """An account with many sealed records, and a query that passes none of them."""
    account = daemon.new_account()
    for _ in range(ROWS // CHUNK):
        body = harness.generate_bytes("SMS", [account], CHUNK, iso(YESTERDAY), iso(YESTERDAY + DAY))
        response = daemon.post_body(body)
        assert response.status == 200, response
    daemon.ctl("seal")
    query = {"account_id": account.id, "product": "SMS", "direction": "outbound", "status": "delivered",
             "country": "GB", "network": "334050", **whole_day()}
    return account, "/v2/reports/records?" + harness.query_string(query)


@pytest.fixture(scope="module")
def heavy(daemon):
    return load_heavy(daemon)


@contextlib.contextmanager
def asking(daemon, account, target, clients):
    """Clients that ask for the target again and again; gives the list of what was answered so far."""
    ended = threading.Event()
    answers = []

    def ask():
        connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=120)
        headers = {"Authorization": harness.basic(account.id, account.secret)}
        with contextlib.closing(connection):
            while not ended.is_set():
                connection.request("GET", target, headers=headers)
                answer = connection.getresponse()
                answers.append(harness.Response(answer.status, answer.headers, answer.read()))

    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        asked = [pool.submit(ask) for _ in range(clients)]
        time.sleep(1)
        try:
            yield answers
        finally:
            ended.set()
        for client in asked:
            client.result()


def median_seconds(call):
    took = []
    for _ in range(SAMPLES):
        begin = time.monotonic()
        response = call()
        took.append(time.monotonic() - begin)
        assert response.status == 200, response
    return sorted(took)[SAMPLES // 2]


def what_others_do(daemon):
    """What another account does, and whoever looks after the daemon."""
    account = daemon.new_account()
    known = sms(account)
    daemon.post_cdrs([known])
    page = {"account_id": account.id, "product": "SMS", "direction": "outbound"}
    return {
        "id": lambda: daemon.get("/v2/reports/records", {**page, "id": known["id"]}, account),
        "empty page": lambda: daemon.get("/v2/reports/records", {**page, "status": "failed", **whole_day()}, account),
        "ingest": lambda: daemon.post_body(harness.encode([sms(account)], "ndjson")),
        "healthz": lambda: daemon.request("GET", "/healthz"),
    }


@pytest.fixture(scope="module")
def light(daemon):
    return what_others_do(daemon)


@pytest.fixture(scope="module")
def idle(daemons):
    """What others do to a daemon that has nothing else to do. A busy machine slows it as it does the one beside it."""
    return what_others_do(daemons())


def medians(light, idle, quiet):
    """Of a daemon's own, and of what they are compared with: the daemon's before, or an idle one's now if that is more."""
    beside, compared = {}, {}
    for name in light:
        beside[name] = median_seconds(light[name])
        compared[name] = max(quiet[name], median_seconds(idle[name]))
    return beside, compared


def test_heavy_queries_of_one_account_leave_others_and_ingest_quick(daemon, heavy, light, idle):
    account, target = heavy
    quiet = {name: median_seconds(call) for name, call in light.items()}
    with asking(daemon, account, target, HEAVY_CLIENTS) as answers:
        beside, quiet = medians(light, idle, quiet)
    print({name: (round(quiet[name], 4), round(beside[name], 4)) for name in light}, len(answers))
    assert {a.status for a in answers} == {200}
    for name in light:
        assert beside[name] < TIMES * quiet[name] + SLACK_SECONDS, (name, quiet[name], beside[name])


@pytest.mark.slow
def test_reports_summaries_and_sealing_get_their_share_beside_heavy_queries(daemons, idle):
    daemon = daemons(shed_lag="0", seal_age="200ms")
    account, target = load_heavy(daemon)
    light = what_others_do(daemon)
    quiet = {name: median_seconds(call) for name, call in light.items()}
    summary = "/v2/reports/summary?" + harness.query_string(
        {"account_id": account.id, "product": "SMS", "group_by": "network,status", **whole_day()})
    late_hours = {"date_start": iso(YESTERDAY + 22 * DAY / 24), "date_end": iso(YESTERDAY + DAY)}
    with asking(daemon, account, target, HEAVY_CLIENTS) as pages, asking(daemon, account, summary, 2) as summaries:
        asked = [reporting.create(daemon, account, product="SMS", direction="outbound", status=status, **late_hours)
                 for status in ("delivered", "failed") * 2]
        body = harness.generate_bytes("SMS", [account], CHUNK, iso(YESTERDAY - 3 * DAY), iso(YESTERDAY - 2 * DAY))
        assert daemon.post_body(body).status == 200
        beside, quiet = medians(light, idle, quiet)
        for one in asked:
            assert reporting.wait(daemon, account, one["request_id"], seconds=PATIENCE)["request_status"] == "SUCCESS"
        # Not of today: each page asked for is a usage record, of which there always are some that are hot.
        past = (YESTERDAY - 3 * DAY).date().isoformat()
        wait_for(lambda: daemon.ctl("storage", past)[0]["hot"] == 0, PATIENCE)
    print({name: (round(quiet[name], 4), round(beside[name], 4)) for name in light}, len(pages), len(summaries))
    assert {a.status for a in pages} == {200} and {a.status for a in summaries} == {200}
    for name in light:
        assert beside[name] < TIMES * quiet[name] + 2 * SLACK_SECONDS, (name, quiet[name], beside[name])


@contextlib.contextmanager
def making_reports(daemon, account, clients):
    """Clients of which each has a report made again and again, so that there are always reports to make."""
    ended = threading.Event()

    def make():
        while not ended.is_set():
            made = reporting.create(daemon, account, product="SMS", direction="outbound", status="delivered", **whole_day())
            status = reporting.wait(daemon, account, made["request_id"], seconds=PATIENCE)["request_status"]
            assert status == "SUCCESS", status

    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        asked = [pool.submit(make) for _ in range(clients)]
        wait_for(lambda: len(daemon.ctl("report", "list")) >= clients, PATIENCE)
        try:
            yield
        finally:
            ended.set()
        for client in asked:
            client.result()


@pytest.mark.slow
def test_reports_leave_ingest_a_good_part_of_the_time(daemons):
    daemon, idle = daemons(shed_lag="0"), daemons()
    account, _ = load_heavy(daemon)
    idle.admin("account add", id=account.id, secret=account.secret)
    bodies = [harness.generate_bytes("SMS", [account], CHUNK, iso(first), iso(first + DAY))
              for first in (YESTERDAY - 3 * DAY, YESTERDAY - 6 * DAY)]

    def seconds(daemon, body):
        begin = time.monotonic()
        assert daemon.post_body(body).status == 200
        return time.monotonic() - begin

    alone = seconds(daemon, bodies[0])
    with making_reports(daemon, account, REPORTS):
        beside = seconds(daemon, bodies[1])
        alone = max(alone, seconds(idle, bodies[1]))  # a busy machine slows that, too
    print(round(alone, 3), round(beside, 3))
    assert beside < TIMES * alone + SLACK_SECONDS, (alone, beside)


def test_what_is_beyond_sync_concurrent_max_waits_and_beyond_ten_times_that_is_refused(daemon, heavy, light):
    account, target = heavy
    daemon.options["sync_concurrent_max"] = 1
    daemon.restart()
    with asking(daemon, account, target, 11) as answers:
        assert light["empty page"]().status == 200
    assert {a.status for a in answers} == {200}
    with asking(daemon, account, target, HEAVY_CLIENTS) as answers:
        assert light["empty page"]().status == 200
    refused = [a for a in answers if a.status == 429]
    assert refused and {a.status for a in answers} == {200, 429}
    assert refused[0].headers["Retry-After"] == "1"
    assert "sync_concurrent_max" in refused[0].json()["detail"] and account.id in refused[0].json()["detail"]


def test_a_client_that_goes_takes_its_query_with_it(daemon, heavy, light):
    account, target = heavy
    daemon.options["sync_concurrent_max"] = 1
    daemon.restart()
    headers = {"Authorization": harness.basic(account.id, account.secret)}

    def ask():
        return daemon.get(target.partition("?")[0], raw_query=target.partition("?")[2], account=account)

    def connections():
        return sum(link.startswith("socket:") for link in daemon.open_files())

    ask()
    before, computed = connections(), daemon.cpu_seconds()
    assert ask().status == 200
    alone = daemon.cpu_seconds() - computed
    for _ in range(30):
        connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=60)
        with contextlib.closing(connection):
            connection.request("GET", target, headers=headers)
    wait_for(lambda: connections() <= before)
    response = ask()
    assert response.status == 200, response
    assert daemon.cpu_seconds() - computed < 5 * alone + 0.5, "up to 11 of those that went were computed"
