# SPDX-License-Identifier: ISC
"""The admin socket: its protocol, who may use it, and what it does with clients that behave badly."""
import concurrent.futures
import contextlib
import csv
import grp
import io
import json
import os
import pwd
import socket
import stat
import struct
import subprocess
import sys
import time
import uuid

import pytest

import harness
from harness import wait_for
from samples import NOON, SECOND, many_sms, sms, whole_day

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="must be root to be somebody else")
CHUNK_END = struct.pack(">I", 0)


class Client:
    """One connection to the admin socket, speaking the protocol by hand."""

    def __init__(self, daemon, timeout=120):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout)
        self.socket.connect(daemon.socket)
        self.lines = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.lines.close()
        self.socket.close()

    def send(self, *requests):
        self.socket.sendall(b"".join(json.dumps(r).encode() + b"\n" for r in requests))

    def line(self):
        """The next line, or None when the daemon has closed the connection."""
        try:
            line = self.lines.readline()
        except ConnectionResetError:
            return None
        assert line == b"" or line.endswith(b"\n"), line
        return json.loads(line) if line else None

    def answer(self):
        """The next line that is no progress."""
        while True:
            line = self.line()
            if line is None or "progress" not in line:
                return line

    def ask(self, command, **args):
        self.send({"command": command, "args": args})
        return self.answer()

    def begin_import(self, **args):
        self.send({"command": "import", "args": {"file": "test", **args}})

    def chunk(self, data):
        self.socket.sendall(struct.pack(">I", len(data)) + data)

    def end(self):
        self.socket.sendall(CHUNK_END)


# --- requests and answers ---

def test_a_line_is_answered_with_a_line(daemon):
    with Client(daemon) as client:
        assert client.ask("log-level") == {"ok": True, "result": {"level": "info"}}
        assert client.ask("account show", id="nobody00") == {
            "ok": False, "error": "account nobody00: no such account", "code": "not_found"}
        assert client.ask("log-level")["ok"], "an error of a command does not end the connection"


def test_a_command_without_result_answers_null(daemon, account):
    with Client(daemon) as client:
        assert client.ask("account enable", id=account.id) == {"ok": True, "result": None}


def test_arguments_may_be_left_out(daemon):
    with Client(daemon) as client:
        client.send({"command": "log-level"})
        assert client.answer()["ok"]


def test_requests_sent_at_once_are_answered_in_order(daemon):
    names = [p["name"] for p in daemon.ctl("products")]
    with Client(daemon) as client:
        client.send(*({"command": "products", "args": {"product": name}} for name in names * 20))
        assert [client.answer()["result"]["name"] for _ in names * 20] == names * 20


def test_a_request_may_come_byte_by_byte(daemon):
    with Client(daemon) as client:
        for byte in b'{"command":"log-level"}\n':
            client.socket.sendall(bytes([byte]))
        assert client.answer()["ok"]


def test_a_client_that_has_ended_its_sending_side_still_gets_its_answers(daemon):
    with Client(daemon) as client:
        client.send({"command": "status"}, {"command": "log-level"})
        client.socket.shutdown(socket.SHUT_WR)
        assert [client.answer()["ok"], client.answer()["ok"]] == [True, True]
        assert client.line() is None


WRONG_REQUESTS = {
    b"nonsense": "JSON",
    b"": "JSON",
    b"[]": "object",
    b"{}": "command",
    b'{"command":7}': "command",
    b'{"command":"nonsense"}': "nonsense",
    b'{"command":"account  list"}': "account  list",
    b'{"command":"account show"}': "ID",
    b'{"command":"account show","args":[]}': "args",
    b'{"command":"account show","args":{"id":{}}}': "id",
    b'{"command":"account list","args":{"smell":"nice"}}': "smell",
    b'{"command":"status","args":{"all":"yes"}}': "all",
    b'{"command":"account show","args":{"id":"abc\\u0000"}}': "NUL",
    b'{"command":"log-level"}\x00': "NUL",
    b'{"command":"log\xfflevel"}': "JSON",
    b"[" * 5000: "deep",
    b'{"command":"log-level"} {}': "JSON",
}


