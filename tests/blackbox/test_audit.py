# SPDX-License-Identifier: ISC
"""The access log and the audit log: who has asked for what, and who has changed what."""
import datetime
import json
import os
import re
import socket
import stat
import time

import pytest

import harness
import reporting
from harness import wait_for
from samples import UTC, many_sms, sms, whole_day

ACCESS_LINE = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) (\S+) (\S+) (\S+) (\S+) (\d{3}) (\d+) (\d+\.\d{3})")


def lines(path):
    if not os.path.exists(path):
        return []
    with open(path) as file:
        return file.read().splitlines()


def configured(daemons, path, text):
    """A daemon that reads a file, so that SIGHUP can change its settings."""
    path.write_text(text)
    daemon = daemons(start=False)
    daemon.settings_file = path
    daemon.start()
    daemon.add_producer()
    return daemon


# --- the access log ---

@pytest.fixture(scope="module")
def access(daemons, tmp_path_factory):
    """A daemon, and what its access log says of what a call did: access(call) gives the new lines' words."""
    path = tmp_path_factory.mktemp("access") / "access.log"
    daemon = daemons(access_log=str(path))

    def of(call, count=1):
        before = len(lines(path))
        call()
        wait_for(lambda: len(lines(path)) >= before + count)
        found = [ACCESS_LINE.fullmatch(line) for line in lines(path)[before:]]
        assert len(found) == count and all(found), lines(path)[before:]
        return [match.groups() for match in found]

    of.daemon = daemon
    of.path = path
    return of


def test_a_request_is_a_line_with_account_method_path_status_bytes_and_time(access):
    daemon = access.daemon
    account = daemon.new_account()
    sizes = []

    def call():
        sizes.append(len(daemon.get("/v2/reports/records", {"account_id": account.id, "product": "SMS",
                                                            "direction": "outbound", **whole_day()}, account).body))

    ((moment, address, user, method, path, status, size, ms),) = access(call)
    assert (address, user, method, path, status) == ("127.0.0.1", account.id, "GET", "/v2/reports/records", "200")
    assert int(size) == sizes[0]
    assert 0 < float(ms) < 60_000
    assert abs(datetime.datetime.fromisoformat(moment.replace("Z", "+00:00")) - datetime.datetime.now(UTC)).total_seconds() < 600


def test_a_producer_is_named_as_one(access):
    account = access.daemon.new_account()
    ((_, _, user, method, path, status, _, _),) = access(lambda: access.daemon.post_cdrs([sms(account)]))
    assert (user, method, path, status) == ("producer:" + harness.PRODUCER[0], "POST", "/v1/cdrs", "200")


def test_queries_are_left_out(access):
    ((_, _, user, _, path, status, _, _),) = access(
        lambda: access.daemon.get("/v2/reports/records", {"to": "447700900123"}))
    assert (user, path, status) == ("-", "/v2/reports/records", "401")
    assert "447700900123" not in access.path.read_text()


def test_a_request_that_cannot_be_read_is_a_line_with_what_is_known(access):
    def call():
        with socket.create_connection(("127.0.0.1", access.daemon.port)) as client:
            client.sendall(b"NONSENSE\r\n\r\n")
            client.recv(65536)

    ((_, _, user, method, path, status, _, _),) = access(call)
    assert (user, method, path, status) == ("-", "-", "-", "400")


@pytest.mark.parametrize("path", ["/with%20space", "/with%0anewline", "/caf%C3%A9", "/a\"b"])
def test_no_path_can_forge_a_line(access, path):
    ((_, _, _, _, shown, status, _, _),) = access(lambda: access.daemon.get(path))
    assert status in ("400", "404")
    assert shown in (path, "-")


def test_pipelined_requests_are_a_line_each(access):
    def call():
        with socket.create_connection(("127.0.0.1", access.daemon.port)) as client:
            client.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 20)
            received = b""
            while received.count(b"ok\n") < 20:
                received += client.recv(65536)

    assert {line[4] for line in access(call, 20)} == {"/healthz"}


def test_the_file_is_for_the_daemon_and_its_group(access):
    assert stat.S_IMODE(os.stat(access.path).st_mode) & 0o037 == 0


