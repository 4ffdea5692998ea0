# SPDX-License-Identifier: ISC
"""cdrd as a program: its options, its configuration, its signals, and what systemd sees of it."""
import http.client
import os
import re
import resource
import signal
import socket
import stat
import subprocess
import time

import pytest

import harness
from harness import wait_for
from samples import many_sms, sms, whole_day


def run(*arguments, **more):
    return subprocess.run([harness.program("cdrd"), *arguments], capture_output=True, text=True, timeout=120, **more)


# --- options and configuration ---

def test_V_prints_name_and_version():
    ended = run("-V")
    assert ended.returncode == 0 and re.fullmatch(r"cdrd \d+\.\d+\S*\n", ended.stdout), ended


def test_a_long_option_is_told_that_there_are_only_short_ones():
    ended = run("--help")
    assert ended.returncode == 2 and ended.stderr == "cdrd: options have one letter, such as -c; see cdrd -h\n", ended


def test_t_checks_the_configuration_and_ends(tmp_path):
    path = tmp_path / "cdrd.conf"
    path.write_text("# a comment\nlisten = 127.0.0.1:0\npage_max = 500\n")
    ended = run("-t", "-c", str(path))
    assert ended.returncode == 0, ended
    assert not os.path.exists(tmp_path / "data"), "-t must not make anything"


def test_a_bad_line_of_the_file_is_named_with_file_and_line(tmp_path):
    path = tmp_path / "cdrd.conf"
    path.write_text("page_max = 500\n\nheader_max = huge\n")
    ended = run("-t", "-c", str(path))
    assert ended.returncode != 0
    assert f"{path}:3" in ended.stderr or (str(path) in ended.stderr and "line 3" in ended.stderr), ended.stderr
    assert "header_max" in ended.stderr and "huge" in ended.stderr, ended.stderr


def test_o_overrides_the_file(tmp_path):
    path = tmp_path / "cdrd.conf"
    path.write_text("page_max = nonsense\n")
    assert run("-t", "-c", str(path)).returncode != 0
    path.write_text("page_max = 500\n")
    assert run("-t", "-c", str(path), "-o", "page_max=0").returncode != 0


def test_a_missing_file_is_named():
    ended = run("-t", "-c", "/nonexistent/cdrd.conf")
    assert ended.returncode != 0 and "/nonexistent/cdrd.conf" in ended.stderr, ended


BAD_VALUES = {
    "page_max": ("0", "1", "10000"),
    "sync_window_max": ("30", "1m", "400d"),
    "header_max": ("huge", "1K", "1M"),
    "log_level": ("loud", "error", "debug"),
    "plan_default": ("gold",),
    "retention_months": ("-1", "1", "120"),
    "listen": ("nowhere",),
    "public_url": ("reports.example.com", "http://", "https://"),
    "data_dir": ("", "path"),
    "admin_socket": ("", "path"),
}


@pytest.mark.parametrize("key", BAD_VALUES)
def test_a_bad_value_is_an_error_that_names_key_value_and_what_is_allowed(key):
    value, *allowed = BAD_VALUES[key]
    ended = run("-t", "-o", f"{key}={value}")
    assert ended.returncode != 0, ended
    assert key in ended.stderr and value in ended.stderr, ended.stderr
    assert all(word in ended.stderr for word in allowed), ended.stderr


@pytest.mark.parametrize("url", [
    "http:///reports", "http:/example.com", "ftp://example.com", "http://me@example.com", "http://example.com:99999",
    "http://exa\\mple.com", "http://[::1/", "https://example.com/?a=b", "https://example.com/#a",
])
def test_a_public_url_that_is_no_base_of_links_is_an_error(url):
    ended = run("-t", "-o", f"public_url={url}")
    assert ended.returncode != 0, ended
    assert f'public_url: "{url}" is not' in ended.stderr, ended.stderr


@pytest.mark.parametrize("url", ["http://example.com", "HTTPS://example.com:8443/cdr/", "http://[2001:db8::1]:8080/cdr"])
def test_a_public_url_has_scheme_host_and_maybe_port_and_path(url):
    ended = run("-t", "-o", f"public_url={url}")
    assert ended.returncode == 0, ended


def test_an_unknown_key_is_an_error_that_names_the_nearest():
    ended = run("-t", "-o", "page_mx=5")
    assert ended.returncode != 0
    assert "page_mx" in ended.stderr and "page_max" in ended.stderr, ended.stderr


