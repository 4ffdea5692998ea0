# SPDX-License-Identifier: ISC
"""The console's files and sessions, as any client sees them; tests/console has the page in a browser."""
import contextlib
import gzip
import http.client
import os
import re
import threading

import harness

PAGE = "/console/"
HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
SCRIPT = {"X-Requested-With": "test"}


def files_of(daemon):
    return re.findall(r'(?:href|src)="([^"]+)"', daemon.get(PAGE).body.decode())


def sign_in(daemon, account):
    answer = daemon.request("POST", "/console/session", b"", SCRIPT, (account.id, account.secret))
    assert answer.status == 200, answer
    return answer.headers["Set-Cookie"]


def cookie_of(header):
    return {"Cookie": f"other=1; {header.split(';')[0]}; last=2", **SCRIPT}


def account_of(daemon, headers):
    return daemon.get("/v2/account", headers=headers).status


# --- files ---

def test_a_browser_is_led_to_the_console_and_other_clients_are_not(daemon):
    led = daemon.get("/", headers=HTML)
    assert (led.status, led.headers["Location"]) == (303, "console/")
    assert daemon.get("/").status == 404 and daemon.get("/", headers={"Accept": "*/*"}).status == 404
    assert daemon.get("/console", headers=HTML).headers["Location"] == "console/"


def test_the_page_is_asked_for_again_and_its_files_never(daemon):
    page = daemon.get(PAGE)
    assert page.headers["Cache-Control"] == "no-cache" and page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert daemon.get(PAGE, headers={"If-None-Match": page.headers["ETag"]}).status == 304
    files = files_of(daemon)
    assert len(files) > 4
    for name in files:
        answer = daemon.get(PAGE + name)
        assert answer.status == 200 and "immutable" in answer.headers["Cache-Control"], name
        assert daemon.get(PAGE + name, headers={"If-None-Match": answer.headers["ETag"]}).status == 304
    version, name = files[0].split("/")
    assert daemon.get(f"/console/{'0' * len(version)}/{name}").status == 404
    assert daemon.get(f"/console/{version}/none.js").status == 404


def test_files_are_sent_compressed_to_those_who_take_that(daemon):
    for name in ["", *files_of(daemon)]:
        plain = daemon.get(PAGE + name, headers={"Accept-Encoding": "identity"})
        packed = daemon.get(PAGE + name, headers={"Accept-Encoding": "gzip"})
        assert "Content-Encoding" not in plain.headers and packed.headers["Content-Encoding"] == "gzip", name
        assert gzip.decompress(packed.body) == plain.body, name
        assert packed.headers["Vary"] == "Accept-Encoding"


def test_nothing_but_its_own_files_can_run_in_the_page(daemon):
    for path in ["", *files_of(daemon)]:
        headers = daemon.get(PAGE + path).headers
        assert headers["X-Content-Type-Options"] == "nosniff", path
        if not path.endswith((".js", ".css")):
            policy = headers["Content-Security-Policy"]
            assert "unsafe" not in policy and "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
            assert headers["Referrer-Policy"] == "no-referrer", path
    text = daemon.get(PAGE).body.decode()
    assert not re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=|https?:", text), "what the policy would forbid"


def test_the_console_can_be_turned_off(daemons):
    daemon = daemons(console="no")
    assert [daemon.get(path, headers=HTML).status for path in ("/", "/console", PAGE)] == [404, 404, 404]
    assert "console = no" in daemon.get(PAGE, headers=HTML).json()["detail"]
    daemon.stop()


# --- sessions ---

def test_a_session_stands_for_credentials_and_survives_a_restart(daemons):
    daemon = daemons()
    account = daemon.new_account()
    header = sign_in(daemon, account)
    assert re.search(r"; Path=/; Max-Age=28800; HttpOnly; SameSite=Strict$", header), header
    headers = cookie_of(header)
    assert daemon.get("/console/session", headers=headers).json() == {"account_id": account.id}
    daemon.restart()
    assert daemon.get("/v2/account", headers=headers).json()["account_id"] == account.id
    assert daemon.get("/console/session").status == 204, "nobody is signed in without one"
    daemon.stop()


def test_a_session_is_for_tls_unless_it_stays_on_this_machine(daemon, account):
    for host, secure in (("127.0.0.1:80", False), ("localhost", False), ("[::1]:8080", False), ("reports.example.com", True)):
        answer = daemon.request("POST", "/console/session", b"", {**SCRIPT, "Host": host}, (account.id, account.secret))
        assert answer.headers["Set-Cookie"].endswith("; Secure") == secure, host


def test_a_name_that_only_begins_like_this_machine_is_for_tls(daemon, account):
    for host in ("localhost.example.com", "127.example.com:80", "[::1].example.com"):
        answer = daemon.request("POST", "/console/session", b"", {**SCRIPT, "Host": host}, (account.id, account.secret))
        assert answer.status != 200 or answer.headers["Set-Cookie"].endswith("; Secure"), host