def test_access_log_query_shows_queries(daemons, tmp_path):
    path = tmp_path / "access.log"
    daemon = daemons(access_log=str(path), access_log_query="yes")
    daemon.get("/v2/reports/records", {"status": "failed"})
    wait_for(lambda: lines(path))
    assert "/v2/reports/records?status=failed 401" in lines(path)[0]


def test_off_by_default(daemon):
    daemon.get("/healthz")
    assert " access: " not in daemon.log()


def test_it_can_go_to_the_log(daemons):
    daemon = daemons(access_log="log")
    daemon.get("/healthz")
    wait_for(lambda: " info access: 127.0.0.1 - GET /healthz 200 3 " in daemon.log())


def test_sighup_opens_it_again_after_it_was_moved_away(daemons, tmp_path):
    path = tmp_path / "access.log"
    daemon = daemons(access_log=str(path))
    daemon.get("/healthz")
    wait_for(lambda: lines(path))
    path.rename(tmp_path / "access.log.1")
    daemon.reload()
    wait_for(path.exists)
    daemon.get("/readyz")
    wait_for(lambda: lines(path))
    assert "/readyz" in lines(path)[0] and len(lines(tmp_path / "access.log.1")) == 1


def test_sighup_can_turn_it_on_and_off(daemons, tmp_path):
    path = tmp_path / "access.log"
    daemon = configured(daemons, tmp_path / "cdrd.conf", "access_log = off\n")
    daemon.get("/healthz")
    (tmp_path / "cdrd.conf").write_text(f"access_log = {path}\n")
    daemon.reload()
    wait_for(path.exists)
    daemon.get("/readyz")
    wait_for(lambda: len(lines(path)) == 1)
    (tmp_path / "cdrd.conf").write_text("access_log = off\n")
    daemon.reload()
    wait_for(lambda: daemon.log().count("reloaded") == 2)
    daemon.get("/readyz")
    time.sleep(0.2)
    assert len(lines(path)) == 1


def test_a_file_that_cannot_be_made_is_named_at_start_and_leaves_the_old_one_on_reload(daemons, tmp_path):
    daemon = configured(daemons, tmp_path / "cdrd.conf", f"access_log = {tmp_path}/access.log\n")
    (tmp_path / "cdrd.conf").write_text("access_log = /nonexistent/access.log\n")
    daemon.reload()
    wait_for(lambda: "/nonexistent/access.log" in daemon.log())
    daemon.get("/healthz")
    wait_for(lambda: lines(tmp_path / "access.log"))


def test_what_waits_is_written_at_the_end(daemons, tmp_path):
    path = tmp_path / "access.log"
    daemon = daemons(access_log=str(path))
    daemon.get("/healthz")
    daemon.stop()
    assert len(lines(path)) == 1


# --- the audit log ---

@pytest.fixture(scope="module")
def audited(daemons, tmp_path_factory):
    """A daemon and its audit log: audited(call) gives what a call has added."""
    path = tmp_path_factory.mktemp("audit") / "audit.log"
    daemon = daemons(audit_log=str(path))

    def of(call):
        before = len(lines(path))
        call()
        return [json.loads(line) for line in lines(path)[before:]]

    of.daemon = daemon
    of.path = path
    return of


def test_each_change_is_a_line_that_is_there_when_the_command_has_ended(audited):
    ctl = audited.daemon.ctl
    changes = [
        (["account", "add", "audit001", "--name", "Acme"], {"id": "audit001", "name": "Acme"}),
        (["account", "disable", "audit001"], {"id": "audit001"}),
        (["account", "enable", "audit001"], {"id": "audit001"}),
        (["secret", "add", "audit001"], {"account": "audit001"}),
        (["secret", "revoke", "audit001", "2"], {"account": "audit001", "number": "2"}),
        (["account", "webhook-secret", "audit001", "--rotate"], {"account": "audit001", "rotate": True}),
        (["producer", "add", "audited"], {"name": "audited"}),
        (["producer", "revoke", "audited"], {"name": "audited"}),
        (["log-level", "info"], {"level": "info"}),
    ]
    for words, arguments in changes:
        (line,) = audited(lambda: ctl(*words))
        assert line["action"] == " ".join(words[:2] if words[0] != "log-level" else words[:1])
        assert line["args"] == arguments
        assert line["uid"] == os.getuid() and line["pid"] > 0
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+00:00", line["time"])
        assert arguments.get("id", arguments.get("account", arguments.get("name", ""))) in line["text"]