@pytest.mark.parametrize("request_line", WRONG_REQUESTS, ids=range(len(WRONG_REQUESTS)))
def test_a_wrong_request_is_an_error_that_says_why_and_ends_the_connection(daemon, request_line):
    with Client(daemon) as client:
        client.socket.sendall(request_line + b"\n")
        answer = client.answer()
        assert answer["ok"] is False and WRONG_REQUESTS[request_line] in answer["error"], answer
        assert answer["code"] in ("invalid", "not_found"), answer
        assert client.line() is None


def test_a_line_of_more_than_a_mebibyte_is_refused(daemon):
    with Client(daemon) as client:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            client.socket.sendall(b'{"command":"' + b"x" * (2 << 20))
        answer = client.answer()
        assert answer["code"] == "limit" and "1048576" in answer["error"], answer


def test_a_line_of_nearly_a_mebibyte_is_read(daemon, account):
    sets = ["field%05d=%s" % (i, "x" * 200) for i in range(4000)]
    with Client(daemon) as client:
        assert client.ask("quarantine replay", number="987654", set=sets)["code"] == "not_found"


def test_a_client_that_reads_nothing_disturbs_nobody(daemon):
    before_kib = daemon.memory_kib("RssAnon")
    with Client(daemon) as client:
        client.socket.settimeout(0.5)
        with contextlib.suppress(socket.timeout):
            for _ in range(5000):
                client.send({"command": "products", "args": {"product": "SMS"}})
        assert daemon.ctl("status")
        grown_mib = (daemon.memory_kib("RssAnon") - before_kib) / 1024
        assert grown_mib < 16, f"memory grew by {grown_mib:.0f} MiB for a client that does not read"
        client.socket.settimeout(120)
        assert client.answer()["result"]["name"] == "SMS"


def test_65_connections_are_too_many(daemon):
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Client(daemon)) for _ in range(64)]
        assert all(client.ask("log-level")["ok"] for client in clients)
        with Client(daemon) as one_more:
            answer = one_more.answer()
            assert answer["code"] == "limit" and "64" in answer["error"], answer
    wait_for(lambda: daemon.ctl_run("log-level").returncode == 0)


def test_clients_that_leave_at_any_moment_leave_nothing_behind(daemon, account):
    record = json.dumps(sms(account)).encode() + b"\n"
    begun = b'{"command":"import","args":{"file":"x"}}\n'
    for data in (b"", b"{", b'{"command":"status"}\n', begun, begun + b"\0\0", begun + struct.pack(">I", 100) + b"{",
                 begun + struct.pack(">I", len(record)) + record,
                 begun + struct.pack(">I", len(record)) + record + CHUNK_END,
                 b'{"command":"quarantine replay","args":{"number":"all"}}\n'):
        for _ in range(5):
            with Client(daemon) as client:
                client.socket.sendall(data)
    wait_for(lambda: daemon.ctl("status")["loop"]["events"] > 0)
    with Client(daemon) as client:
        assert client.ask("status")["ok"]


# --- import ---

def count(answer):
    return [answer["result"][name] for name in ("accepted", "updated", "duplicates", "rejected")]


@pytest.mark.parametrize("size", [1, 7, 1000, 65536, 1 << 20])
def test_import_takes_chunks_of_any_size(daemon, account, size):
    body = harness.encode(many_sms(account, 20 if size < 100 else 3000, step=SECOND / 10), "ndjson")
    with Client(daemon) as client:
        client.begin_import()
        for at in range(0, len(body), size):
            client.chunk(body[at:at + size])
        client.end()
        assert count(client.answer()) == [body.count(b"\n"), 0, 0, 0]


def test_import_sent_all_at_once_with_other_commands_around_it(daemon, account):
    body = harness.encode(many_sms(account, 5), "ndjson")
    request = b'{"command":"import","args":{"file":"x"}}\n'
    with Client(daemon) as client:
        client.socket.sendall(b'{"command":"log-level"}\n' + request + struct.pack(">I", len(body)) + body + CHUNK_END +
                              b'{"command":"log-level"}\n' + request + CHUNK_END + b'{"command":"log-level"}\n')
        client.socket.shutdown(socket.SHUT_WR)
        answers = [client.answer() for _ in range(5)]
        assert [a["ok"] for a in answers] == [True] * 5, answers
        assert count(answers[1]) == [5, 0, 0, 0]
        assert count(answers[3]) == [0, 0, 0, 0]
        assert client.line() is None


