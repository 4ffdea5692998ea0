# SPDX-License-Identifier: ISC
"""POST /v3/media/{file_id}/ticket: a URL that downloads one file once, without credentials, within minutes."""
import threading
import urllib.parse

import pytest

import harness
import reporting
from samples import sms, whole_day


class Filed:
    """An account with a report's file."""

    def __init__(self, daemon, parent=None):
        self.daemon = daemon
        self.account = daemon.new_account(parent=parent)
        daemon.post_cdrs([sms(self.account)])
        self.path = reporting.media_path(reporting.make(daemon, self.account, product="SMS", direction="outbound",
                                                        **whole_day()))
        self.body = daemon.get(self.path, account=self.account).body

    def ask(self, account=None):
        account = account or self.account
        return self.daemon.request("POST", f"{self.path}/ticket", auth=(account.id, account.secret))

    def ticket(self):
        """The target of a new ticket's URL."""
        given = self.ask()
        assert given.status == 200, given
        url = urllib.parse.urlsplit(given.json()["url"])
        assert url.netloc == f"127.0.0.1:{self.daemon.port}"
        return f"{url.path}?{url.query}"

    def get(self, target, method="GET", **headers):
        return self.daemon.request(method, target, headers=headers)


@pytest.fixture
def filed(daemon):
    return Filed(daemon)


def refused(answer):
    return answer.status == 403 and answer.json()["title"] == "Invalid ticket" and "WWW-Authenticate" not in answer.headers


def test_a_ticket_downloads_the_file_once_without_credentials(filed):
    target = filed.ticket()
    got = filed.get(target)
    assert got.status == 200 and got.body == filed.body and "attachment" in got.headers["Content-Disposition"]
    assert refused(filed.get(target)) and refused(filed.get(target, Range="bytes=0-"))
    assert filed.daemon.get(filed.path, account=filed.account).status == 200


def test_the_answer_says_until_when_and_is_not_kept(filed):
    given = filed.ask()
    assert set(given.json()) == {"url", "valid_until"} and given.headers["Cache-Control"] == "no-store"


def test_head_does_not_use_a_ticket_up(filed):
    target = filed.ticket()
    assert [filed.get(target, "HEAD").status for _ in range(2)] == [200, 200]
    assert filed.get(target).status == 200 and filed.get(target, "HEAD").status == 403


def test_a_part_can_be_downloaded(filed):
    got = filed.get(filed.ticket(), Range="bytes=2-4")
    assert got.status == 206 and got.body == filed.body[2:5]


def test_of_many_at_once_one_gets_the_file(filed):
    target, statuses = filed.ticket(), []
    threads = [threading.Thread(target=lambda: statuses.append(filed.get(target).status)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] + [403] * 7


def test_a_ticket_is_for_its_file_alone(filed):
    other = Filed(filed.daemon)
    query = filed.ticket().split("?")[1]
    assert refused(filed.get(f"{other.path}?{query}"))
    assert refused(filed.get(f"{filed.path}?{query[:-1]}")) and refused(filed.get(f"{filed.path}?ticket="
                                                                                 f"{'0' * 36}"))
    assert filed.get(f"{filed.path}?{query}").status == 200


def test_a_ticket_is_given_to_those_alone_who_may_download(filed):
    stranger, child = filed.daemon.new_account(), Filed(filed.daemon, parent=filed.account)
    assert filed.ask(stranger).status == 404 and filed.ask(child.account).status == 404
    assert child.ask(filed.account).status == 200
    assert filed.daemon.request("POST", f"{filed.path}/ticket").status == 401
    assert filed.daemon.request("POST", "/v3/media/nothing/ticket", auth=(stranger.id, stranger.secret)).status == 404
    assert filed.daemon.request("GET", f"{filed.path}/ticket", auth=(stranger.id, stranger.secret)).status == 405


def test_an_empty_ticket_is_none(filed):
    assert filed.get(f"{filed.path}?ticket=").status == 403 and filed.get(f"{filed.path}?other=1").status == 401


def test_tickets_expire(daemons):
    daemon = daemons(download_ticket_keep="1s")
    filed = Filed(daemon)
    target = filed.ticket()
    harness.wait_for(lambda: filed.get(target, "HEAD").status == 403, 120)
    assert refused(filed.get(target))
    daemon.stop()


@pytest.mark.parametrize("used", [True, False])
def test_after_a_restart_no_ticket_is_valid(daemons, used):
    daemon = daemons()
    filed = Filed(daemon)
    target = filed.ticket()
    assert not used or filed.get(target).status == 200
    daemon.kill9()
    daemon.start()
    assert refused(filed.get(target)) and filed.get(filed.ticket()).status == 200
    daemon.stop()


def test_a_disabled_account_has_no_valid_tickets(filed):
    target = filed.ticket()
    filed.daemon.ctl("account", "disable", filed.account.id)
    assert refused(filed.get(target))
    filed.daemon.ctl("account", "enable", filed.account.id)
    assert filed.get(target).status == 200


def test_an_account_has_so_many_tickets_and_another_as_many(filed):
    given = [filed.ask() for _ in range(21)]
    assert [one.status for one in given] == [200] * 20 + [429] and given[-1].headers["Retry-After"]
    assert Filed(filed.daemon).ask().status == 200
    url = urllib.parse.urlsplit(given[0].json()["url"])
    assert filed.get(f"{url.path}?{url.query}").status == 200 and filed.ask().status == 200


def test_a_ticket_and_its_download_are_free(filed):
    filed.get(filed.ticket())
    filed.daemon.restart()
    usage = filed.daemon.records(filed.account, product="REPORTS-USAGE")["records"]
    assert [one["job_type"] for one in usage] == ["ASYNC_JOB"]  # the report itself