def test_an_unknown_key_that_is_like_none_names_none():
    ended = run("-t", "-o", "colour=blue")
    assert ended.returncode != 0
    assert "colour: no such setting; cdrd.conf(5)" in ended.stderr, ended.stderr


def test_t_lists_all_that_is_wrong_at_once(tmp_path):
    path = tmp_path / "cdrd.conf"
    path.write_text("page_max = 0\ncolour = blue\nno form at all\nlisten = nowhere\n")
    ended = run("-t", "-c", str(path), "-o", "ids_max=many", "-o", "plan_default=gold")
    assert ended.returncode != 0
    for fault in (f"{path}:1: page_max", f"{path}:2: colour", f"{path}:3: not of the form", "ids_max: \"many\"",
                  "listen: \"nowhere\"", "plan_default: \"gold\""):
        assert fault in ended.stderr, (fault, ended.stderr)
    assert len(ended.stderr.splitlines()) == 6, ended.stderr


@pytest.mark.parametrize("setting, says", [
    ("data_dir=/nonexistent/deep/data", "data_dir: /nonexistent/deep/data: its directory: No such file"),
    ("data_dir=/etc/passwd", "data_dir: /etc/passwd is no directory"),
    ("admin_socket=/nonexistent/admin.sock", "admin_socket: /nonexistent/admin.sock: its directory: No such file"),
    ("admin_socket=/etc/passwd", "admin_socket: /etc/passwd is no socket"),
    ("admin_socket=/tmp/" + "x" * 200, "admin_socket: 205 bytes, at most 107 allowed"),
    ("callback_ca_file=/nonexistent.pem", "callback_ca_file: /nonexistent.pem: No such file"),
    ("front_end_ca_file=/nonexistent.pem", "front_end_ca_file: /nonexistent.pem: No such file"),
    ("access_log=/nonexistent/access", "access_log: /nonexistent/access: its directory: No such file"),
    ("access_log=/tmp", "access_log: /tmp is a directory"),
    ("audit_log=/nonexistent/audit", "audit_log: /nonexistent/audit: its directory: No such file"),
    ("log_topics=http, stroe", "log_topics: \"stroe\" is no topic; there are access, admin"),
])
def test_t_checks_paths_and_topics(setting, says):
    ended = run("-t", "-o", setting)
    assert ended.returncode != 0 and says in ended.stderr, ended.stderr


@pytest.mark.parametrize("url, is_clear", [("http://10.1.2.3:8080", True), ("http://[2001:db8::1]:8080", True), ("http://front-end:8080", True),
                                           ("http://0.0.0.0:8080", True), ("https://10.1.2.3:8443", False),
                                           ("http://127.0.0.1:8080", False), ("http://[::1]:8080", False), ("http://localhost:8080", False)])
def test_front_ends_that_are_reached_in_the_clear_need_leave(url, is_clear):
    says = f"front_end_url: {url}: beyond this machine"
    options = ["-t", "-o", "store=clickhouse", "-o", "clickhouse=127.0.0.1:8123", "-o", "catalog=postgresql", "-o", "postgresql=dbname=cdrd",
               "-o", f"front_end_url={url}"]
    assert (says in run(*options).stderr) == is_clear
    assert says not in run(*options, "-o", "allow_cleartext=yes").stderr


@pytest.mark.parametrize("hosts, quorum, refused", [("127.0.0.1:8123,127.0.0.1:8124", 1, True), ("127.0.0.1:8123|127.0.0.1:8124", 1, False),
                                                    ("127.0.0.1:8123,127.0.0.1:8124", 2, False)])
def test_front_ends_that_use_different_replicas_need_a_quorum(hosts, quorum, refused):
    options = ["-t", "-o", "store=clickhouse", "-o", f"clickhouse={hosts}", "-o", "catalog=postgresql", "-o", "postgresql=dbname=cdrd",
               "-o", f"clickhouse_quorum={quorum}"]
    says = "clickhouse_quorum: 1: with front_end_url"
    assert (says in run(*options, "-o", "front_end_url=http://localhost:8080").stderr) == refused
    assert says not in run(*options).stderr


@pytest.mark.parametrize("setting, warns", [("listen=0.0.0.0:0", True), ("listen=127.0.0.1:0, [::1]:0", False),
                                            ("listen=*:0", True), ("metrics_listen=10.1.2.3:9464", True)])