def test_imports_sent_ahead_are_answered_in_order_and_other_commands_after_them(daemon, account):
    bodies = [harness.encode(many_sms(account, number % 7), "ndjson") for number in range(600)]  # more than are left at once
    status = b'{"command":"status"}\n'
    with Client(daemon) as client:
        before = client.ask("status")["result"]["ingest"]["accepted"]
        request = b'{"command":"import","args":{"file":"x"}}\n'
        ahead = b"".join(request + (struct.pack(">I", len(body)) + body if body else b"") + CHUNK_END for body in bodies)
        with concurrent.futures.ThreadPoolExecutor() as pool:
            sending = pool.submit(client.socket.sendall, ahead + status + request + CHUNK_END)
            answers = [client.answer() for _ in range(602)]
            sending.result()
        client.socket.shutdown(socket.SHUT_WR)
        assert client.line() is None
    assert [sum(count(answer)) for answer in answers[:600]] == [number % 7 for number in range(600)]
    assert answers[600]["result"]["ingest"]["accepted"] - before == sum(number % 7 for number in range(600))
    assert count(answers[601]) == [0, 0, 0, 0]


@pytest.mark.parametrize("request_line, body, word", [
    (b'{"command":"import","args":{"file":"x","format":"csv"}}', b"what,is,this\n1,2,3\n", "header"),
    (b'{"command":"import","args":{"file":"x","format":"xml"}}', b"<a/>", "xml"),
    (b'{"command":"impart"}', b"", "impart"),
    (b'nonsense', b"", ""),
])
def test_what_was_sent_ahead_after_an_import_that_fails_is_not_begun(daemon, account, request_line, body, word):
    right = b'{"command":"import","args":{"file":"x"}}\n'
    records = many_sms(account, 3)
    bodies = [harness.encode([record], "ndjson") for record in records]
    first, second, last = (right + struct.pack(">I", len(body)) + body + CHUNK_END for body in bodies)
    with Client(daemon) as client:
        client.socket.sendall(first + second + request_line + b"\n" + struct.pack(">I", len(body)) + body + CHUNK_END + last)
        answers = [client.answer() for _ in range(3)]
        assert [answer["ok"] for answer in answers] == [True, True, False], answers
        assert word in answers[2]["error"]
        assert client.line() is None
    stored = daemon.records(account, product="SMS", direction="outbound", **whole_day())["records"]
    assert sorted(record["id"] for record in stored) == sorted(record["id"] for record in records[:2])


def test_import_says_how_far_it_is(daemon, account):
    record = harness.encode(many_sms(account, 500), "ndjson")
    with Client(daemon) as client:
        client.begin_import()
        progress = []
        while len(progress) < 2 or progress[-1]["duplicates"] == 0:  # a cluster says later what became of a record
            client.chunk(record)
            client.socket.settimeout(0.3)
            with contextlib.suppress(TimeoutError):
                progress.append(json.loads(client.socket.recv(1 << 16).split(b"\n")[0])["progress"])
        assert progress[1]["done_bytes"] > progress[0]["done_bytes"] > 0
        assert progress[0]["accepted"] <= 500 and progress[-1]["accepted"] == 500


def test_import_of_csv_names_its_product(daemon, account):
    record = sms(account)
    body = harness.encode([{k: v for k, v in record.items() if k != "product"}], "csv")
    with Client(daemon) as client:
        client.begin_import(format="csv", product="SMS")
        client.chunk(body)
        client.end()
        assert count(client.answer()) == [1, 0, 0, 0]


@pytest.mark.parametrize("args, word", [({"format": "xml"}, "xml"), ({"product": "SMOKE"}, "SMOKE"),
                                        ({"smell": "nice"}, "smell")])
def test_import_with_wrong_arguments_is_refused_and_its_body_not_taken_for_commands(daemon, args, word):
    with Client(daemon) as client:
        client.begin_import(**args)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            client.chunk(b'{"command":"shutdown"}\n' * 1000)
            client.end()
        answer = client.answer()
        assert answer["ok"] is False and word in answer["error"], answer
        assert client.line() is None
    assert daemon.ctl("status")