def test_a_page_over_tls_gets_a_session_for_tls_although_a_proxy_changes_the_host(daemon, account):
    for origin, secure in (("https://reports.example.com", True), ("http://localhost", False)):
        headers = {**SCRIPT, "Host": "127.0.0.1:80", "Origin": origin}
        answer = daemon.request("POST", "/console/session", b"", headers, (account.id, account.secret))
        assert answer.headers["Set-Cookie"].endswith("; Secure") == secure, origin


def test_no_cache_keeps_who_is_signed_in(daemon, account):
    for headers in ({}, cookie_of(sign_in(daemon, account))):
        assert daemon.get("/console/session", headers=headers).headers.get("Cache-Control") == "no-store", headers


def test_a_session_counts_only_in_requests_of_the_page_itself(daemon, account):
    headers = cookie_of(sign_in(daemon, account))
    del headers["X-Requested-With"]
    assert account_of(daemon, headers) == 401, "as a form or a link of another site would send it"
    for site, status in (("cross-site", 403), ("same-site", 403), ("none", 401), ("same-origin", 200)):
        assert account_of(daemon, {**headers, **SCRIPT, "Sec-Fetch-Site": site}) == status, site


def test_signing_out_ends_a_session_and_its_copies_for_good(daemons):
    daemon = daemons()
    account = daemon.new_account()
    headers, other = cookie_of(sign_in(daemon, account)), cookie_of(sign_in(daemon, account))
    ended = daemon.request("DELETE", "/console/session", None, headers)
    assert ended.status == 204 and "Max-Age=0" in ended.headers["Set-Cookie"]
    daemon.restart()
    assert (account_of(daemon, headers), account_of(daemon, other)) == (401, 200)
    daemon.stop()


def test_a_revoked_secret_and_a_disabled_account_end_their_sessions(daemons):
    daemon = daemons(login_delay_max=0)
    account = daemon.new_account()
    headers = cookie_of(sign_in(daemon, account))
    daemon.ctl("account", "disable", account.id)
    assert account_of(daemon, headers) == 401
    daemon.ctl("account", "enable", account.id)
    assert account_of(daemon, headers) == 200
    daemon.ctl("secret", "add", account.id)
    daemon.ctl("secret", "revoke", account.id, "1")
    answer = daemon.get("/v2/account", headers=headers)
    assert answer.status == 401 and "Max-Age=0" in answer.headers["Set-Cookie"]
    daemon.stop()


def test_a_session_ends_when_its_time_is_up(daemons):
    daemon = daemons(console_session="1s", login_delay_max=0)
    header = sign_in(daemon, daemon.new_account())
    assert "Max-Age=1;" in header
    harness.wait_for(lambda: account_of(daemon, cookie_of(header)) == 401)
    daemon.stop()


def test_a_cookie_that_was_changed_is_no_session(daemon, account):
    header = sign_in(daemon, account)
    name, token = header.split(";")[0].split("=")
    for wrong in ("", "AAAA", token[:-2], token[:-1] + ("A" if token[-1] != "A" else "B"), token + "A", token * 20, "%"):
        assert account_of(daemon, {"Cookie": f"{name}={wrong}", **SCRIPT}) == 401, wrong


def test_wrong_secrets_at_the_session_are_slowed_as_everywhere(daemons):
    daemon = daemons(login_delay_max="1m")
    account, over = daemon.new_account(), threading.Event()

    def guess():
        while not over.is_set():
            with contextlib.suppress(OSError, http.client.HTTPException):  # the daemon ends meanwhile
                daemon.request("POST", "/console/session", None, SCRIPT, (account.id, "a-wrong-guess"))
    threads = [threading.Thread(target=guess, daemon=True) for _ in range(40)]
    for thread in threads:
        thread.start()
    # While many answers to an address are being delayed, it is turned away, be the secret right or not.
    harness.wait_for(lambda: daemon.request("POST", "/console/session", None, SCRIPT, (account.id, account.secret)).status == 429, 120)
    over.set()
    daemon.stop()
    for thread in threads:
        thread.join(120)


def test_scripts_are_never_asked_by_the_browsers_own_dialog(daemon):
    assert daemon.get("/v2/account").headers["WWW-Authenticate"].startswith("Basic")
    assert not daemon.get("/v2/account", headers=SCRIPT).headers["WWW-Authenticate"].startswith("Basic")


# --- the README ---

def test_the_pictures_of_the_readme_are_there_and_small():
    top = os.path.join(os.path.dirname(__file__), "..", "..")
    with open(os.path.join(top, "README.md"), encoding="utf-8") as file:
        pictures = re.findall(r"!\[[^]]+\]\(([^)]+\.png)\)", file.read())
    assert len(pictures) == 2
    for name in pictures:
        assert 10_000 < os.path.getsize(os.path.join(top, name)) < 150_000, name