def test_listening_beyond_loopback_in_the_clear_warns(setting, warns):
    ended = run("-t", "-o", setting, "-o", "allow_cleartext=yes")
    assert ended.returncode == 0, ended
    assert (f"{setting.split('=')[0]}: " in ended.stderr) == warns, ended.stderr
    ended = run("-t", "-o", setting)
    assert (ended.returncode != 0 and "allow_cleartext" in ended.stderr) == warns, ended.stderr


def test_every_topic_of_the_log_can_be_chosen():
    top = os.path.join(os.path.dirname(__file__), "..", "..", "src")
    used = set()
    for folder, _, files in os.walk(top):
        for name in files:
            if name.endswith(".c"):
                with open(os.path.join(folder, name), encoding="utf-8") as source:
                    used |= set(re.findall(r'\blog_(?:error|warn|info|debug)\("(\w+)"', source.read()))
    assert len(used) > 10
    ended = run("-t", "-o", "log_topics=" + ",".join(sorted(used)))
    assert ended.returncode == 0, ended.stderr
    told = run("-t", "-o", "log_topics=none").stderr.split("there are ")[1].strip().split(", ")
    assert set(told) == used


@pytest.mark.parametrize("arguments", [["-x"], ["-o"], ["-o", "page_max"], ["stray"]])
def test_wrong_usage_is_an_error_with_a_message(arguments):
    ended = run(*arguments)
    assert ended.returncode != 0 and ended.stderr, ended


def test_a_data_dir_that_cannot_be_made_is_named():
    ended = run("-o", "listen=127.0.0.1:0", "-o", "data_dir=/proc/nothing/here", "-o", "admin_socket=/tmp/cdrd-no.sock")
    assert ended.returncode != 0 and "/proc/nothing" in ended.stderr, ended


def test_an_address_in_use_is_named(daemon, daemons):
    second = daemons(start=False, listen=f"127.0.0.1:{daemon.port}")
    ended = subprocess.run(second.command(), capture_output=True, text=True, timeout=120)
    assert ended.returncode != 0 and str(daemon.port) in ended.stderr, ended


def test_it_listens_on_several_addresses(daemons):
    port = harness.free_port()
    daemon = daemons(start=False)
    daemon.options["listen"] += f",127.0.0.2:{port}"
    daemon.start()
    for address in (("127.0.0.1", daemon.port), ("127.0.0.2", port)):
        socket.create_connection(address, timeout=60).close()


# --- one data directory, one daemon ---

def test_it_listens_on_an_address_of_ipv6(daemons):
    port = harness.free_port()
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", port))
        except OSError:
            pytest.skip("there is no IPv6 here")
    daemon = daemons(start=False)
    daemon.options["listen"] += f", [::1]:{port}"
    daemon.start()
    assert f"listening on [::1]:{port}\n" in daemon.log()
    connection = http.client.HTTPConnection("::1", port, timeout=60)
    connection.request("GET", "/healthz")
    assert connection.getresponse().status == 200
    daemon.stop()


def test_connections_for_which_there_is_no_descriptor_wait_until_there_is_one(own_daemon):
    pid = own_daemon.process.pid
    soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (len(own_daemon.open_files()) + 3, hard))
    held = [socket.create_connection(("127.0.0.1", own_daemon.port)) for _ in range(10)]
    wait_for(lambda: "cannot accept connections: Too many open files" in own_daemon.log())
    waiting = held.pop()
    waiting.settimeout(60)
    waiting.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
    for one in held:
        one.close()
    assert waiting.recv(100).startswith(b"HTTP/1.1 200 ")
    waiting.close()
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))
    assert own_daemon.log().count("cannot accept") == 1, "it is told once in a while, not each time"


def test_a_second_daemon_on_the_same_data_is_refused_and_the_first_unharmed(daemon, daemons, account):
    second = daemons(start=False, data_dir=daemon.data_dir)
    ended = subprocess.run(second.command(), capture_output=True, text=True, timeout=120)
    assert ended.returncode != 0 and daemon.data_dir in ended.stderr, ended
    assert daemon.post_cdrs([sms(account)])["accepted"] == 1


def test_a_second_daemon_on_the_same_admin_socket_is_refused(daemon, daemons):
    second = daemons(start=False, admin_socket=daemon.socket)
    ended = subprocess.run(second.command(), capture_output=True, text=True, timeout=120)
    assert ended.returncode != 0 and daemon.socket in ended.stderr, ended
    assert daemon.ctl("status")