def test_an_import_that_is_cut_keeps_what_was_whole(daemon, account):
    records = many_sms(account, 50)
    body = harness.encode(records, "ndjson")
    request = b'{"command":"import","args":{"file":"x"}}\n'
    with Client(daemon) as client:
        client.socket.sendall(request + struct.pack(">I", len(body)) + body[:-10])
    wait_for(lambda: len(daemon.records(account, product="SMS", direction="outbound", **whole_day())["records"]) == 49)


def test_an_import_before_one_that_is_cut_is_answered_if_the_client_still_reads(daemon, account):
    bodies = [harness.encode([record], "ndjson") for record in many_sms(account, 2)]
    request = b'{"command":"import","args":{"file":"x"}}\n'
    whole, cut = (request + struct.pack(">I", len(body)) + body for body in bodies)
    with Client(daemon) as client:
        client.socket.sendall(whole + CHUNK_END + cut)
        client.socket.shutdown(socket.SHUT_WR)
        assert count(client.answer()) == [1, 0, 0, 0]
        assert client.line() is None


def test_an_import_that_finds_no_room_ends_at_once(daemons):
    daemon = daemons(day_map_size="16M", commit_records_max=500)
    account = daemon.new_account()
    records = many_sms(account, 1000, step=SECOND / 100)
    with Client(daemon) as client:
        client.begin_import()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for _ in range(200):
                client.chunk(harness.encode([{**record, "id": str(uuid.uuid4())} for record in records], "ndjson"))
            pytest.fail("200,000 records went into 16 MiB")
        assert client.answer()["code"] == "full"
        assert client.line() is None
    assert daemon.ctl("log-level")


def test_a_large_import_takes_bounded_memory(daemons):
    daemon = daemons(start=False)
    daemon.start({"ASAN_OPTIONS": "quarantine_size_mb=1"})
    account = daemon.new_account()
    body = harness.encode(many_sms(account, 2000, step=SECOND / 10), "ndjson")
    with Client(daemon, timeout=120) as client:
        client.begin_import()
        client.chunk(body)

        def rests():
            before = daemon.cpu_seconds()
            time.sleep(0.5)
            return daemon.cpu_seconds() - before < 0.05

        wait_for(rests)
        before_kib = daemon.memory_kib("RssAnon")
        peak_kib = 0
        for _ in range(50):
            client.chunk(body)
            peak_kib = max(peak_kib, daemon.memory_kib("RssAnon"))
        client.end()
        assert count(client.answer()) == [2000, 0, 100_000, 0]
    assert (peak_kib - before_kib) / 1024 < 32, f"memory grew by {(peak_kib - before_kib) // 1024} MiB"


# --- who may use it ---

def ask_as(user, group, path, groups=()):
    """Sends a request as another user: the answer, or the name of the error that connecting ended with."""
    code = ("import os, socket, sys\n"
            "user, group, *groups = map(int, sys.argv[2:])\n"
            "os.setgroups(groups); os.setgid(group); os.setuid(user)\n"
            "s = socket.socket(socket.AF_UNIX)\n"
            "try:\n"
            "    s.connect(sys.argv[1])\n"
            "    s.sendall(b'{\"command\":\"log-level\"}\\n')\n"
            "except OSError as e:\n"
            "    if not isinstance(e, BrokenPipeError):\n"
            "        print(type(e).__name__); sys.exit()\n"
            "print(s.makefile().readline())\n")
    ended = subprocess.run([sys.executable, "-c", code, path, *map(str, (user, group, *groups))], capture_output=True,
                           text=True, timeout=120)
    assert ended.returncode == 0, ended
    return ended.stdout.strip()


@pytest.fixture(scope="module")
def stranger():
    """An account of the system that is not ours, and a group that it is not in."""
    user = pwd.getpwnam("nobody")
    other = next(g for g in grp.getgrall() if g.gr_gid not in (0, user.pw_gid) and not g.gr_mem)
    return user, other


@needs_root
def test_other_users_cannot_connect(daemon, stranger):
    user, _ = stranger
    os.chmod(daemon.directory, 0o755)
    assert stat.S_IMODE(os.stat(daemon.socket).st_mode) == 0o660
    assert ask_as(user.pw_uid, user.pw_gid, daemon.socket) == "PermissionError"


