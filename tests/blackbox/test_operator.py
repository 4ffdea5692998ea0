# SPDX-License-Identifier: ISC
"""operator_listen: commands of cdrctl as an API, with credentials of its own."""
import contextlib
import http.client
import json
import os
import re
import socket
import subprocess
import threading

import pytest

import harness
import reporting
from harness import wait_for
from samples import many_sms, sms, whole_day
from test_callbacks import LOCAL, ONCE, receivers  # noqa: F401 (a fixture)

JANE = ("jane", "operators-secret-1")
JSON = {"Content-Type": "application/json"}
TABLE = os.path.join(os.path.dirname(__file__), "..", "..", "src", "admin", "operator_commands.def")


class Operators:
    """A daemon with an operator, and requests to its listener."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.port = daemon.operator_port

    def request(self, method, path, body=None, headers=None, auth=JANE):
        return self.daemon.request(method, path, body, headers, auth, port=self.port)

    def get(self, command, expect=200, auth=JANE, **params):
        query = "?" + harness.query_string(params) if params else ""
        answer = self.request("GET", f"/operator/v1/{command}{query}", auth=auth)
        assert answer.status == expect, answer
        return answer.json()

    def post(self, command, args=None, expect=200):
        answer = self.request("POST", f"/operator/v1/{command}", json.dumps(args or {}), JSON)
        assert answer.status == (expect if answer.body else 204), answer
        return answer.json() if answer.body else None


def start(daemons, **options):
    port = harness.free_port()
    daemon = daemons(operator_listen=f"127.0.0.1:{port}", **options)
    daemon.operator_port = port
    daemon.ctl("operator", "add", JANE[0], "--secret", JANE[1])
    return daemon


@pytest.fixture(scope="module")
def daemon(daemons):
    return start(daemons)


@pytest.fixture
def operators(daemon):
    return Operators(daemon)


def rejected(daemon, account, **changes):
    """Puts a record with a wrong price into quarantine, and gives its number."""
    record = sms(account, total_price="much", **changes)
    daemon.post_cdrs([record])
    return daemon.ctl("quarantine", "list", "--account", account.id, "--id", record["id"])[0]["number"], record


# --- credentials ---

def test_operators_are_added_listed_and_removed(own_daemon):
    made = own_daemon.ctl("operator", "add", "jim")
    assert made["name"] == "jim" and len(made["secret"]) == 32
    own_daemon.ctl("operator", "add", "ann", "--secret", "anns-secret-123")
    assert [o["name"] for o in own_daemon.ctl("operator", "list")] == ["ann", "jim"]
    for arguments, expected in ((("add", "jim"), "operator jim: exists already"),
                                (("add", "j m"), "operator \"j m\": must be 1 to 64"),
                                (("remove", "joe"), "operator joe: no such operator")):
        with pytest.raises(harness.CtlError, match=expected):
            own_daemon.ctl("operator", *arguments)
    own_daemon.ctl("operator", "remove", "jim")
    own_daemon.restart()
    assert [o["name"] for o in own_daemon.ctl("operator", "list")] == ["ann"]


def test_a_removed_operator_is_refused_at_once(daemon, operators):
    auth = ("leaver", "leavers-secret-1")
    daemon.ctl("operator", "add", auth[0], "--secret", auth[1])
    assert operators.get("overview", auth=auth)["version"]
    daemon.ctl("operator", "remove", auth[0])
    operators.get("overview", 401, auth=auth)


def test_credentials_count_for_their_own_listener_alone(daemon, operators, account):
    for auth in (None, (JANE[0], "wrong-secret-1"), harness.PRODUCER, (account.id, account.secret)):
        operators.get("overview", 401, auth=auth)
    assert daemon.request("GET", "/v2/account", auth=JANE).status == 401
    assert daemon.post_body(b"{}\n", auth=JANE).status == 401
    assert daemon.request("GET", "/operator/v1/overview", auth=JANE).status == 404


def test_wrong_credentials_are_slowed_as_everywhere(daemons):
    daemon = start(daemons, login_delay_max="1m")
    operators = Operators(daemon)
    over = threading.Event()

    def guess():
        while not over.is_set():
            with contextlib.suppress(OSError, http.client.HTTPException):  # the daemon ends meanwhile
                operators.request("GET", "/operator/v1/overview", auth=("jane", "a-wrong-guess"))
    threads = [threading.Thread(target=guess, daemon=True) for _ in range(40)]
    for thread in threads:
        thread.start()
    # While many answers to an address are being delayed, it is turned away by both listeners.
    wait_for(lambda: operators.request("GET", "/operator/v1/overview").status == 429, 120)
    wait_for(lambda: daemon.get("/v2/account", account=harness.Account("abcd1234")).status == 429, 120)
    over.set()
    daemon.stop()
    for thread in threads:
        thread.join(120)


# --- commands ---

def test_every_command_of_the_table_can_be_run(operators):
    listed = operators.request("GET", "/operator/v1").json()
    assert listed["operator"] == "jane"
    with open(TABLE) as table:
        rows = re.findall(r'^OPERATOR\("([^"]+)", (true|false), "([^"]*)"\)', table.read(), re.M)
    assert [(c["command"], c["method"] == "POST", c["without"]) for c in listed["commands"]] == \
        [(words, changes == "true", without) for words, changes, without in rows]
    for command in listed["commands"]:
        assert command["path"] == "/operator/v1/" + command["command"].replace(" ", "-")
        answer = operators.request(command["method"], command["path"], "{}" if command["method"] == "POST" else None, JSON)
        # Those that need arguments say so.
        assert answer.status in (200, 204, 400), f"{command['path']}: {answer}"
        assert answer.status != 400 or re.search(r"\b(missing|needed|given|give)\b", answer.json()["detail"]), answer


def test_no_file_and_no_secret_can_be_asked_for(operators):
    for command in operators.request("GET", "/operator/v1").json()["commands"]:
        for name in re.findall(r"--([a-z-]+) FILE|--(secret[a-z-]*)", command["arguments"]):
            assert (name[0] or name[1]).replace("-", "_") in command["without"].split(), command
    refused = operators.get("account-list", 400, secret_hashes="yes")
    assert "secret_hashes: only cdrctl has this argument" in refused["detail"]
    assert "replace_with" in operators.post("quarantine-replay", {"number": ["1"], "replace_with": "-"}, 400)["detail"]


def test_the_overview_is_that_of_cdrctl(daemon, operators):
    account = daemon.new_account()
    daemon.post_cdrs(many_sms(account, 500))
    shown = operators.get("overview", accounts=1)
    assert shown.keys() == daemon.ctl("overview").keys()
    assert shown["records_today"]["accounts"] == [{"account": account.id, "records": 500}]


def test_accounts_come_in_pages(daemon, operators):
    made = [f"page-{number}" for number in range(5)]
    for id in made:
        daemon.ctl("account", "add", id)
    pages = [operators.get("account-list", prefix="page-", limit=2)]
    while pages[-1]:
        pages.append(operators.get("account-list", prefix="page-", limit=2, after=pages[-1][-1]["id"]))
    assert [[account["id"] for account in page] for page in pages] == [made[:2], made[2:4], made[4:], []]
    assert operators.get("account-show", id=made[0])["id"] == made[0]
    assert operators.get("account-show", 404, id="nobody00")["title"] == "Not Found"


def test_a_rejected_record_is_listed_mended_and_replayed(daemon, operators):
    account = daemon.new_account()
    number, record = rejected(daemon, account)
    listed = operators.get("quarantine-list", account=account.id)
    assert [(e["number"], e["field"]) for e in listed] == [(number, "total_price")]
    assert operators.get("quarantine-show", number=number)["record"]["total_price"] == "much"
    again = operators.post("quarantine-replay", {"number": [number], "set": ["total_price=0.05"]})
    assert again["accepted"] == 1
    assert operators.get("quarantine-list", account=account.id) == []
    found = daemon.records(account, product="SMS", direction="outbound", id=record["id"])["records"]
    assert [r["total_price"] for r in found] == ["0.05"]


def test_rejected_records_are_dropped(daemon, operators):
    account = daemon.new_account()
    numbers = [rejected(daemon, account)[0] for _ in range(3)]
    assert operators.post("quarantine-drop", {"number": [str(n) for n in numbers[:2]]}) == {"dropped": 2}
    assert [e["number"] for e in operators.get("quarantine-list", account=account.id)] == numbers[2:]


def test_callbacks_are_listed_and_tried_again(daemons, receivers):  # noqa: F811
    receiver = receivers(statuses=[500])
    daemon = start(daemons, callback_allow=LOCAL, **ONCE)
    operators = Operators(daemon)
    account = daemon.new_account()
    daemon.post_cdrs([sms(account)])
    reporting.make(daemon, account, product="SMS", direction="outbound", callback_url=receiver.url(), **whole_day())
    wait_for(lambda: [c for c in operators.get("callback-list") if c["last_error"]], 120)
    [waiting] = operators.get("callback-list")
    assert (waiting["account"], waiting["last_error"]) == (account.id, "HTTP status 500")
    assert operators.post("callback-retry", {"id": waiting["id"]}) == {"retried": 1}
    wait_for(lambda: operators.get("callback-list") == [], 120)
    assert receiver.ids() == [waiting["id"]] * 2


def test_reports_of_all_accounts_are_listed_with_callbacks_and_deliveries(daemons, receivers):  # noqa: F811
    daemon = start(daemons, callback_allow=LOCAL, **ONCE)
    operators, receiver = Operators(daemon), receivers(statuses=[500])
    account, other = daemon.new_account(), daemon.new_account()
    daemon.post_cdrs([sms(account)])
    called = reporting.make(daemon, account, product="SMS", direction="outbound", **whole_day(), callback_url=receiver.url())
    plain = reporting.make(daemon, other, product="SMS", direction="outbound", **whole_day())
    wait_for(lambda: "last_status" in operators.get("report-show", id=called["request_id"])["callback_attempts"], 60)
    listed = operators.get("report-list")
    assert [(one["id"], one["account"], one["state"]) for one in listed] == [
        (plain["request_id"], other.id, "SUCCESS"), (called["request_id"], account.id, "SUCCESS")]
    assert "callback" not in listed[0] and listed[1]["callback"] == "waiting" and "delivery" not in listed[1]
    shown = operators.get("report-show", id=called["request_id"])
    assert shown["callback_attempts"]["attempts"] >= 1 and shown["callback_attempts"]["last_status"] == 500
    assert operators.get("report-list", state="FAILED") == []
    daemon.stop()


def test_days_and_sealing_are_shown_and_begun(daemon, operators):
    account = daemon.new_account()
    daemon.post_cdrs(many_sms(account, 3))
    assert operators.get("storage")[-1]["records"] >= 3
    assert operators.post("seal") is None
    wait_for(lambda: operators.get("storage")[-1]["hot"] == 0, 120)


def test_what_is_wrong_with_a_request_is_said(operators):
    assert operators.get("no-such", 404)["detail"].startswith("There is no such command")
    assert operators.get("shutdown", 404)
    wrong = operators.request("POST", "/operator/v1/overview", "{}", JSON)
    assert wrong.status == 405 and wrong.headers["Allow"] == "GET, HEAD"
    wrong = operators.request("GET", "/operator/v1/seal")
    assert wrong.status == 405 and wrong.headers["Allow"] == "POST"
    assert "size" in operators.get("overview", 400, size=1)["detail"]
    assert "given twice" in operators.request("GET", "/operator/v1/overview?accounts=1&accounts=2").json()["detail"]
    assert "all: \"no\"" in operators.get("status", 400, all="no")["detail"]
    for body in ("[]", "{", '"x"', '{"number":{}}', '{"":"1"}', '{"number":["1"],"":[]}'):
        assert operators.request("POST", "/operator/v1/quarantine-drop", body, JSON).status == 400, body


def test_a_form_of_another_site_can_change_nothing(daemon, operators):
    account = daemon.new_account()
    rejected(daemon, account)
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        answer = operators.request("POST", "/operator/v1/quarantine-drop", '{"number":["all"]}', {"Content-Type": kind})
        assert answer.status == 415, kind
    assert len(operators.get("quarantine-list", account=account.id)) == 1


@pytest.mark.parametrize("path", ["/operator/", "/operator/v1", "/operator/v1/overview", "/operator/v1/quarantine-drop"])
def test_a_page_that_calls_the_listener_its_own_is_refused(operators, path):
    """DNS rebinding: the name of somebody else's page leads to this address, so that the browser takes both for one."""
    method, body = ("POST", "{}") if path.endswith("drop") else ("GET", None)
    for host in ("evil.example", f"evil.example:{operators.port}", "127.0.0.1.evil.example", "localhost.evil.example", "[::1].evil", "1", "[]"):
        for auth in (None, JANE):
            answer = operators.request(method, path, body, {"Host": host, **JSON}, auth)
            assert answer.status in (421, 400), host  # 400: no host at all
            assert "WWW-Authenticate" not in answer.headers, "nobody is asked for the secret"
    for host in ("localhost", f"LocalHost:{operators.port}", "127.0.0.1", f"[::1]:{operators.port}", "192.0.2.7:80"):
        assert operators.request(method, path, body, {"Host": host, **JSON}).status in (200, 400), host