def test_a_stale_admin_socket_is_replaced(own_daemon):
    own_daemon.kill9()
    assert os.path.exists(own_daemon.socket)
    own_daemon.start()
    assert own_daemon.ctl("status")


def test_the_admin_socket_has_mode_0660_and_the_cursor_key_0600(daemon):
    assert stat.S_IMODE(os.stat(daemon.socket).st_mode) == 0o660
    assert stat.S_IMODE(os.stat(os.path.join(daemon.data_dir, "cursor.key")).st_mode) == 0o600


def test_a_cursor_key_of_a_wrong_size_is_refused_and_named(own_daemon):
    own_daemon.stop()
    with open(os.path.join(own_daemon.data_dir, "cursor.key"), "wb") as key:
        key.write(b"short")
    ended = subprocess.run(own_daemon.command(), capture_output=True, text=True, timeout=120)
    assert ended.returncode != 0 and "cursor.key" in ended.stderr, ended


def test_secrets_are_not_in_the_data_directory(own_daemon):
    own_daemon.new_account()
    own_daemon.stop()
    for directory, _, names in os.walk(own_daemon.data_dir):
        for name in names:
            with open(os.path.join(directory, name), "rb") as file:
                data = file.read()
            assert harness.SECRET.encode() not in data and harness.PRODUCER[1].encode() not in data, name


# --- signals ---

@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_end_ends_it_quickly_with_status_0(own_daemon, signal_number):
    own_daemon.process.send_signal(signal_number)
    assert own_daemon.process.wait(harness.STOP_SECONDS) == 0
    own_daemon.process = None
    assert own_daemon.log_seconds(f"{signal_number.name}: ending", "main: ended") < 5
    assert not os.path.exists(own_daemon.socket), "the admin socket is left behind"


def test_sigterm_with_an_idle_and_a_slow_client_still_ends_it(own_daemon):
    with socket.create_connection(("127.0.0.1", own_daemon.port)), \
            socket.create_connection(("127.0.0.1", own_daemon.port)) as slow:
        slow.sendall(b"POST /v1/cdrs HTTP/1.1\r\nHost: x\r\n")
        begun = time.monotonic()
        own_daemon.stop()
        assert time.monotonic() - begun < harness.STOP_SECONDS
        assert own_daemon.log_seconds("SIGTERM: ending", "main: ended") < 15


def test_what_was_acknowledged_before_sigterm_is_there_afterwards(own_daemon):
    account = own_daemon.new_account()
    own_daemon.post_cdrs(many_sms(account, 500))
    own_daemon.restart()
    assert own_daemon.records(account, product="SMS", direction="outbound", **whole_day())["items_count"] == 500


def test_shutdown_by_cdrctl_ends_it_cleanly(own_daemon):
    own_daemon.ctl_run("shutdown")
    assert own_daemon.process.wait(harness.STOP_SECONDS) == 0
    own_daemon.process = None


def test_sighup_takes_what_can_be_reloaded_and_names_what_cannot(daemons, tmp_path):
    path = tmp_path / "cdrd.conf"
    path.write_text("page_max = 10\n")
    daemon = daemons(start=False)
    daemon.settings_file = path
    daemon.start()
    daemon.add_producer()
    account = daemon.new_account()
    daemon.post_cdrs(many_sms(account, 30))

    def items():
        return daemon.records(account, product="SMS", direction="outbound", **whole_day())["items_count"]

    assert items() == 10
    path.write_text("page_max = 20\nday_map_size = 1G\n")
    daemon.reload()
    wait_for(lambda: items() == 20)
    assert "day_map_size" in daemon.log()
    path.write_text("page_max = nonsense\n")
    daemon.reload()
    wait_for(lambda: "nonsense" in daemon.log())
    assert items() == 20, "a bad file must leave the settings as they were"


def test_the_log_level_can_be_changed_while_it_runs(daemon):
    daemon.ctl("log-level", "debug")
    assert "debug" in str(daemon.ctl("log-level"))
    daemon.ctl("log-level", "info")
    with pytest.raises(harness.CtlError, match="loud"):
        daemon.ctl("log-level", "loud")


# --- systemd ---