@needs_root
def test_other_users_are_refused_even_if_the_file_lets_them_in(own_daemon, stranger):
    user, _ = stranger
    os.chmod(own_daemon.directory, 0o755)
    os.chmod(own_daemon.socket, 0o666)
    answer = json.loads(ask_as(user.pw_uid, user.pw_gid, own_daemon.socket))
    assert answer["code"] == "forbidden" and str(user.pw_uid) in answer["error"], answer
    assert str(user.pw_uid) in own_daemon.log()


@pytest.mark.skipif(harness.IS_SANDBOXED, reason="the unit must be told of the group, as it says")
@needs_root
def test_members_of_admin_group_may(daemons, stranger):
    user, other = stranger
    daemon = daemons(admin_group=other.gr_name)
    os.chmod(daemon.directory, 0o755)
    file = os.stat(daemon.socket)
    assert (file.st_gid, stat.S_IMODE(file.st_mode)) == (other.gr_gid, 0o660)
    assert json.loads(ask_as(user.pw_uid, other.gr_gid, daemon.socket))["ok"]
    assert json.loads(ask_as(user.pw_uid, user.pw_gid, daemon.socket, [other.gr_gid]))["ok"]
    assert ask_as(user.pw_uid, user.pw_gid, daemon.socket) == "PermissionError"


# --- the socket's file ---

def fails_to_start(daemons, **options):
    daemon = daemons(start=False, **options)
    ended = subprocess.run(daemon.command(), capture_output=True, text=True, timeout=120)
    assert ended.returncode != 0, ended
    return ended.stderr


def test_a_group_that_does_not_exist_is_named(daemons):
    assert "no-such-group" in fails_to_start(daemons, admin_group="no-such-group")


def test_a_file_that_is_no_socket_is_left_alone(daemons, tmp_path):
    path = tmp_path / "precious"
    path.write_text("data")
    assert str(path) in fails_to_start(daemons, admin_socket=str(path))
    assert path.read_text() == "data"


def test_a_path_that_is_too_long_is_named(daemons):
    assert "107" in fails_to_start(daemons, admin_socket="/tmp/" + "x" * 200)


def test_a_directory_that_does_not_exist_is_named(daemons, tmp_path):
    assert "/none/admin.sock" in fails_to_start(daemons, admin_socket=str(tmp_path / "none" / "admin.sock"))


def test_the_socket_is_gone_after_the_end(own_daemon):
    own_daemon.stop()
    assert not os.path.exists(own_daemon.socket)


def test_a_file_that_took_the_sockets_place_is_left_alone(own_daemon):
    os.unlink(own_daemon.socket)
    with open(own_daemon.socket, "w") as file:
        file.write("somebody else's")
    own_daemon.stop()
    assert os.path.exists(own_daemon.socket)
    os.unlink(own_daemon.socket)


# --- commands ---

def test_secrets_are_never_logged(daemon, account):
    made = [daemon.ctl("account", "add", "logged01")["secret"], daemon.ctl("secret", "add", account.id)["secret"],
            daemon.ctl("producer", "add", "logged")["secret"]]
    daemon.ctl("account", "add", "logged02", "--secret", "a-secret-of-the-test")
    log = daemon.log()
    assert "account logged01 added" in log
    assert not [secret for secret in [*made, "a-secret-of-the-test"] if secret in log]


def test_account_show_names_subaccounts_and_secrets(daemon, account):
    children = [daemon.new_account(parent=account).id for _ in range(3)]
    daemon.ctl("secret", "add", account.id)
    shown = daemon.ctl("account", "show", account.id)
    assert shown["subaccounts"] == sorted(children)
    assert [s["number"] for s in shown["secrets"]] == [1, 2]
    assert daemon.ctl("account", "show", children[0])["parent"] == account.id


def test_a_revoked_number_is_never_used_again(daemon, account):
    assert daemon.ctl("secret", "add", account.id)["number"] == 2
    daemon.ctl("secret", "revoke", account.id, "2")
    assert daemon.ctl("secret", "add", account.id)["number"] == 3
    assert [s["number"] for s in daemon.ctl("secret", "list", account.id)] == [1, 3]


