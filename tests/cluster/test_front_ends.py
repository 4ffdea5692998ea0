# SPDX-License-Identifier: ISC
"""Front ends of one catalog that all listen: those that do not hold it forward to the one that does. Whichever is killed, stopped or
ended, every acknowledged record is there exactly once, what cannot be served is 503, and all heals by itself."""
import concurrent.futures
import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.request

import pytest

import cluster as clusters
import harness
import reporting
from front_ends import (END, KEYS, PATIENCE, RANGE, REASON, START, ask_for_report, begin, cluster, copy_keys, front_end, send, server, stored,
                        wait_for_report, wait_until_ready)
from test_callbacks import LOCAL, receivers

pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))
assert cluster and server and front_end and receivers  # fixtures

BATCH = 100


@pytest.fixture
def reached(front_end):
    """Makes front ends that others reach."""

    def make(**options):
        daemon = front_end(**options)
        daemon.options["front_end_url"] = f"http://127.0.0.1:{daemon.port}"
        return daemon

    return make


def begin_forwarding(daemon):
    """Starts it, where another one holds the catalog."""
    with open(daemon.log_path, "ab") as log:
        daemon.process = subprocess.Popen(daemon.command(), stderr=log, stdin=subprocess.DEVNULL)
    harness.wait_for(lambda: listens(daemon), PATIENCE)
    harness.wait_for(lambda: readiness(daemon).get("role") == "forwards" and daemon.is_ready(), PATIENCE)
    return daemon


def listens(daemon):
    with socket.socket() as probe:
        return probe.connect_ex((daemon.address, daemon.port)) == 0


def readiness(daemon):
    try:
        return daemon.request("GET", "/readyz").json()
    except (OSError, http.client.HTTPException):
        return {}


def holds(daemon):
    ready = readiness(daemon)
    return ready.get("role") == "holds" and ready["ready"]


@pytest.fixture
def pair(reached):
    """One that holds the catalog, and one that forwards."""
    holder = begin(reached(callback_allow=LOCAL))
    holder.add_producer()
    return holder, begin_forwarding(reached(callback_allow=LOCAL))


def test_what_is_asked_of_either_is_answered(pair, receivers):
    holder, other = pair
    receiver = receivers()
    account = holder.new_account()
    assert readiness(holder)["role"] == "holds"
    assert other.request("GET", "/healthz").status == 200
    sent = send(other, account, 1) | send(holder, account, 2)
    assert set(stored(other, account)) == set(stored(holder, account)) == sent

    made = reporting.create(other, account, callback_url=receiver.url(), **RANGE)
    ended = wait_for_report(other, account, made["request_id"])
    files = [daemon.get(reporting.media_path(ended), account=account) for daemon in pair]
    assert files[0].status == files[1].status == 200 and files[0].body == files[1].body
    for name in ("Content-Type", "Content-Length", "ETag", "Accept-Ranges"):
        assert files[0].headers[name] == files[1].headers[name], name
    part = other.get(reporting.media_path(ended), account=account, headers={"Range": "bytes=10-29"})
    assert part.status == 206 and part.body == files[0].body[10:30] and part.headers["Content-Range"].startswith("bytes 10-29/")
    harness.wait_for(lambda: receiver.ids(), PATIENCE)
    # links lead to where the client has asked
    assert f":{other.port}/" in ended["_links"]["download_report"]["href"]


def test_answers_are_those_of_the_one_that_holds_the_catalog(pair):
    holder, other = pair
    account = holder.new_account()
    auth = (account.id, account.secret)
    asked = [("GET", "/v2/reports/products", auth), ("HEAD", "/v2/reports/products", auth), ("GET", "/v2/reports/products", None),
             ("GET", "/nothing/here?a=b&c", None), ("PUT", "/v2/reports", None), ("OPTIONS", "/v2/reports", None),
             ("POST", "/v2/account/webhook/rotate", None), ("GET", "/v2/reports/records?date_start=never", auth)]
    for method, target, who in asked:
        answers = [daemon.request(method, target, auth=who) for daemon in pair]
        assert answers[0].status == answers[1].status, (method, target, *map(str, answers))
        names = [sorted(name.lower() for name in answer.headers if name.lower() != "connection") for answer in answers]
        assert names[0] == names[1], (method, target, names)
        if method == "HEAD":
            assert answers[0].headers["Content-Length"] == answers[1].headers["Content-Length"] and answers[1].body == b""


@pytest.mark.parametrize("encoding, in_chunks", [
    (None, True), ("gzip", False), ("zstd", True), *(pytest.param(*shape, marks=pytest.mark.slow)
                                                     for shape in ((None, False), ("gzip", True), ("zstd", False)))])