@pytest.fixture
def notify_socket(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        path = f"/tmp/cdrd-notify-{os.getpid()}"
        receiver.bind(path)
        receiver.settimeout(60)
        yield receiver, path
        os.unlink(path)


def test_readiness_is_told_to_systemd_when_it_serves(daemons, notify_socket):
    receiver, path = notify_socket
    daemon = daemons(start=False)
    daemon.start({"NOTIFY_SOCKET": path})
    message = receiver.recv(4096).decode()
    assert "READY=1" in message.split("\n"), message
    assert daemon.answers()


def test_under_systemd_log_lines_have_a_priority_and_no_time(daemons):
    daemon = daemons(start=False)
    daemon.start({"JOURNAL_STREAM": "8:12345"})
    lines = daemon.log().splitlines()
    assert lines and all(re.match(r"<[3-7]>[a-z]+: ", line) for line in lines), lines


def test_log_lines_have_time_level_and_topic(daemon):
    pattern = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (error|warn|info|debug) [a-z]+: "
    lines = daemon.log().splitlines()
    assert lines and all(re.match(pattern, line) for line in lines), lines


# --- cdrctl ---

def ctl_text(daemon, *arguments):
    return subprocess.run([harness.program("cdrctl"), "-s", daemon.socket, *arguments], capture_output=True, text=True,
                          timeout=120)


def test_a_generated_secret_is_printed_once_and_works(daemon):
    made = daemon.ctl("account", "add", "made0001")
    assert len(made["secret"]) == 32
    account = harness.Account("made0001", made["secret"])
    assert daemon.get("/v2/reports/records", {"account_id": account.id, "product": "AMD"}, account).status == 200
    assert made["secret"] not in str(daemon.ctl("account", "show", "made0001"))


@pytest.mark.parametrize("arguments, word", [
    (["account", "add", "no/id"], "no/id"),
    (["account", "add", "parentno", "--parent", "nobody00"], "nobody00"),
    (["account", "show", "nobody00"], "nobody00"),
    (["account", "add", "weak0001", "--secret", "short"], "8"),
    (["secret", "revoke", "nobody00", "1"], "nobody00"),
    (["producer", "add", "two words"], "two words"),
    (["producer", "revoke", "nobody"], "nobody"),
    (["products", "SMOKE"], "SMOKE"),
])
def test_cdrctl_says_what_is_wrong(daemon, arguments, word):
    with pytest.raises(harness.CtlError) as error:
        daemon.ctl(*arguments)
    assert word in error.value.stderr, error.value.stderr


@pytest.mark.parametrize("arguments", [["nonsense"], ["account"], ["account", "add"], ["account", "list", "stray"],
                                       ["status", "--nonsense"]])
def test_cdrctl_with_wrong_usage_ends_with_a_message(daemon, arguments):
    ended = ctl_text(daemon, *arguments)
    assert ended.returncode != 0 and ended.stderr, ended


def test_an_account_is_added_once(daemon, account):
    with pytest.raises(harness.CtlError, match=account.id):
        daemon.ctl("account", "add", account.id)


def test_a_subaccount_has_no_subaccounts(daemon, account):
    child = daemon.new_account(parent=account)
    with pytest.raises(harness.CtlError, match=child.id):
        daemon.new_account(parent=child)


def test_an_account_has_at_most_five_secrets(daemon, account):
    for number in range(4):
        daemon.ctl("secret", "add", account.id, "--secret", f"another-secret-{number}")
    with pytest.raises(harness.CtlError, match="5|five"):
        daemon.ctl("secret", "add", account.id)
    assert len(daemon.ctl("secret", "list", account.id)) == 5


def test_every_listing_has_a_form_for_people(daemon, account):
    for command in (["account", "list"], ["account", "show", account.id], ["secret", "list", account.id],
                    ["producer", "list"], ["status"], ["status", "--all"], ["products"], ["products", "SMS"],
                    ["quarantine", "list"], ["log-level"]):
        ended = ctl_text(daemon, *command)
        assert ended.returncode == 0, (command, ended)
    assert account.id in ctl_text(daemon, "account", "list").stdout


def test_cdrctl_without_a_daemon_names_the_socket(tmp_path):
    ended = subprocess.run([harness.program("cdrctl"), "-s", str(tmp_path / "none.sock"), "status"],
                           capture_output=True, text=True, timeout=120)
    assert ended.returncode != 0 and "none.sock" in ended.stderr, ended