def test_names_that_are_set_lead_to_the_listener(daemons):
    daemon = start(daemons, operator_hosts="ops.example.com, Backup.example.com")
    operators = Operators(daemon)
    status = {host: operators.request("GET", "/operator/v1", headers={"Host": host}).status
              for host in ("ops.example.com", "OPS.example.com:443", "backup.example.com", "example.com", "ops.example.com.evil.example")}
    assert list(status.values()) == [200, 200, 200, 421, 421], status
    daemon.stop()


def test_another_site_is_not_allowed_to_ask(operators):
    """A browser asks before it sends JSON or credentials to another origin, and reads no answer without leave."""
    for path in ("/operator/v1/overview", "/operator/v1/quarantine-drop"):
        asked = operators.request("OPTIONS", path, None, {
            "Origin": "https://evil.example", "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type"}, auth=None)
        answer = operators.request("GET", path, None, {"Origin": "https://evil.example"})
        for one in (asked, answer):
            assert not [name for name in one.headers if name.lower().startswith("access-control-")], one
        assert asked.status >= 400


def test_the_page_can_be_framed_by_nobody_and_sends_no_referrer(operators):
    page = operators.request("GET", "/operator/", auth=None)
    policy = page.headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in policy and "unsafe" not in policy and "form-action 'none'" in policy
    assert page.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert page.headers["Referrer-Policy"] == "no-referrer"
    for name in re.findall(r'(?:href|src)="([^"]+)"', page.body.decode()):
        assert operators.request("GET", "/operator/" + name, auth=None).headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_no_cookie_is_ever_set(operators):
    for path in ("/", "/operator/", "/operator/v1", "/operator/v1/overview"):
        assert "Set-Cookie" not in operators.request("GET", path).headers