def test_bodies_are_forwarded_as_they_are(pair, encoding, in_chunks):
    holder, other = pair
    account = holder.new_account()
    records = harness.generate("SMS", account, 3000, START, END, "--direction", "outbound")
    body = harness.encode(records, "ndjson")
    if encoding:
        body = harness.ENCODERS[encoding](body)
    pieces = (body[at:at + 7001] for at in range(0, len(body), 7001)) if in_chunks else body
    headers = {"Content-Type": harness.CONTENT_TYPES["ndjson"], **({"Content-Encoding": encoding} if encoding else {})}
    answer = other.request("POST", "/v1/cdrs", pieces, headers, harness.PRODUCER)
    assert answer.status == 200 and answer.json()["accepted"] == 3000, str(answer)
    assert len(stored(holder, account)) == 3000


def test_early_answer_ends_the_body(pair):
    """Wrong credentials are answered before the body has come."""
    _, other = pair
    with contextlib.closing(socket.create_connection(("127.0.0.1", other.port), timeout=60)) as client:
        client.sendall(b"POST /v1/cdrs HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\nContent-Length: 100000000\r\n\r\n" + b"{}\n")
        assert client.recv(12) == b"HTTP/1.1 401"
    answer = other.request("GET", "/v2/reports/products")
    assert answer.status == 401, str(answer)


def test_clients_address_is_the_one_that_counts(pair):
    holder, other = pair
    account = holder.new_account()
    key = holder.ctl("key", "add", account.id, "--networks", "127.0.0.2")

    def ask(daemon, source, headers=None):
        return daemon.request("GET", "/v2/reports/products", headers=headers, auth=(account.id, key["key"]), source=source).status

    for daemon in pair:
        assert ask(daemon, "127.0.0.2") == 200
        assert ask(daemon, "127.0.0.1") in (401, 403)
        assert ask(daemon, "127.0.0.1", {"X-Forwarded-For": "127.0.0.2"}) in (401, 403)


def test_forwarded_requests_are_not_forwarded_again_nor_made_up(pair):
    holder, other = pair
    forged = {"Cdrd-Forwarded": "AAAA"}
    for daemon in pair:
        answer = daemon.request("GET", "/v2/reports/products", headers=forged)
        assert answer.status == 503 and "Retry-After" in answer.headers, str(answer)


class Producer(threading.Thread):
    """Sends batch after batch, each until it is acknowledged, to a front end after the other."""

    def __init__(self, front_ends, account, number):
        super().__init__()
        self.front_ends, self.account, self.number = front_ends, account, number
        self.sent, self.refused, self.lost, self.wrong, self.ends, self.batches = set(), 0, 0, [], False, 0
        self.seeds, self.answers = {}, []  # of each id that was sent; (when, seed, port, status, what it says)

    def run(self):
        while not self.ends:
            seed = str(self.number * 100000 + self.batches)
            records = harness.generate("SMS", self.account, BATCH, START, END, "--direction", "outbound", "--seed", seed)
            body = harness.encode(records, "ndjson")
            self.seeds |= {record["message_id"]: (seed, number) for number, record in enumerate(records)}
            while not self.send(seed, body):
                time.sleep(0.1)
            self.sent |= {record["message_id"] for record in records}
            self.batches += 1

    def send(self, seed, body):
        daemon = self.front_ends[0]
        self.front_ends = self.front_ends[1:] + self.front_ends[:1]
        try:
            connection = http.client.HTTPConnection(daemon.address, daemon.port, timeout=20)
            with contextlib.closing(connection):
                connection.request("POST", "/v1/cdrs", body, {"Content-Type": harness.CONTENT_TYPES["ndjson"],
                                                              "Authorization": harness.basic(*harness.PRODUCER)})
                answer = connection.getresponse()
                text = answer.read().decode()
        except (OSError, http.client.HTTPException) as error:
            self.answers.append((time.time(), seed, daemon.port, 0, repr(error)))
            self.lost += 1  # as after kill -9
            return False
        self.answers.append((time.time(), seed, daemon.port, answer.status, text))
        if answer.status != 200:
            self.refused += 1
            if answer.status != 503 or not answer.getheader("Retry-After"):
                self.wrong.append(answer.status)
        return answer.status == 200


