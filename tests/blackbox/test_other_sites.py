# SPDX-License-Identifier: ISC
"""A page of somebody else's, in the browser of a person who has given it credentials: what it makes the browser send is not
served with them. tests/console/other_sites.test.js is such a page."""
import re

import pytest

import harness
import reporting
from samples import many_sms, whole_day
from test_operator import JANE, JSON, Operators, start

# What browsers add by themselves to what a page of another site makes them send.
IMAGE = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
FRAME = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}
FORM = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
SCRIPT = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "empty"}
NEIGHBOUR = {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}
# A link in a letter, an address that is typed, a script of our own page.
LINK = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-User": "?1"}
TYPED = {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
OWN = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}


@pytest.fixture(scope="module")
def daemon(daemons):
    return start(daemons)


def endpoints_with_credentials(daemon):
    """(method, path) of each that the API describes."""
    paths = daemon.get("/openapi.json").json()["paths"]
    found = [(method.upper(), re.sub(r"\{\w+\}", "00000000-0000-4000-8000-000000000000", path)) for path, methods in paths.items()
             for method, one in methods.items() if method in ("get", "post", "delete") and "401" in one["responses"]]
    assert len(found) > 20
    return found


@pytest.mark.parametrize("sent", [IMAGE, FRAME, FORM, SCRIPT, NEIGHBOUR], ids=["image", "frame", "form", "script", "neighbour"])
def test_the_api_serves_no_page_of_another_site(daemon, account, sent):
    for method, path in endpoints_with_credentials(daemon):
        if sent is FORM and method == "GET":
            continue  # is a link
        for auth in ((account.id, account.secret), harness.PRODUCER, None):
            answer = daemon.request(method, path, b"{}" if method == "POST" else None, sent, auth)
            assert answer.status == 403 and "another site" in answer.json()["detail"], (method, path, answer)
            assert "WWW-Authenticate" not in answer.headers, "nobody is asked for a secret"


def test_what_it_asks_for_is_not_done(daemon, account):
    daemon.post_cdrs(many_sms(account, 3))
    auth = (account.id, account.secret)
    secret = daemon.get("/v2/account/webhook", account=account).json()
    # as forms send it
    assert daemon.request("POST", "/v2/account/webhook/rotate", b"", FORM, auth).status == 403
    assert daemon.get("/v2/account/webhook", account=account).json() == secret
    body = {"account_id": account.id, "product": "SMS", "direction": "outbound", **whole_day()}
    assert reporting.post(daemon, account, body, {**FORM, "Content-Type": "text/plain"}).status == 403
    assert daemon.get("/v2/reports", {"account_id": account.id}, account).json()["items_count"] == 0
    query = "/v2/reports/records?" + harness.query_string(body)
    assert daemon.request("GET", query, None, IMAGE, auth).status == 403


@pytest.mark.parametrize("sent", [LINK, TYPED, OWN], ids=["link", "typed", "own"])
def test_links_and_the_page_itself_are_served(daemon, account, sent):
    assert daemon.get("/v2/account", account=account, headers=sent).status == 200
    assert daemon.get("/v2/account", headers=sent).status == 401
    posted = daemon.request("POST", "/v2/account/webhook/rotate", b"", sent, (account.id, account.secret))
    assert posted.status == (403 if sent is LINK else 200), posted


def test_what_takes_no_credentials_may_be_linked_and_shown(daemon):
    for path in ("/openapi.json", "/healthz", "/problems"):
        assert daemon.get(path, headers=IMAGE).status == 200, path


@pytest.mark.parametrize("sent", [IMAGE, FRAME, FORM, SCRIPT, NEIGHBOUR], ids=["image", "frame", "form", "script", "neighbour"])
def test_operators_are_served_by_no_page_of_another_site(daemon, account, sent):
    operators = Operators(daemon)
    daemon.post_body(b'{"product":"SMS"}\n')
    kept = len(operators.get("quarantine-list"))
    commands = operators.request("GET", "/operator/v1").json()["commands"]
    for command in commands:
        if sent is FORM and command["method"] == "GET":
            continue
        for auth in (JANE, None):
            answer = operators.request(command["method"], command["path"], '{"number":["all"]}' if command["method"] == "POST" else None,
                                       {**JSON, **sent}, auth)
            assert answer.status == 403 and "WWW-Authenticate" not in answer.headers, (command, answer)
    assert len(operators.get("quarantine-list")) == kept > 0
    assert operators.request("GET", "/operator/v1", None, OWN).status == 200
