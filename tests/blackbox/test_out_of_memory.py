# SPDX-License-Identifier: ISC
"""Memory that runs out fails the request at hand; the daemon goes on, and nothing is taken for what it is not."""
import contextlib
import errno
import http.client
import os
import socket
import ssl
import time

import pytest

import faults
import harness
import reporting
from certificates import Authority
from harness import wait_for
from samples import DAY, NOON, SECOND, many_sms, sms, whole_day

QUERY = {"product": "SMS", "direction": "outbound"}
LONG = bool(os.environ.get("CDRD_LONG_TESTS"))
POINTS = 600 if LONG else 80
STEP = 1 if LONG else 3 # what is missed in one run of the short test, a longer one finds


def with_faults(daemon, directory):
    fault = faults.Faults(directory / "faults")
    faults.start(daemon, fault)
    daemon.add_producer()
    fault.daemon, fault.account = daemon, daemon.new_account()
    daemon.post_cdrs(many_sms(fault.account, 20))
    return fault


@pytest.fixture(scope="module")
def short(daemons, tmp_path_factory):
    """A daemon whose allocations can be made to fail."""
    return with_faults(daemons(start=False), tmp_path_factory.mktemp("faults"))


def sweep(short, act, prepare=lambda: None, call="memory", error=errno.ENOMEM, points=POINTS, step=STEP):
    """Fails the n-th allocation, or another call, after act's beginning, for n from 1 on, as long as there are so many."""
    statuses = set()
    for at in range(1, points, step):
        prepare()
        short.set(call, at=at, times=1, error=error)
        try:
            statuses.add(act())
        except (OSError, http.client.HTTPException):
            statuses.add("closed")
        _, failed = short.clear()
        assert short.daemon.process.poll() is None, f"allocation {at}:\n{short.daemon.log()[-6000:]}"
        if not failed:
            break
    return statuses


def test_of_allocations_that_are_alike_one_can_stand_for_all(short):
    """Of the thousands that a password's derivation makes."""
    def sign_in(secret, alike, **how):
        short.set("memory", alike=alike, **how)
        with contextlib.suppress(OSError, http.client.HTTPException):
            short.daemon.request("GET", "/v2/account", auth=(short.account.id, secret))
        return short.clear()

    assert sign_in("wrong", 1, at=1 << 60)[0] * 10 < sign_in("wrong too", 0, at=1 << 60)[0]
    assert sign_in("wrong three", 1, at=50, times=1)[1] == 1


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


FAILURES = {408, 429, 500, 503, "closed"}


@pytest.fixture(scope="module")
def sealed(short):
    """Records of an account in sealed blocks of two days, with some hot ones beside them, and what queries answer of them."""
    daemon, account = short.daemon, short.daemon.new_account()
    records = many_sms(account, 10) + many_sms(account, 10, NOON - DAY)
    daemon.post_cdrs(records + [sms(account, NOON, direction="inbound")])
    daemon.ctl("seal")
    wait_for(lambda: all(day["hot"] == 0 for day in daemon.ctl("storage") if day["day"] != "total"))
    daemon.post_cdrs(many_sms(account, 5, NOON + 3600 * SECOND))
    return account, records[0]["id"]


@pytest.mark.parametrize("what", ["records", "ids", "summary", "changes"])
def test_what_a_query_answers_is_whole(short, sealed, what):
    """What had no room is not taken for what is not there."""
    daemon = short.daemon
    account, id = sealed
    path, params = {
        "records": ("/v2/reports/records", {**QUERY, **whole_day()}),
        "ids": ("/v2/reports/records", {"product": "SMS", "id": id}),
        "summary": ("/v2/reports/summary", {**QUERY, **whole_day(), "group_by": "status"}),
        "changes": ("/v2/reports/changes", {"product": "SMS"}),
    }[what]

    def ask():
        answer = daemon.get(path, {"account_id": account.id, **params}, account)
        if answer.status == 200:
            told = answer.json()
            seen.append({name: told.get(name) for name in ("records", "groups", "items_count", "more")})
        return answer.status

    seen = []
    assert ask() == 200 and (seen[0]["records"] or seen[0]["groups"])
    assert sweep(short, ask, points=200, step=1) <= {200} | FAILURES
    assert all(told == seen[0] for told in seen), [told for told in seen if told != seen[0]][0]