def run_through(front_ends, account, fail):
    """Sends through all of them while fail() does what it does; then what was acknowledged is there once."""
    producers = [Producer(front_ends[number:] + front_ends[:number], account, number + 1) for number in range(len(front_ends))]
    clusters.send_while(producers, lambda: fail(producers), PATIENCE, more=2)
    acknowledged = set().union(*(producer.sent for producer in producers))
    for daemon in front_ends:
        found = stored(daemon, account)
        assert len(found) == len(set(found))
        missing = acknowledged - set(found)
        assert not missing, f"{len(missing)} of {len(acknowledged)} are missing: " + tell_of(missing, daemon, account, producers)
    return producers


def tell_of(missing, daemon, account, producers):
    """What servers have of them, what was answered to the bodies that they are of, and what pages say now."""
    host = daemon.options["clickhouse"].split("|")[0].split(",")[0]
    ids = ",".join(f"'{name}'" for name in sorted(missing)[:20])
    sql = (f"SELECT id, time, version, first, past, dead, _part FROM {daemon.options['clickhouse_database']}.sms WHERE id IN ({ids}) "
           "ORDER BY id, version FORMAT TSV")
    with urllib.request.urlopen(f"http://{host}/", sql.encode()) as answer:
        rows = answer.read().decode()
    seeds = {seed for producer in producers for name, (seed, _) in producer.seeds.items() if name in missing}
    places = {name: producer.seeds[name] for producer in producers for name in missing if name in producer.seeds}
    answers = [answer for producer in producers for answer in producer.answers if answer[1] in seeds]
    again = set(stored(daemon, account))
    lines = [f"at port {daemon.port}; {len(missing - again)} are missing when asked again", f"{places}", rows, *map(str, answers)]
    return "\n".join(lines)


def test_holder_that_is_killed_is_replaced_by_the_one_that_forwards(pair):
    holder, other = pair
    account = holder.new_account()
    pid = other.process.pid
    first = ask_for_report(other, account)
    wait_for_report(other, account, first)

    def fail(_):
        holder.kill9()
        harness.wait_for(lambda: holds(other), PATIENCE)
        begin_forwarding(holder)

    run_through([holder, other], account, fail)
    assert other.process.pid == pid
    for daemon in pair:
        wait_for_report(daemon, account, ask_for_report(daemon, account))


def test_while_nobody_holds_the_catalog_requests_get_503(reached):
    holder = begin(reached(postgresql_lease="6s"))
    holder.add_producer()
    other = begin_forwarding(reached(postgresql_lease="6s"))
    account = holder.new_account()
    sent = send(other, account, 1)
    holder.kill9()
    answer = other.get("/v2/reports/products", account=account)
    assert answer.status == 503 and "Retry-After" in answer.headers, str(answer)
    assert other.request("GET", "/healthz").status == 200
    harness.wait_for(lambda: not other.is_ready(), PATIENCE)
    reasons = readiness(other)["reasons"]
    assert any("the front end" in reason for reason in reasons), reasons
    harness.wait_for(lambda: holds(other), PATIENCE)
    assert set(stored(other, account)) == sent


def test_holder_that_is_stopped_is_replaced_and_forwards_later(pair):
    holder, other = pair
    account = holder.new_account()

    def fail(_):
        holder.process.send_signal(signal.SIGSTOP)
        harness.wait_for(lambda: holds(other), PATIENCE)
        holder.process.send_signal(signal.SIGCONT)
        assert holder.process.wait(PATIENCE) == 1
        begin_forwarding(holder)

    run_through([holder, other], account, fail)


def test_holder_that_ends_is_replaced_without_a_lost_request(pair):
    holder, other = pair
    account = holder.new_account()

    def fail(_):
        holder.stop()
        harness.wait_for(lambda: holds(other), PATIENCE)
        begin_forwarding(holder)

    producers = run_through([other], account, fail)
    assert sum(producer.lost for producer in producers) == 0


def test_front_end_that_forwards_can_be_killed_and_ended(pair):
    holder, other = pair
    account = holder.new_account()

    def fail(_):
        other.kill9()
        begin_forwarding(other)
        other.stop()
        begin_forwarding(other)

    run_through([holder, other], account, fail)


def test_front_end_that_ends_answers_what_is_under_way_and_takes_no_turn(pair):
    holder, other = pair
    account = holder.new_account()
    send(other, account, 2, 1)  # it knows the account
    body = harness.encode(harness.generate("SMS", account, BATCH, START, END, "--direction", "outbound"), "ndjson")
    with contextlib.closing(socket.create_connection(("127.0.0.1", other.port), timeout=60)) as client:
        head = (f"POST /v1/cdrs HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\nContent-Length: {len(body)}\r\n"
                f"Expect: 100-continue\r\nAuthorization: {harness.basic(*harness.PRODUCER)}\r\n\r\n")
        client.sendall(head.encode())
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(body[:1000])
        other.process.send_signal(signal.SIGTERM)
        harness.wait_for(lambda: "SIGTERM: ending" in other.log(), PATIENCE)
        client.sendall(body[1000:])
        assert client.recv(12) == b"HTTP/1.1 200"
    assert other.process.wait(PATIENCE) == 0
    other.process = None
    assert len(stored(holder, account)) == BATCH + 1
    assert "serves what is in" not in other.log()