def test_account_list_is_whole_however_many_there_are(own_daemon):
    ids = ["many%04d" % i for i in range(260)]
    with Client(own_daemon) as client:
        for at in range(0, len(ids), 20):
            client.send(*({"command": "account add", "args": {"id": id, "secret": harness.SECRET}}
                          for id in ids[at:at + 20]))
            assert all(client.answer()["ok"] for _ in range(20))
    assert [a["id"] for a in own_daemon.ctl("account", "list")] == ids


FAMILIES = (b"id,parent,plan\n"
            + b"".join(b"prim%04d,,%s\n" % (i, b"basic" if i == 3 else b"") for i in range(4))
            + b"".join(b"kid%d%04d,prim%04d,\n" % (i % 2, i, i % 2) for i in range(1200)))


@pytest.fixture(scope="module")
def families():
    """Four primary accounts, of which the first two have 600 subaccounts each."""
    daemon = harness.Daemon(plans="basic: month 5", plan_default="basic").start()
    daemon.ctl("account", "import", "-", stdin=FAMILIES)
    for id in ("kid00000", "kid10001"):
        daemon.ctl("account", "disable", id)
    for id in ("kid00000", "kid00002"):
        daemon.ctl("account", "delete", id)
    yield daemon
    daemon.stop()
    daemon.check()
    daemon.remove()


ALL_IDS = sorted(line.split(b",")[0].decode() for line in FAMILIES.splitlines()[1:])


@pytest.mark.parametrize("options, wanted", [
    ([], ALL_IDS),
    (["--parent", "prim0001"], [i for i in ALL_IDS if i.startswith("kid1")]),
    (["--parent", "prim0003"], []),
    (["--parent", "-"], ["prim0000", "prim0001", "prim0002", "prim0003"]),
    (["--state", "disabled"], ["kid10001"]),
    (["--state", "deleted"], ["kid00000", "kid00002"]),
    (["--state", "deleted", "--parent", "prim0001"], []),
    (["--state", "enabled", "--prefix", "kid0000"], ["kid00004", "kid00006", "kid00008"]),
    (["--plan", "basic"], ["prim0003"]),
    (["--plan", "-", "--parent", "-"], ["prim0000", "prim0001", "prim0002"]),
    (["--prefix", "prim"], ["prim0000", "prim0001", "prim0002", "prim0003"]),
    (["--prefix", "prim", "--after", "kid00004", "--limit", "2"], ["prim0000", "prim0001"]),
    (["--prefix", "prim", "--after", "prim0001"], ["prim0002", "prim0003"]),
    (["--prefix", "nobody"], []),
    (["--prefix", "prim00000"], []),
    (["--parent", "prim0000", "--after", "kid01190"], ["kid01192", "kid01194", "kid01196", "kid01198"]),
    (["--parent", "prim0000", "--prefix", "kid0119", "--limit", "1"], ["kid01190"]),
    (["--after", "kid01190", "--limit", "2"], ["kid01192", "kid01194"]),
    (["--after", "kid0119"], [i for i in ALL_IDS if i > "kid0119"]),
    (["--after", "zzzzzzzzz"], []),
])
def test_account_list_shows_those_that_match_all_filters(families, options, wanted):
    assert [a["id"] for a in families.ctl("account", "list", *options)] == wanted


def test_account_list_is_given_page_by_page(families):
    listed, after = [], None
    with Client(families) as client:
        while True:
            args = {"parent": "prim0000", "limit": 250, **({"after": after} if after else {})}
            client.send({"command": "account list", "args": args})
            page = [a["id"] for a in client.answer()["result"]]
            listed += page
            if len(page) < 250:
                break
            after = page[-1]
    assert listed == [i for i in ALL_IDS if i.startswith("kid0")]


def test_account_list_is_written_as_csv(families):
    run = subprocess.run([harness.program("cdrctl"), "-s", families.socket, "account", "list", "--csv"],
                         capture_output=True, timeout=60, check=True)
    rows = {row["id"]: row for row in csv.DictReader(io.StringIO(run.stdout.decode()))}
    assert list(rows) == ALL_IDS
    assert (rows["prim0003"]["plan"], rows["prim0003"]["secrets"], rows["prim0003"]["deleted"]) == ("basic", "0", "")
    assert (rows["kid00002"]["parent"], rows["kid00002"]["secrets"]) == ("prim0000", "0")
    assert rows["kid00002"]["deleted"].startswith("20")