def test_a_cursor_is_not_called_wrong(short):
    daemon, account = short.daemon, short.account
    first = daemon.records(account, **QUERY, **whole_day(), limit=5)
    target = first["_links"]["next"]["href"]
    path, query = target[target.index("/v2"):].split("?")

    def ask():
        return daemon.get(path, raw_query=query, account=account).status

    assert ask() == 200
    assert sweep(short, ask) <= {200} | FAILURES and ask() == 200


@pytest.mark.parametrize("path, body, good", [
    ("/v2/reports", {"callback_url": "https://192.0.2.1/hook", "time_zone": "Europe/Berlin"}, 200),
    ("/v2/reports/schedules", {"cron": "0 6 1 * *", "range": "last_month", "time_zone": "Europe/Berlin",
                               "callback_url": "https://192.0.2.1/hook"}, 201),
    ("/v2/reports/estimate", {"time_zone": "Europe/Berlin"}, 200)])
@pytest.mark.parametrize("call, error", [("memory", errno.ENOMEM), ("open", errno.EMFILE), ("read", errno.EIO)])
def test_what_is_asked_for_is_not_called_wrong(short, path, body, good, call, error):
    daemon, account = short.daemon, short.daemon.new_account()
    dates = {} if "range" in body else whole_day()

    def ask():
        return reporting.post(daemon, account, {"account_id": account.id, **QUERY, **dates, **body}, path=path).status

    assert ask() == good
    assert sweep(short, ask, call=call, error=error) <= {good, 409} | FAILURES
    assert ask() in (good, 409), "schedules_per_account_max"


def test_methods_are_refused_with_those_allowed_or_not_at_all(short):
    def ask():
        answer = short.daemon.request("DELETE", "/v2/account")
        assert answer.status != 405 or "GET" in answer.headers["Allow"], answer.headers
        return answer.status

    assert sweep(short, ask) <= {405} | FAILURES


def test_the_first_login_after_a_start_that_fails_is_no_last_one(short):
    """What OpenSSL makes once stays as it is, also where that failed."""
    daemon, account = short.daemon, short.account

    def ask():
        return daemon.get("/v2/account", account=account).status

    assert sweep(short, ask, daemon.restart, points=25) <= {200} | FAILURES
    for at in range(1, 10, STEP):
        daemon.restart()
        with short.failing("memory", at=at, times=20, error=errno.ENOMEM):
            with contextlib.suppress(OSError, http.client.HTTPException):
                ask()
        assert ask() == 200


HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


def connections_without_realloc(short, port, held, count=300):
    with short.failing("realloc", error=errno.ENOMEM):
        taken = [held.enter_context(socket.create_connection(("127.0.0.1", port), timeout=5)) for _ in range(count)]
        wait_for(lambda: len(os.listdir(f"/proc/{short.daemon.process.pid}/fd")) > count)
    return taken


def test_a_connection_is_whole_or_is_not_made(daemons, tmp_path):
    """libevent would crash where a part of one with TLS is missing, and wait for what never comes where another is."""
    authority = Authority(tmp_path)
    certificate, key = authority.issue("localhost", "DNS:localhost", "IP:127.0.0.1")
    port = harness.free_port()
    secure = with_faults(daemons(start=False, listen_tls=f"127.0.0.1:{port}", tls_certificate=certificate, tls_key=key), tmp_path)
    context = ssl.create_default_context(cafile=authority.certificate)
    auth = {"Authorization": harness.basic(secure.account.id, secure.account.secret)}

    def ask():
        connection = http.client.HTTPSConnection("localhost", port, context=context, timeout=10)
        with contextlib.closing(connection):
            try:
                connection.request("GET", "/v2/account", headers=auth)
                return connection.getresponse().status
            except TimeoutError as error:
                raise AssertionError("a connection hangs") from error

    ask()
    assert sweep(secure, ask, points=60, step=1) <= {200, "closed"} | FAILURES
    with contextlib.ExitStack() as held:
        for taken in connections_without_realloc(secure, port, held):
            with context.wrap_socket(taken, server_hostname="localhost") as encrypted:
                encrypted.sendall(HEALTH)
                assert encrypted.recv(100).startswith(b"HTTP/1.1 200 ")
    assert ask() == 200