def test_front_end_that_ends_forwards_what_had_begun_to_come(pair):
    _, other = pair
    with contextlib.closing(socket.create_connection(("127.0.0.1", other.port), timeout=60)) as client:
        client.sendall(b"GET /v2/reports/products HTTP/1.1\r\nHost: x\r\n")
        other.request("GET", "/healthz")  # comes after it
        time.sleep(0.5)
        other.process.send_signal(signal.SIGTERM)
        harness.wait_for(lambda: "SIGTERM: ending" in other.log(), PATIENCE)
        client.sendall(b"\r\n")
        assert client.recv(12) == b"HTTP/1.1 401"
    assert other.process.wait(PATIENCE) == 0
    other.process = None


def test_second_signal_ends_a_front_end_that_forwards_at_once(pair):
    _, other = pair
    with contextlib.closing(socket.create_connection(("127.0.0.1", other.port), timeout=60)) as client:
        client.sendall(b"GET /v2/reports/products HTTP/1.1\r\nHost: x\r\n")
        other.request("GET", "/healthz")  # comes after it
        time.sleep(0.5)
        other.process.send_signal(signal.SIGTERM)
        harness.wait_for(lambda: "SIGTERM: ending" in other.log(), PATIENCE)
        other.process.send_signal(signal.SIGTERM)
        assert other.process.wait(PATIENCE) == 0
        assert other.log_seconds("SIGTERM again: ending at once", "main: ended") < 3
    other.process = None


def test_front_end_that_has_taken_over_looks_for_the_one_of_before_no_more(pair):
    holder, other = pair
    holder.kill9()
    harness.wait_for(lambda: holds(other), PATIENCE)
    with socket.create_server(("127.0.0.1", holder.port)) as listener:
        listener.settimeout(4)
        with pytest.raises(TimeoutError):
            listener.accept()


def test_clock_of_postgresql_that_is_set_ahead_makes_no_second_holder(reached, server):
    holder, other = begin(reached(postgresql_lease="12s")), reached(postgresql_lease="12s")
    begin_forwarding(other)
    server.query("UPDATE cdrd_catalog SET holder_until = clock_timestamp() - interval '1 s'")  # to both, that is the same
    for _ in range(8):
        time.sleep(0.5)
        assert holds(holder) and readiness(other)["role"] == "forwards"
    assert "serves what is in" not in other.log()


@pytest.mark.slow
def test_slow_clients_and_many_of_them_are_served(pair):
    """Reports that are read slowly, from many clients at once, are whole."""
    holder, other = pair
    account = holder.new_account()
    for seed in range(1, 4):
        send(other, account, seed, 3000)
    ended = wait_for_report(other, account, ask_for_report(other, account))
    path = reporting.media_path(ended)
    whole = holder.get(path, account=account).body
    assert len(whole) > 1 << 18

    def read(number):
        connection = http.client.HTTPConnection("127.0.0.1", other.port, timeout=PATIENCE)
        with contextlib.closing(connection):
            connection.connect()
            connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.request("GET", path, headers={"Authorization": harness.basic(account.id, account.secret)})
            answer = connection.getresponse()
            body = b""
            while piece := answer.read(1 << 17):
                body += piece
                time.sleep(0.01 * (number % 3))
            return body

    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        assert all(body == whole for body in pool.map(read, range(12)))


def test_without_postgresql_what_is_read_is_forwarded(reached, server):
    holder = begin(reached(postgresql_lease="60s"))
    holder.add_producer()
    other = begin_forwarding(reached(postgresql_lease="60s"))
    account = holder.new_account()
    sent = send(other, account, 1)
    server.crash()
    harness.wait_for(lambda: not holder.is_ready(), PATIENCE)
    assert set(stored(other, account)) == sent
    server.start()
    wait_until_ready(holder)
    sent |= send(other, account, 2)
    assert set(stored(other, account)) == sent


