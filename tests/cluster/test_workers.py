# SPDX-License-Identifier: ISC
"""Reports whose files front ends make that do not hold the catalog: they are the same, and whichever front end is killed, stopped or
ended meanwhile, each report is made to its end, charged once and called back once."""
import datetime
import io
import os
import signal
import socket
import socketserver
import threading
import time
import zipfile

import pytest

import harness
import reporting
from front_ends import PATIENCE, RANGE, REASON, begin, cluster, front_end, send, server, wait_for_report
from test_callbacks import LOCAL, receivers
from test_front_ends import begin_forwarding, holds, reached
from test_taking_in import takes_in

pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))
assert cluster and server and front_end and receivers and reached  # fixtures

ROWS = 6000
SLOW = {"report_pause": "700ms"}  # after each slice: a report of ROWS takes some seconds


class Between(socketserver.ThreadingTCPServer):
    """What leads to a front end, and does to the frames of its answers (report/order.h) what `change` does, a generator of bytes."""
    daemon_threads = True

    def __init__(self, port, change):
        super().__init__(("127.0.0.1", 0), Passing)
        self.port, self.change = port, change
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Passing(socketserver.BaseRequestHandler):
    def handle(self):
        with socket.create_connection(("127.0.0.1", self.server.port)) as worker:
            threading.Thread(target=self.pass_order, args=(worker,), daemon=True).start()
            answer = worker.makefile("rb")
            try:
                head = b"".join(iter(answer.readline, b"\r\n")) + b"\r\n"
                self.request.sendall(head)
                for piece in self.server.change(frames_of(answer)):
                    self.request.sendall(piece)
            except OSError:
                pass  # nobody waits for it any more

    def pass_order(self, worker):
        try:
            while piece := self.request.recv(1 << 16):
                worker.sendall(piece)
            worker.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def frames_of(answer):
    while head := answer.read(5):
        yield head[:1], answer.read(int.from_bytes(head[1:], "little"))


@pytest.fixture
def make_pair(reached):
    """One that holds the catalog, and makes one file at a time, and one that forwards."""
    betweens = []

    def make(change=None, **options):
        options = {"callback_allow": LOCAL, "reports_max": "1", "usage_delay": "100ms", **options}
        holder = begin(reached(**options))
        holder.add_producer()
        worker = reached(**options)
        if change:
            betweens.append(Between(worker.port, change))
            worker.options["front_end_url"] = f"http://localhost:{betweens[0].server_address[1]}"
        begin_forwarding(worker)
        harness.wait_for(lambda: f"{url_of(worker)} makes reports, too" in holder.log(), PATIENCE)
        return holder, worker

    yield make
    for between in betweens:
        between.shutdown()
        between.server_close()


def url_of(daemon):
    return daemon.options["front_end_url"]


def is_made_by(worker, daemon):
    """The ids of reports whose making the worker was asked for."""
    return [line.split("report: ")[1].split(" ")[0] for line in daemon.log().splitlines()
            if f"is made by the front end at {url_of(worker)}" in line]


