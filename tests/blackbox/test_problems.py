# SPDX-License-Identifier: ISC
"""What problems lead to: the pages of their types, and what is told of them elsewhere."""
import glob
import os
import re

import pytest

from samples import around_noon

TOP = os.path.join(os.path.dirname(__file__), "..", "..")


def read(*parts):
    with open(os.path.join(TOP, *parts), encoding="utf-8") as file:
        return file.read()


TABLE = re.findall(r'^PROBLEM\("([^"]+)", "(\d+)", "([^"]+)",\s*"([^"]+)"\)', read("src", "api", "problems.def"), re.MULTILINE)


def name(title):
    return title.lower().replace(" ", "-")


def test_every_title_of_the_sources_has_a_page():
    titles = set()
    for path in glob.glob(os.path.join(TOP, "src", "*", "*.c")):
        text = read(path)
        titles |= set(re.findall(r'http_reply_problem(?:_with)?\([^;]*?, \d+, "([^"]+)"', text))
        if path.endswith(("problem.c", "invalid.c")):
            titles |= set(re.findall(r'\{ ERROR_\w+, \d+, "([^"]+)"', text))
            titles |= set(re.findall(r'title = "([^"]+)"', text))
        titles |= {phrase for status, phrase in re.findall(r'\{ (\d{3}), "([^"]+)" \}', text)
                   if path.endswith("reply.c") and int(status) >= 400 and status not in ("412", "422")}
    assert len(titles) > 15
    assert titles - {title for title, *_ in TABLE} == set()


@pytest.mark.parametrize("title, status, meaning, remedy", TABLE, ids=[name(row[0]) for row in TABLE])
def test_the_type_of_a_problem_is_a_page_that_tells_what_to_do(daemon, title, status, meaning, remedy):
    plain = daemon.get(f"/problems/{name(title)}")
    assert plain.status == 200 and plain.headers["Content-Type"].startswith("text/plain"), plain
    assert all(text.encode() in plain.body for text in (title, status, meaning, remedy))
    page = daemon.get(f"/problems/{name(title)}", headers={"Accept": "text/html,*/*;q=0.8"})
    assert page.headers["Content-Type"].startswith("text/html") and f"<h1>{title}</h1>".encode() in page.body
    assert not re.search(r"[<>&\"]", title + meaning + remedy), "would have to be escaped"


def test_problems_link_to_their_pages(daemon, account):
    answers = [daemon.get("/nowhere"), daemon.get("/v2/reports/records"), daemon.get("/v2/reports/none", account=account),
               daemon.request("PUT", "/v1/cdrs"), daemon.get("/v3/media/none", account=account),
               daemon.get("/v2/reports/records", {"account_id": account.id, "product": "TELEX"}, account),
               daemon.get("/v2/reports/records", {"account_id": "nobody00", "product": "SMS", "direction": "outbound"}, account)]
    assert sorted(a.status for a in answers) == [401, 403, 404, 404, 404, 405, 422]
    for answer in answers:
        problem = answer.json()
        base, path = problem["type"].split("/problems/")
        assert base == f"http://127.0.0.1:{daemon.port}" and path == name(problem["title"])
        assert daemon.get("/problems/" + path).status == 200


def test_the_list_of_problems_is_whole(daemon):
    assert daemon.get("/problems").body.decode().splitlines() == [f"{status} {name(title)}" for title, status, *_ in TABLE]
    assert daemon.get("/problems/telex").status == 404


def test_the_manual_lists_every_problem():
    listed = re.search(r"^\.Ss Problems\n.*?^\.Bl.*?\n(.*?)^\.El", read("man", "cdrd.8"), re.MULTILINE | re.DOTALL)[1]
    assert re.findall(r"^\.It Li (\S+)\n(\d+)$", listed, re.MULTILINE) == [(name(title), status) for title, status, *_ in TABLE]


# --- what the log tells of requests ---

NUMBER = "447700900987"
ID = "aaaabbbb-cccc-4ddd-8eee-ffff00001111"


def ask_all(daemon, account):
    """Requests that end in every class of statuses, with a number and an id in their queries."""
    query = {"account_id": account.id, "product": "SMS", "direction": "outbound", "to": NUMBER, **around_noon()}
    statuses = {daemon.get("/v2/reports/records", changed, who).status for changed, who in (
        (query, account), ({**query, "status": "no-such-" + NUMBER}, account), ({**query, "account_id": "nobody00"}, account),
        (query, None), ({**query, "id": ID}, account), ({**query, "date_start": NUMBER}, account),
        ({**query, NUMBER: "x", "+" + NUMBER: ""}, account))}
    statuses |= {daemon.get(f"/v2/reports/records{mark}to={NUMBER}", None, account).status for mark in ("%3F", "%3f", "&", ";")}
    statuses |= {daemon.get(f"/nowhere?to={NUMBER}&id={ID}").status,
                 daemon.request("POST", f"/v2/reports?to={NUMBER}", b'{"to":"' + NUMBER.encode() + b'",',
                                auth=(account.id, account.secret)).status,
                 daemon.request("PUT", f"/v2/reports/records?to={NUMBER}").status}
    return statuses


def test_numbers_and_ids_of_queries_stay_out_of_the_log(daemons):
    daemon = daemons(log_level="debug", access_log="log")
    account = daemon.new_account()
    assert ask_all(daemon, account) >= {200, 401, 403, 404, 405, 422}
    daemon.stop()
    log = daemon.log()
    assert "/v2/reports/records" in log and "422 Unprocessable entity: status" in log, log[-3000:]
    assert NUMBER not in log and ID not in log


def test_access_log_query_brings_them_back(daemons):
    daemon = daemons(access_log_query="yes")
    account = daemon.new_account()
    ask_all(daemon, account)
    daemon.stop()
    assert NUMBER in daemon.log() and ID in daemon.log()