def test_what_changes_nothing_is_not_in_it(audited):
    def call():
        audited.daemon.ctl("account", "list")
        audited.daemon.ctl("status")
        with pytest.raises(harness.CtlError):
            audited.daemon.ctl("account", "disable", "nobody00")

    assert audited(call) == []


def test_no_secret_is_in_it(audited):
    ctl = audited.daemon.ctl
    (line,) = audited(lambda: ctl("account", "add", "audit002", "--secret", "do-not-keep-this"))
    assert line["args"] == {"id": "audit002", "secret": "[hidden]"}
    made = ctl("secret", "add", "audit002")["secret"]
    signing = ctl("account", "webhook-secret", "audit002", "--rotate")
    text = audited.path.read_text()
    assert "do-not-keep-this" not in text and made not in text and "whsec_" not in text, (made, signing)


def test_values_that_mend_a_rejected_record_are_hidden(audited):
    daemon = audited.daemon
    account = daemon.new_account()
    daemon.post_cdrs([dict(sms(account), direction="sideways")])
    (entry,) = daemon.ctl("quarantine", "list")
    (line,) = audited(lambda: daemon.ctl("quarantine", "replay", str(entry["number"]), "--set", "direction=outbound",
                                         "--set", "to=447700900999"))
    assert line["args"]["set"] == ["direction=[hidden]", "to=[hidden]"]


def test_a_number_that_was_erased_cannot_be_read_from_it(audited):
    account = audited.daemon.new_account()
    lines_of_it = audited(lambda: audited.daemon.ctl("erase", "--account", account.id, "--number", "447700900123"))
    assert {line["args"]["number"] for line in lines_of_it} == {"44********23"}
    assert "447700900123" not in audited.path.read_text()


def test_a_report_that_is_cancelled_and_an_import_are_in_it(audited, tmp_path):
    daemon = audited.daemon
    account = daemon.new_account()
    id = reporting.create(daemon, account, product="SMS", direction="outbound", **whole_day())["request_id"]
    made = audited(lambda: daemon.ctl_run("report", "cancel", id))
    assert [line["args"] for line in made] in ([{"id": id}], []), "it may have ended before"
    path = tmp_path / "records.ndjson"
    path.write_bytes(harness.encode(many_sms(account, 10), "ndjson"))
    (line,) = audited(lambda: daemon.ctl("import", str(path)))
    assert line["action"] == "import" and "10 accepted" in line["text"]


def test_start_reload_and_stop_are_in_it_without_a_peer(daemons, tmp_path):
    path = tmp_path / "audit.log"
    daemon = daemons(audit_log=str(path))
    daemon.reload()
    wait_for(lambda: "daemon reload" in path.read_text())
    daemon.stop()
    daemon.start()

    def own():
        return [entry["action"] for entry in map(json.loads, lines(path)) if "uid" not in entry]

    wait_for(lambda: len(own()) > 3)  # the port answers a moment before
    assert own() == ["daemon start", "daemon reload", "daemon stop", "daemon start"]


def test_it_is_only_appended_to_and_opened_again_on_sighup(daemons, tmp_path):
    path = tmp_path / "audit.log"
    path.write_text('{"before":true}\n')
    daemon = daemons(audit_log=str(path))
    assert lines(path)[0] == '{"before":true}'
    path.rename(tmp_path / "audit.log.1")
    daemon.reload()
    wait_for(path.exists)
    daemon.new_account()
    assert [json.loads(line)["action"] for line in lines(path)] == ["account add"]


def test_by_default_it_goes_to_the_log(daemon):
    account = daemon.new_account()
    (line,) = [line for line in daemon.log().splitlines() if " info audit: " in line and account.id in line]
    entry = json.loads(line.split(" info audit: ", 1)[1])
    assert entry["action"] == "account add" and entry["uid"] == os.getuid()