def test_a_result_that_is_too_large_is_refused(daemon, operators):
    record = json.dumps({"product": "P" * 100, "account_id": "nobody01", "id": "x" * 100}).encode() + b"\n"
    assert daemon.post_body(record * 40000).status == 200
    answer = operators.request("GET", "/operator/v1/quarantine-list?limit=100000")
    assert answer.status == 413 and "ask for less" in answer.json()["detail"], answer
    assert len(operators.get("quarantine-list", limit=3)) == 3
    operators.post("quarantine-drop", {"number": ["all"]})


def test_many_requests_at_once_are_answered_or_told_to_come_again(operators):
    statuses = []

    def ask():
        for _ in range(5):
            statuses.append(operators.request("GET", "/operator/v1/status").status)
    threads = [threading.Thread(target=ask) for _ in range(30)]
    for thread in threads:
        thread.start()
    assert operators.daemon.ctl("overview")["version"]  # cdrctl has its turn meanwhile
    for thread in threads:
        thread.join(120)
    assert len(statuses) == 150 and set(statuses) <= {200, 503} and 200 in statuses


def test_a_client_that_goes_away_ends_its_command(daemon, operators):
    for _ in range(100):
        with socket.create_connection(("127.0.0.1", operators.port)) as client:
            client.sendall(b"GET /operator/v1/storage HTTP/1.1\r\nHost: x\r\nAuthorization: "
                           + harness.basic(*JANE).encode() + b"\r\n\r\n")
    wait_for(lambda: operators.request("GET", "/operator/v1/overview").status == 200, 120)