def test_ingest_after_a_start_rejects_what_is_wrong_alone(short):
    daemon = short.daemon
    sent = []

    def call():
        records = [*many_sms(short.account, 2, NOON + (len(sent) + 900) * 60 * SECOND), {"product": "SMS"}, {"product": "X"}]
        sent.append(records)
        answer = post(short, records)
        if answer.status == 200:
            told = answer.json()
            assert (told["accepted"], told["rejected"]) == (2, 2) and len(told["errors"]) > 2, told
        return answer.status

    assert sweep(short, call, daemon.restart, points=30) <= {200, 408, 500, 503, "closed"}
    for records in sent:
        told = post(short, records).json()
        assert told["accepted"] + told["duplicates"] == 2 and told["rejected"] == 2, told


@pytest.mark.parametrize("command", [["storage"], ["overview"], ["status"], ["report", "list"], ["quarantine", "list"],
                                     ["find", "--number", "447700900123"]])
def test_what_cdrctl_shows_is_whole(short, command):
    def call():
        run = short.daemon.ctl_run(*command)
        assert run.returncode != 0 or isinstance(harness.json.loads(run.stdout), (list, dict)), run
        return run.returncode

    assert sweep(short, call) <= {0, 1}


def test_what_comes_by_a_new_descriptor_is_answered_or_closed(short):
    """libevent allocates when a descriptor is first used."""
    daemon = short.daemon
    with contextlib.ExitStack() as held:
        def hold():
            held.enter_context(socket.create_connection(("127.0.0.1", daemon.port)))
            time.sleep(0.005) # it is accepted

        assert sweep(short, lambda: daemon.ctl_run("status").returncode, hold, points=60, step=1) <= {0, 1}
        assert sweep(short, lambda: daemon.request("GET", "/openapi.json").status, hold, points=40, step=1) <= {200} | FAILURES


def test_connections_that_need_room_in_the_tables_of_events_are_heard(short):
    """libevent's heap of timers and its table of descriptors, which grew as they came."""
    with contextlib.ExitStack() as held:
        for taken in connections_without_realloc(short, short.daemon.port, held):
            taken.sendall(HEALTH)
            assert taken.recv(100).startswith(b"HTTP/1.1 200 ")


def test_callbacks_that_there_is_no_room_for_are_not_passed_over(daemons, tmp_path):
    """Nor are they then when a number is erased from them, which looks through them as find does."""
    fault = with_faults(daemons(start=False, callbacks="no", callback_allow="127.0.0.0/8"), tmp_path)
    daemon, person = fault.daemon, "447700900999"
    reporting.make(daemon, fault.account, **QUERY, **whole_day(), callback_url="http://127.0.0.1:9/" + person)
    for command in (["callback", "list"], ["find", "--number", person]):
        whole, seen = daemon.ctl(*command), []

        def call(command=command, seen=seen):
            run = daemon.ctl_run(*command)
            if run.returncode == 0:
                seen.append(harness.json.loads(run.stdout))
            return run.returncode

        assert whole and sweep(fault, call, points=200, step=1) <= {0, 1}
        assert all(told == whole for told in seen), (whole, [told for told in seen if told != whole][0])


def test_a_day_that_is_there_is_not_forgotten(short):
    day = f"{NOON:%Y-%m-%d}"
    before = short.daemon.records(short.account, **QUERY, **whole_day(), limit=1000)["items_count"]
    assert sweep(short, lambda: short.daemon.ctl_run("forget-day", day).returncode, points=20) == {1}
    assert short.daemon.records(short.account, **QUERY, **whole_day(), limit=1000)["items_count"] == before
    assert "damaged" not in short.daemon.log()


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