def fill(daemon, account, rows=ROWS):
    return set().union(*(send(daemon, account, seed, 2000) for seed in range(1, rows // 2000 + 1)))


def begin_two(holder, account, **params):
    """Two reports: the first is made by the holder, the second by the worker."""
    ids = [reporting.create(holder, account, **{**RANGE, **params})["request_id"] for _ in range(2)]
    for request_id in ids:
        reporting.wait(holder, account, request_id, until=("PROCESSING",), seconds=PATIENCE)
    return ids


def download(daemon, account, ended):
    answer = daemon.get(reporting.media_path(ended), account=account)
    assert answer.status == 200, str(answer)
    return answer.body


def lines_of(body):
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        return archive.read(archive.namelist()[0]).splitlines()


def files_of(daemon):
    return set(os.listdir(os.path.join(daemon.data_dir, "reports")))


def charged(daemon, account):
    """How many reports were charged, and for how many rows."""
    lines = daemon.ctl("usage", "--account", account.id)["lines"]
    return sum(line["requests"] for line in lines), sum(line["items"] for line in lines)


def once(receiver, ids):
    harness.wait_for(lambda: set(ids) <= set(receiver.ids()), PATIENCE)
    time.sleep(0.5)
    assert sorted(receiver.ids()) == sorted(ids)


def is_halfway(daemon, account, request_id):
    return 0 < reporting.status(daemon, account, request_id)["items_count"] < ROWS


@pytest.fixture
def halfway(make_pair, receivers):
    """Two reports are being made, the second by the worker."""
    holder, worker = make_pair(**SLOW)
    receiver, account = receivers(), holder.new_account()
    fill(holder, account)
    ids = begin_two(holder, account, callback_url=receiver.url())
    assert is_made_by(worker, holder) == ids[1:]
    harness.wait_for(lambda: is_halfway(worker, account, ids[1]), PATIENCE)
    return holder, worker, account, ids, receiver


def see_them_made(daemon, account, ids, receiver):
    """Each to its end, charged once and called back once."""
    ended = [wait_for_report(daemon, account, request_id) for request_id in ids]
    lines = [lines_of(download(daemon, account, one)) for one in ended]
    assert lines[0] == lines[1] and len(lines[0]) == ROWS + 1
    once(receiver, ids)
    harness.wait_for(lambda: charged(daemon, account)[0] >= 2, PATIENCE)
    assert charged(daemon, account) == (2, 2 * ROWS)
    return ended


def test_two_reports_are_made_on_two_front_ends_and_are_the_same(halfway):
    holder, worker, account, ids, receiver = halfway
    ended = see_them_made(holder, account, ids, receiver)
    assert [download(worker, account, one) for one in ended] == [download(holder, account, one) for one in ended]
    part = worker.get(reporting.media_path(ended[1]), account=account, headers={"Range": "bytes=10-29"})
    assert part.status == 206 and part.body == download(holder, account, ended[1])[10:30]
    manifests = [one["manifest"] for one in ended]
    for name in ("rows", "total_price", "first_time", "last_time"):
        assert manifests[0][name] == manifests[1][name], name
    assert "begins again" not in holder.log()
    assert not files_of(worker)


@pytest.mark.slow
def test_a_day_that_goes_meanwhile_is_in_neither(reached, tmp_path):
    settings = tmp_path / "cdrd.conf"
    settings.write_text("retention_months = 3\n")
    options = {"reports_max": "1", "report_pause": "2s"}
    holder = reached(**options)
    holder.settings_file = settings
    begin(holder)
    holder.add_producer()
    worker = reached(**options)
    begin_forwarding(worker)
    harness.wait_for(lambda: f"{url_of(worker)} makes reports, too" in holder.log(), PATIENCE)
    account = holder.new_account()
    fill(holder, account)
    long_ago = datetime.date.today() - datetime.timedelta(days=75)
    ids = begin_two(holder, account, date_start=f"{long_ago}T00:00:00+0000")
    harness.wait_for(lambda: is_made_by(worker, holder) == ids[1:], PATIENCE)
    settings.write_text("retention_months = 1\n")
    holder.reload()
    for request_id in ids:
        harness.wait_for(lambda: f"{request_id}: begins again without the days that are no longer kept" in holder.log(), PATIENCE)
    ended = [wait_for_report(holder, account, request_id) for request_id in ids]
    assert [len(lines_of(download(holder, account, one))) for one in ended] == [ROWS + 1] * 2


FORMS = [{}, {"format": "ndjson", "compression": "gzip"}, {"compression": "zstd", "dialect": "excel", "time_zone": "Europe/Paris"},
         {"format": "parquet"}, {"filters": {"status": "delivered"}, "include_subaccounts": True}]
IN_SHORT = (0, 3)


@pytest.mark.parametrize("form", [form if number in IN_SHORT else pytest.param(form, marks=pytest.mark.slow)
                                  for number, form in enumerate(FORMS)], ids=str)
def test_file_has_the_bytes_that_the_holder_makes(make_pair, form):
    holder, worker = make_pair(**SLOW)
    account = holder.new_account()
    fill(holder, account, 2000)
    params = {**form.pop("filters", {}), **form}
    ids = begin_two(holder, account, **{name: str(value).lower() if value is True else value for name, value in params.items()})
    assert is_made_by(worker, holder) == ids[1:]
    ended = [wait_for_report(holder, account, request_id) for request_id in ids][1]
    body = download(holder, account, ended)
    assert len(body) == ended["manifest"]["bytes"] and ended["manifest"]["rows"] > 0
    worker.stop()
    os.remove(os.path.join(holder.data_dir, "reports", os.path.basename(reporting.media_path(ended))))
    assert holder.get(reporting.media_path(ended), account=account).status == 503
    again = wait_for_report(holder, account, ids[1])
    assert is_made_by(worker, holder) == ids[1:]
    assert again["manifest"]["sha256"] == ended["manifest"]["sha256"] and download(holder, account, again) == body


def test_report_has_all_that_was_acknowledged_before_it_was_asked_for(make_pair):
    holder, worker = make_pair()
    harness.wait_for(lambda: takes_in(worker), PATIENCE)
    account = holder.new_account()
    time.sleep(1)
    count = 0
    for seed in range(1, 7):
        count += len(send((worker, holder)[seed % 2], account, seed))
        ids = [reporting.create(worker, account, **RANGE)["request_id"] for _ in range(3)]
        assert [wait_for_report(holder, account, request_id)["manifest"]["rows"] for request_id in ids] == [count] * 3
    assert is_made_by(worker, holder)


def test_number_that_is_erased_meanwhile_is_in_no_report(halfway):
    holder, worker, account, ids, receiver = halfway
    record = next(holder.pages(account, **RANGE, limit=1))["records"][0]
    holder.ctl("erase", "--account", account.id, "--number", record["to"])
    ended = [wait_for_report(holder, account, request_id) for request_id in ids]
    for one in ended:
        lines = lines_of(download(holder, account, one))
        assert len(lines) == ROWS + 1 and not [line for line in lines if record["to"].encode() in line]
    once(receiver, ids)


def test_what_clients_say_makes_nobody_a_maker(make_pair):
    holder, worker = make_pair()
    query = "?front_end_url=http%3a%2f%2f127.0.0.1%3a9&reports=8"
    for daemon in (holder, worker):
        for method, path in (("GET", "/readyz"), ("HEAD", "/readyz"), ("GET", "/readyz/"), ("GET", "/%72eadyz")):
            daemon.request(method, path + query)
    account = holder.new_account()
    fill(holder, account, 2000)
    for request_id in [reporting.create(worker, account, **RANGE)["request_id"] for _ in range(6)]:
        wait_for_report(holder, account, request_id)
    assert "127.0.0.1:9" not in holder.log()


def test_worker_that_is_killed_is_replaced(halfway):
    holder, worker, account, ids, receiver = halfway
    worker.kill9()
    assert not files_of(worker)  # nothing of a customer's is left on a host that may never start again
    see_them_made(holder, account, ids, receiver)
    assert f"{ids[1]}: begins again" in holder.log()


@pytest.mark.slow
def test_what_a_killed_worker_made_goes_to_another_one(make_pair, reached):
    holder, worker = make_pair(**SLOW)
    other = begin_forwarding(reached(reports_max="1", **SLOW))
    harness.wait_for(lambda: f"{url_of(other)} makes reports, too" in holder.log(), PATIENCE)
    account = holder.new_account()
    fill(holder, account)
    ids = begin_two(holder, account)
    lost, left = (worker, other) if is_made_by(worker, holder) else (other, worker)
    assert is_made_by(lost, holder) == ids[1:]
    lost.kill9()
    ended = [wait_for_report(holder, account, request_id) for request_id in ids]
    assert is_made_by(left, holder) == ids[1:]
    assert lines_of(download(holder, account, ended[0])) == lines_of(download(holder, account, ended[1]))


@pytest.mark.slow
def test_worker_that_ends_is_replaced(halfway):
    holder, worker, account, ids, receiver = halfway
    worker.stop()
    assert worker.log_seconds("SIGTERM: ending", "main: ended") < 4  # it does not wait for what it makes
    see_them_made(holder, account, ids, receiver)
    assert not files_of(worker)


@pytest.mark.slow
def test_worker_that_is_stopped_is_replaced_and_may_come_back(halfway):
    holder, worker, account, ids, receiver = halfway
    worker.process.send_signal(signal.SIGSTOP)
    ended = see_them_made(holder, account, ids, receiver)
    worker.process.send_signal(signal.SIGCONT)
    harness.wait_for(lambda: "nobody waits for it any more" in worker.log(), PATIENCE)
    worker.await_ready(PATIENCE)
    assert download(worker, account, ended[1]) == download(holder, account, ended[1])


def test_holder_that_is_killed_is_replaced_by_its_worker(halfway):
    holder, worker, account, ids, receiver = halfway
    holder.kill9()
    harness.wait_for(lambda: holds(worker), PATIENCE)
    see_them_made(worker, account, ids, receiver)
    begin_forwarding(holder)


@pytest.mark.slow
def test_holder_that_is_stopped_is_replaced_by_its_worker(halfway):
    holder, worker, account, ids, receiver = halfway
    holder.process.send_signal(signal.SIGSTOP)
    harness.wait_for(lambda: holds(worker), PATIENCE)
    see_them_made(worker, account, ids, receiver)
    holder.process.send_signal(signal.SIGCONT)
    assert holder.process.wait(PATIENCE) == 1
    holder.process = None


def test_cancelled_report_is_made_no_further(halfway):
    holder, worker, account, ids, receiver = halfway
    assert reporting.cancel(worker, account, ids[1]).status == 200
    harness.wait_for(lambda: "nobody waits for it any more" in worker.log(), PATIENCE)
    assert reporting.status(holder, account, ids[1])["request_status"] == "ABORTED"
    ended = wait_for_report(holder, account, ids[0])
    assert files_of(holder) == {os.path.basename(reporting.media_path(ended))}
    once(receiver, ids)
    assert charged(holder, account) == (1, ROWS)


def test_deleted_and_expired_files_are_on_no_front_end(make_pair):
    holder, worker = make_pair(report_file_keep="3s", **SLOW)
    account = holder.new_account()
    fill(holder, account, 2000)
    ids = begin_two(holder, account)
    assert is_made_by(worker, holder) == ids[1:]
    for request_id in ids:
        wait_for_report(worker, account, request_id)
    harness.wait_for(lambda: not files_of(holder) and not files_of(worker), PATIENCE)


@pytest.mark.slow
def test_each_front_end_makes_as_many_at_once_as_it_may(make_pair):
    holder, worker = make_pair(**SLOW)
    account = holder.new_account()
    fill(holder, account, 2000)
    ids = [reporting.create(worker, account, **RANGE)["request_id"] for _ in range(4)]
    most = 0
    while ids:
        states = [reporting.status(holder, account, request_id)["request_status"] for request_id in ids]
        most = max(most, states.count("PROCESSING"))
        ids = [request_id for request_id, state in zip(ids, states) if state != "SUCCESS"]
    assert most == 2 and is_made_by(worker, holder)


def test_worker_without_room_on_its_disk_is_not_asked(reached):
    options = {"reports_max": "1", **SLOW}
    holder = begin(reached(**options))
    holder.add_producer()
    worker = begin_forwarding(reached(**options, disk_min_free="1000T"))
    harness.wait_for(lambda: takes_in(worker), PATIENCE)
    account = holder.new_account()
    fill(holder, account, 2000)
    ids = [reporting.create(holder, account, **RANGE)["request_id"] for _ in range(2)]
    for request_id in ids:
        wait_for_report(holder, account, request_id)
    assert not is_made_by(worker, holder)


def test_worker_that_reads_otherwise_refuses(reached):
    options = {"reports_max": "1", **SLOW}
    holder = begin(reached(**options))
    holder.add_producer()
    worker = reached(**options)
    # the same servers, but who knows that of names
    worker.options["clickhouse"] = worker.options["clickhouse"].replace("127.0.0.1", "localhost")
    assert worker.options["clickhouse"] != holder.options["clickhouse"]
    begin_forwarding(worker)
    harness.wait_for(lambda: f"{url_of(worker)} makes reports, too" in holder.log(), PATIENCE)
    account = holder.new_account()
    fill(holder, account, 2000)
    ids = [reporting.create(holder, account, **RANGE)["request_id"] for _ in range(2)]
    for request_id in ids:
        wait_for_report(holder, account, request_id)
    assert is_made_by(worker, holder) == ids[1:]
    assert "clickhouse_database" in worker.log() and f"{ids[1]}: begins again" in holder.log()


def test_orders_of_others_are_refused(make_pair):
    holder, worker = make_pair()
    for daemon in (holder, worker):
        assert daemon.request("POST", "/front-ends/reports", b"x" * 100).status == 404
        assert daemon.request("POST", "/front-ends/reports", b"x" * 100, {"Cdrd-Forwarded": "AAAA"}).status == 503