# --- the page ---

def test_a_browser_is_led_to_the_page_and_its_files(operators):
    led = operators.request("GET", "/", auth=None)
    assert (led.status, led.headers["Location"]) == (303, "operator/")
    assert operators.request("GET", "/operator", auth=None).headers["Location"] == "operator/"
    page = operators.request("GET", "/operator/", auth=None)
    assert page.status == 200 and page.headers["Cache-Control"] == "no-cache"
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    names = re.findall(r'(?:href|src)="([^"]+)"', page.body.decode())
    assert any(name.endswith("/operator.js") for name in names)
    for name in names:
        file = operators.request("GET", "/operator/" + name, auth=None)
        assert file.status == 200 and "immutable" in file.headers["Cache-Control"], name
    assert operators.request("GET", "/operator/0000/operator.js", auth=None).status == 404


# --- what is kept of it ---

def test_changes_are_in_the_audit_log_with_the_operators_name(daemons, tmp_path):
    log = tmp_path / "audit.log"
    daemon = start(daemons, audit_log=str(log), access_log=str(tmp_path / "access.log"))
    operators = Operators(daemon)
    account = daemon.new_account()
    number, _ = rejected(daemon, account)
    operators.post("quarantine-replay", {"number": [number], "set": ["total_price=0.05"]})
    line = [json.loads(text) for text in log.read_text().splitlines()][-1]
    assert line["action"] == "quarantine replay" and line["operator"] == "jane"
    assert "uid" not in line and "pid" not in line
    assert line["args"] == {"number": [str(number)], "set": ["total_price=[hidden]"]}
    assert re.search(r"\(operator jane\)", daemon.log())
    wait_for(lambda: "operator:jane" in (tmp_path / "access.log").read_text(), 60)


# --- the setting ---

def test_without_the_setting_nobody_is_served(own_daemon):
    assert own_daemon.options.get("operator_listen") is None
    assert own_daemon.request("GET", "/operator/v1").status == 404
    assert own_daemon.log().count("listening on") == 2


def test_a_wrong_address_is_an_error_of_the_configuration(own_daemon):
    ended = subprocess.run(own_daemon.command("-o", "operator_listen=nowhere", "-t"), capture_output=True, text=True)
    assert ended.returncode == 1 and "operator_listen: " in ended.stderr
    beyond = own_daemon.command("-o", "operator_listen=*:8090")
    assert "allow_cleartext" in subprocess.run([*beyond, "-t"], capture_output=True, text=True).stderr
    ended = subprocess.run([*beyond, "-o", "allow_cleartext=yes", "-t"], capture_output=True, text=True)
    assert ended.returncode == 0 and "operator_listen: beyond this machine" in ended.stderr