@pytest.mark.parametrize("options, why", [
    (["--state", "asleep"], '--state: "asleep": must be enabled, disabled or deleted'),
    (["--parent", "nobody01"], "account nobody01: no such account"),
    (["--limit", "0"], "limit"),
])
def test_filters_of_account_list_are_checked(families, options, why):
    run = families.ctl_run("account", "list", *options)
    assert run.returncode != 0
    assert why in run.stderr.decode()


def test_account_list_shows_who_is_disabled(daemon, account):
    def disabled():
        return next(a["disabled"] for a in daemon.ctl("account", "list") if a["id"] == account.id)
    assert disabled() is False
    daemon.ctl("account", "disable", account.id)
    assert disabled() is True
    daemon.ctl("account", "enable", account.id)
    assert disabled() is False


def test_producers_are_listed_without_their_secrets(daemon):
    listed = daemon.ctl("producer", "list")
    assert "carrier" in [p["name"] for p in listed]
    assert set(listed[0]) == {"name", "created"}


def settings_of(daemon, name):
    listed = next(p for p in daemon.ctl("producer", "list") if p["name"] == name)
    return {key: value for key, value in listed.items() if key not in ("name", "created")}


def test_settings_of_a_producer_are_set_changed_cleared_and_listed(own_daemon):
    own_daemon.ctl("producer", "add", "switch", "--secret", harness.SECRET, "--mode", "merge", "--time-zone", "Europe/Berlin")
    assert settings_of(own_daemon, "switch") == {"mode": "merge", "time_zone": "Europe/Berlin"}
    own_daemon.ctl("producer", "set", "switch", "--version=seq", "--encoding=WINDOWS-1252", "--mode=")
    own_daemon.restart()
    assert settings_of(own_daemon, "switch") == {"version": "seq", "time_zone": "Europe/Berlin",
                                                 "encoding": "WINDOWS-1252"}
    assert own_daemon.post_body(b"", auth=("switch", harness.SECRET)).status == 200


@pytest.mark.parametrize("arguments, complaint", [
    (["--mode", "both"], '--mode: "both": must be replace or merge'),
    (["--time-zone", "Mars/Olympus"], '--time-zone: "Mars/Olympus": must be a time zone'),
    (["--encoding", "latin9000"], '--encoding: "latin9000": must be an encoding'),
    (["--version", "a b"], '--version: "a b": must be the name of a field'),
    ([], "nothing to set"),
])
def test_settings_of_a_producer_that_cannot_be_are_refused(daemon, arguments, complaint):
    with pytest.raises(harness.CtlError, match=complaint):
        daemon.ctl("producer", "set", harness.PRODUCER[0], *arguments)
    assert settings_of(daemon, harness.PRODUCER[0]) == {}


def test_log_level_takes_effect_at_once(own_daemon):
    assert own_daemon.ctl("log-level") == {"level": "info"}
    own_daemon.ctl("log-level", "debug")
    own_daemon.ctl("status")
    assert " debug admin: status " in own_daemon.log()
    with pytest.raises(harness.CtlError, match="loud"):
        own_daemon.ctl("log-level", "loud")
    own_daemon.ctl("log-level", "info")


def test_shutdown_ends_the_daemon_cleanly(own_daemon):
    record = sms(own_daemon.new_account())
    own_daemon.post_cdrs([record])
    own_daemon.ctl("shutdown")
    assert own_daemon.process.wait(harness.STOP_SECONDS) == 0
    own_daemon.process = None
    own_daemon.start()
    assert own_daemon.post_cdrs([record])["duplicates"] == 1


def test_status_has_a_section_a_module(daemon):
    status = daemon.ctl("status")
    assert status["version"] and status["pid"] == daemon.process.pid
    assert status["uptime_seconds"] >= 0 and status["memory_bytes"] > 0
    assert status["http"]["port"] == daemon.port
    assert {"store", "ingest", "quarantine", "http", "loop"} <= set(status)


def test_status_all_counts_the_records_of_every_day(own_daemon):
    account = own_daemon.new_account()
    own_daemon.post_cdrs(many_sms(account, 10, step=3600 * SECOND, start=NOON))
    own_daemon.restart()
    store = own_daemon.ctl("status", "--all")["store"]
    assert (store["records"], store["days"]) == (10, 1), store