def test_front_ends_reach_each_other_by_tls(reached, tmp_path):
    certificate = tmp_path / "both.pem"
    made = subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                           "-subj", "/CN=cdrd-test", "-keyout", "-", "-addext", "subjectAltName=IP:127.0.0.1"],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    certificate.write_bytes(made.stdout)
    port = harness.free_port()
    holder = reached(listen_tls=f"127.0.0.1:{port}", tls_certificate=str(certificate), tls_key=str(certificate))
    holder.options["front_end_url"] = f"https://127.0.0.1:{port}"
    begin(holder).add_producer()
    trusting = begin_forwarding(reached(front_end_ca_file=str(certificate)))
    account = holder.new_account()
    sent = send(trusting, account, 1)
    assert set(stored(trusting, account)) == sent
    trusting.stop()
    doubting = reached()
    with open(doubting.log_path, "ab") as log:
        doubting.process = subprocess.Popen(doubting.command(), stderr=log, stdin=subprocess.DEVNULL)
    harness.wait_for(lambda: "certificate" in json.dumps(readiness(doubting)), PATIENCE)
    assert doubting.request("GET", "/v2/reports/products").status == 503


def test_of_two_that_wait_one_takes_the_place_and_the_other_forwards_to_it(pair, reached):
    holder, other = pair
    third = begin_forwarding(reached(callback_allow=LOCAL))
    account = holder.new_account()

    def fail(_):
        holder.kill9()
        harness.wait_for(lambda: holds(other) + holds(third) == 1 and other.is_ready() and third.is_ready(), PATIENCE)
        begin_forwarding(holder)

    run_through([holder, other, third], account, fail)
    assert sorted(readiness(daemon)["role"] for daemon in (holder, other, third)) == ["forwards", "forwards", "holds"]


def test_systemd_hears_that_the_catalog_is_copied(pair, reached, tmp_path, monkeypatch):
    holder, other = pair
    other.stop()
    shutil.rmtree(os.path.join(other.data_dir, "catalog"))
    with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(PATIENCE)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        begin_forwarding(other)
        while not systemd.recv(4096).startswith(b"STATUS=Copies the catalog from PostgreSQL\nEXTEND_TIMEOUT_USEC="):
            pass
        assert systemd.recv(4096) == b"WATCHDOG=1"


def test_front_end_that_is_told_to_reload_reads_its_settings_when_it_serves(pair):
    holder, other = pair
    other.process.send_signal(signal.SIGHUP)
    harness.wait_for(lambda: "read again when this front end holds the catalog" in other.log(), PATIENCE)
    assert "reloaded the configuration" not in other.log()
    holder.kill9()
    harness.wait_for(lambda: holds(other), PATIENCE)
    harness.wait_for(lambda: "reloaded the configuration" in other.log(), PATIENCE)


def begin_in_vain(daemon, says):
    """Starts it, where it cannot forward, for a reason that it gives."""
    with open(daemon.log_path, "ab") as log:
        daemon.process = subprocess.Popen(daemon.command(), stderr=log, stdin=subprocess.DEVNULL)
    harness.wait_for(lambda: says in json.dumps(readiness(daemon)), PATIENCE)
    assert not daemon.is_ready()
    answer = daemon.request("GET", "/v2/reports/products")
    assert answer.status == 503 and "Retry-After" in answer.headers, str(answer)
    return daemon


def test_key_that_is_missing_is_named(reached):
    begin(reached())
    other = reached()
    os.remove(os.path.join(other.data_dir, KEYS[0]))
    begin_in_vain(other, "cursor.key is missing")


def test_key_that_is_another_one_is_named(reached):
    begin(reached())
    other = reached()
    with open(os.path.join(other.data_dir, KEYS[0]), "wb") as file:
        file.write(os.urandom(32))
    begin_in_vain(other, "cursor.key")


@pytest.mark.parametrize("name, size", [("destination.key", 32), ("erased.key", 16)])
def test_key_that_it_would_need_as_holder_is_named_and_may_be_copied(reached, name, size):
    holder = begin(reached())
    other = reached()
    with open(os.path.join(other.data_dir, name), "wb") as file:
        file.write(os.urandom(size))
    with open(other.log_path, "ab") as log:
        other.process = subprocess.Popen(other.command(), stderr=log, stdin=subprocess.DEVNULL)
    harness.wait_for(lambda: name in json.dumps(readiness(other)), PATIENCE)
    assert not other.is_ready()
    assert other.request("GET", "/v2/reports/products").status == 401  # it forwards all the same
    copy_keys(holder, other)
    wait_until_ready(other)


def test_url_that_leads_to_one_that_forwards_is_named(reached):
    holder = begin(reached())
    other = reached()
    holder.stop()
    holder.options["front_end_url"] = other.options["front_end_url"]
    begin(holder)
    begin_in_vain(other, "does not hold the catalog")