# --- quarantine ---

@pytest.fixture
def rejected(own_daemon):
    """1,200 records in quarantine that would be taken if their account existed, and two that never will."""
    account = harness.Account("later000")
    own_daemon.post_cdrs([*many_sms(account, 600), sms(account, smell="nice"), *many_sms(account, 600, NOON - SECOND)])
    own_daemon.post_body(b"nonsense\n")
    return own_daemon, account


def test_quarantine_list_has_a_limit(rejected):
    daemon, _ = rejected
    assert [e["number"] for e in daemon.ctl("quarantine", "list", "--limit", "3")] == [1, 2, 3]
    assert len(daemon.ctl("quarantine", "list")) == 1000
    assert len(daemon.ctl("quarantine", "list", "--limit", "5000")) == 1202
    assert daemon.ctl("status")["quarantine"]["records"] == 1202


def test_replay_of_all_takes_what_is_right_and_keeps_the_others_under_their_numbers(rejected):
    daemon, account = rejected
    hopeless = [601, 1202]
    result = daemon.ctl("quarantine", "replay", "all")
    assert (result["accepted"], result["rejected"]) == (0, 1202)
    assert len(daemon.ctl("quarantine", "list", "--limit", "5000")) == 1202
    daemon.ctl("account", "add", account.id, "--secret", account.secret)
    result = daemon.ctl("quarantine", "replay", "all")
    assert (result["accepted"], result["rejected"]) == (1200, 2), result
    assert [e["number"] for e in result["errors"]] == hopeless, result
    assert [e["number"] for e in daemon.ctl("quarantine", "list")] == hopeless
    pages = daemon.pages(account, product="SMS", direction="outbound", **whole_day())
    assert sum(len(page["records"]) for page in pages) == 1200


def test_replay_of_one_that_is_still_wrong_is_an_error_with_the_reason(rejected):
    daemon, account = rejected
    daemon.ctl("account", "add", account.id, "--secret", account.secret)
    with pytest.raises(harness.CtlError, match="601.*smell"):
        daemon.ctl("quarantine", "replay", "601")
    with pytest.raises(harness.CtlError, match="987654"):
        daemon.ctl("quarantine", "replay", "987654")
    with pytest.raises(harness.CtlError, match="FIELD=VALUE"):
        daemon.ctl("quarantine", "replay", "601", "--set", "smell")
    with pytest.raises(harness.CtlError, match="1202.*JSON"):
        daemon.ctl("quarantine", "replay", "1202", "--set", "smell=")


def test_replay_mends_what_set_names_and_nothing_else(rejected):
    daemon, account = rejected
    daemon.ctl("account", "add", account.id, "--secret", account.secret)
    record = daemon.ctl("quarantine", "show", "1")["record"]
    daemon.ctl("quarantine", "replay", "1", "--set", "status=failed", "--set", "to=a=b", "--set", "status=expired")
    stored = daemon.records(account, product="SMS", direction="outbound", include_message="true", **whole_day())
    assert len(stored["records"]) == 1
    wanted = {**record, "status": "expired", "to": "a=b"}
    del wanted["product"]
    assert {name: stored["records"][0][name] for name in wanted} == wanted


def test_a_client_that_leaves_a_replay_ends_it_soon(rejected):
    daemon, account = rejected
    daemon.ctl("account", "add", account.id, "--secret", account.secret)
    with Client(daemon) as client:
        client.send({"command": "quarantine replay", "args": {"number": "all"}})
    left = daemon.ctl("status")["quarantine"]["records"]

    def has_ended():
        before = daemon.admin("status")["quarantine"]["records"]
        time.sleep(0.3)
        return daemon.admin("status")["quarantine"]["records"] == before

    wait_for(has_ended)
    assert daemon.ctl("status")["quarantine"]["records"] <= left
    taken = daemon.ctl("status", "--all")["store"]["records"]
    assert taken + daemon.ctl("status")["quarantine"]["records"] == 1202


def test_drop_of_all_is_done_in_slices(rejected):
    daemon, _ = rejected
    assert daemon.ctl("quarantine", "drop", "all") == {"dropped": 1202}
    assert daemon.ctl("quarantine", "drop", "all") == {"dropped": 0}
    assert daemon.ctl("quarantine", "list") == []
