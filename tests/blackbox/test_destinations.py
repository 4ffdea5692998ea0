# SPDX-License-Identifier: ISC
"""Destinations: the files of reports are delivered to https and S3 servers, and nobody sees the secrets."""
import base64
import hashlib
import os

import pytest

import harness
import reporting
from delivery_servers import SlowServer
from harness import CtlError, wait_for
from s3_server import signature_of
from samples import sms, whole_day
from test_callbacks import FAST, LOCAL, ONCE, certificate, make_certificate, receivers  # noqa: F401 (fixtures)

PATIENCE = 120
SECRET = "hush-hush-secret-of-a-destination"
PATH = "/v2/reports/destinations"


def add(daemon, account, expect=201, **members):
    response = reporting.post(daemon, account, members, path=PATH)
    assert response.status == expect, response
    return response.json()


def listed(daemon, account):
    return daemon.get(PATH, account=account).json()["destinations"]


def remove(daemon, account, name):
    return daemon.request("DELETE", f"{PATH}/{name}", auth=(account.id, account.secret)).status


def make(daemon, account, destination, count=3, **more):
    daemon.post_cdrs([sms(account) for _ in range(count)])
    return reporting.make(daemon, account, product="SMS", direction="outbound", destination=destination, **whole_day(), **more)


def delivery(daemon, account, ended):
    return reporting.status(daemon, account, ended["request_id"])["delivery"]


def delivered(daemon, account, ended):
    wait_for(lambda: delivery(daemon, account, ended)["state"] == "delivered", PATIENCE)
    return delivery(daemon, account, ended)


def on_disk(daemon):
    with open(os.path.join(daemon.data_dir, "catalog", "data.mdb"), "rb") as catalog:
        return catalog.read()


# --- what is kept ---


def test_a_destination_is_kept_without_its_secret_being_shown(daemon, account):
    made = add(daemon, account, name="archive", type="put", url="https://example.com/in/", user="me", secret=SECRET)
    assert made["url"] == "https://example.com/in/" and made["user"] == "me" and made["is_operators"] is False
    told = [str(made), str(listed(daemon, account)), str(daemon.get(PATH + "/archive", account=account).json()),
            str(daemon.ctl("destination", "list")), daemon.log()]
    assert not [text for text in told if SECRET in text]
    stored = on_disk(daemon)
    assert SECRET.encode() not in stored and b"example.com/in" not in stored
    assert add(daemon, account, expect=409, name="archive", type="put", url="https://example.com/")
    assert remove(daemon, account, "archive") == 204 and remove(daemon, account, "archive") == 404
    assert listed(daemon, account) == []
    assert daemon.get(PATH + "/archive", account=account).status == 404


@pytest.mark.parametrize("members, wrong", [
    ({"name": "a b"}, "name"), ({"type": "ftp"}, "type"), ({"url": "ftp://example.com/"}, "url"),
    ({"url": "https://example.com/in"}, "url"), ({"url": "https://example.com/?a=/"}, "url"),
    ({"url": "http://example.com/", "secret": SECRET}, "url"), ({"user": "me"}, "secret"),
    ({"secret": "a\r\nb"}, "secret"), ({"type": "s3"}, "user"), ({"type": "s3", "user": "a", "secret": "b"}, "region"),
    ({"nonsense": "1"}, "nonsense"), ({"secret": "x" * 1025}, "secret"),
])
def test_what_is_wrong_is_named(daemon, account, members, wrong):
    response = reporting.post(daemon, account, {"name": "x", "type": "put", "url": "https://example.com/", **members}, path=PATH)
    assert response.status == 422, response
    assert [each["name"] for each in response.json()["invalid_parameters"]] == [wrong], response


def test_names_are_the_accounts_before_the_operators(daemon, account):
    other = daemon.new_account()
    daemon.ctl("destination", "add", "central", "--type", "put", "--url", "https://central.example.com/", "--secret", SECRET)
    assert listed(daemon, account) == [{"name": "central", "type": "put", "is_operators": True}]
    assert remove(daemon, account, "central") == 404
    add(daemon, account, name="central", type="put", url="https://own.example.com/")
    assert daemon.get(PATH + "/central", account=account).json()["url"] == "https://own.example.com/"
    assert daemon.get(PATH + "/central", account=other).json()["is_operators"] is True
    daemon.ctl("destination", "remove", "central")
    with pytest.raises(CtlError):
        daemon.ctl("destination", "remove", "central")
    assert daemon.get(PATH + "/central", account=other).status == 404
    refused = reporting.post(daemon, other, {"account_id": other.id, "product": "SMS", "direction": "outbound", "destination": "central"})
    assert refused.status == 422 and b"There is no destination 'central'" in refused.body, refused


def test_more_destinations_than_the_setting_allows_are_refused(daemons):
    daemon = daemons(destinations_per_account_max=1)
    account = daemon.new_account()
    add(daemon, account, name="one", type="put", url="https://example.com/")
    assert "destinations_per_account_max" in add(daemon, account, expect=409, name="two", type="put", url="https://example.com/")["detail"]
    daemon.stop()


def test_destinations_go_with_their_account(daemons):
    daemon = daemons(account_grace=0)
    account = daemon.new_account()
    for name in ("one", "two"):
        add(daemon, account, name=name, type="put", url="https://example.com/")
    daemon.ctl("account", "delete", account.id)
    wait_for(lambda: account.id not in [row["id"] for row in daemon.ctl("account", "list")], PATIENCE)
    assert daemon.ctl("destination", "list") == []
    daemon.stop()


# --- delivered ---


@pytest.fixture(scope="module")
def prompt(daemons, certificate):  # noqa: F811
    return daemons(callback_allow=LOCAL, callback_ca_file=certificate, callback_timeout="10m", **FAST)


@pytest.mark.parametrize("credentials, header", [
    ({"user": "me", "secret": SECRET}, "Basic " + base64.b64encode(f"me:{SECRET}".encode()).decode()),
    ({"secret": SECRET}, "Bearer " + SECRET),
    ({}, None),
])
def test_a_file_is_put_to_an_https_server(prompt, receivers, certificate, credentials, header):  # noqa: F811
    receiver, account = receivers(statuses=[503], certificate=certificate), prompt.new_account()
    add(prompt, account, name="archive", type="put", url=receiver.url(path="/in/"), **credentials)
    ended = make(prompt, account, "archive")
    told = delivered(prompt, account, ended)
    assert (told["attempts"], told["last_status"]) == (2, 200), told
    attempts = prompt.get("/v2/account/webhook", account=account).json()["attempts"]
    assert [attempt["kind"] for attempt in attempts] == ["delivery", "delivery"]
    file = reporting.download(prompt, account, ended)
    for path, headers, body in receiver.requests:
        assert path == f"/in/SMS_{ended['request_id']}.zip" and body == file
        assert headers["Authorization"] == header and "webhook-signature" not in headers
    assert hashlib.sha256(receiver.requests[-1][2]).hexdigest() == ended["manifest"]["sha256"]
    assert len(receiver.requests) == 2


def test_a_schedules_reports_are_delivered(prompt, receivers):  # noqa: F811
    receiver, account = receivers(), prompt.new_account()
    add(prompt, account, name="archive", type="put", url=receiver.url(path="/"))
    made = prompt.ctl("schedule", "add", account.id, "product=SMS", "direction=outbound", "cron=0 0 1 1 *",
                      "range=yesterday", "destination=archive")
    report = prompt.ctl("schedule", "run", made["schedule_id"])["report"]
    wait_for(lambda: receiver.requests, PATIENCE)
    assert receiver.requests[0][0] == f"/SMS_{report}.zip"


def test_a_delivery_waits_over_kill_9(daemons, receivers):  # noqa: F811
    receiver = receivers(statuses=[500])
    daemon = daemons(callback_allow=LOCAL, **ONCE)
    account = daemon.new_account()
    add(daemon, account, name="archive", type="put", url=receiver.url(path="/"))
    ended = make(daemon, account, "archive")
    wait_for(lambda: delivery(daemon, account, ended).get("last_status") == 500, PATIENCE)
    daemon.kill9()
    daemon.start()
    assert delivery(daemon, account, ended)["state"] == "waiting"
    daemon.ctl("callback", "retry", "delivery_" + ended["request_id"])
    assert delivered(daemon, account, ended)["attempts"] == 2
    assert receiver.requests[1][2] == reporting.download(daemon, account, ended)
    daemon.stop()


def test_a_large_file_is_delivered_whole(prompt, receivers):  # noqa: F811
    receiver, account = receivers(), prompt.new_account()
    add(prompt, account, name="archive", type="put", url=receiver.url(path="/"))
    prompt.post_body(harness.generate_bytes("SMS", [account], 60000, whole_day()["date_start"], whole_day()["date_end"]))
    ended = make(prompt, account, "archive", include_message="true")
    assert ended["manifest"]["bytes"] > 1 << 20
    delivered(prompt, account, ended)
    assert hashlib.sha256(receiver.requests[0][2]).hexdigest() == ended["manifest"]["sha256"]


def test_a_server_that_takes_a_few_bytes_a_second_is_given_up(daemons):
    slow = SlowServer()
    daemon = daemons(callback_allow=LOCAL, callback_timeout="3s", **ONCE)
    account = daemon.new_account()
    add(daemon, account, name="archive", type="put", url=f"http://127.0.0.1:{slow.port}/")
    daemon.post_body(harness.generate_bytes("SMS", [account], 100000, whole_day()["date_start"], whole_day()["date_end"]))
    ended = make(daemon, account, "archive", include_message="true")
    assert ended["manifest"]["bytes"] > 6 << 20  # more than the kernel's buffers take
    wait_for(lambda: delivery(daemon, account, ended).get("last_error"), PATIENCE)
    assert "too slow" in delivery(daemon, account, ended)["last_error"]
    assert slow.taken > 0
    slow.close()
    daemon.stop()


def test_addresses_that_are_not_public_are_refused(daemons, receivers):  # noqa: F811
    receiver = receivers()
    daemon = daemons(**FAST)
    account = daemon.new_account()
    add(daemon, account, name="archive", type="put", url=receiver.url(path="/"))
    ended = make(daemon, account, "archive")
    wait_for(lambda: "callback_allow" in delivery(daemon, account, ended).get("last_error", ""), PATIENCE)
    assert receiver.requests == []
    daemon.stop()


def test_secrets_are_not_sent_to_where_a_destination_was_before(prompt, receivers, certificate):  # noqa: F811
    receiver, account = receivers(statuses=[503] * 1000, certificate=certificate), prompt.new_account()
    add(prompt, account, name="archive", type="put", url=receiver.url(path="/"))
    ended = make(prompt, account, "archive")
    wait_for(lambda: receiver.requests, PATIENCE)
    assert remove(prompt, account, "archive") == 204
    wait_for(lambda: "there is none" in delivery(prompt, account, ended).get("last_error", ""), PATIENCE)
    add(prompt, account, name="archive", type="put", url="https://elsewhere.example.com/", secret=SECRET)
    wait_for(lambda: "another url" in delivery(prompt, account, ended).get("last_error", ""), PATIENCE)
    assert not [headers for _, headers, _ in receiver.requests if headers["Authorization"]]


def test_a_delivery_that_waits_while_a_number_is_erased_sends_the_file_without_it(daemons, receivers):  # noqa: F811
    receiver, number = receivers(statuses=[503]), "447700900777"
    daemon = daemons(callback_allow=LOCAL, **ONCE)
    account = daemon.new_account()
    add(daemon, account, name="archive", type="put", url=receiver.url(path="/"))
    daemon.post_cdrs([sms(account, to=number)])
    ended = make(daemon, account, "archive")
    wait_for(lambda: delivery(daemon, account, ended).get("last_status") == 503, PATIENCE)
    daemon.ctl("erase", "--account", account.id, "--number", number)
    anew = reporting.wait(daemon, account, ended["request_id"])
    assert anew["manifest"]["sha256"] != ended["manifest"]["sha256"]
    daemon.ctl("callback", "retry", "delivery_" + ended["request_id"])
    delivered(daemon, account, ended)
    (_, _, before), (_, _, after) = receiver.requests
    assert number.encode() in reporting.unpack(before) and number.encode() not in reporting.unpack(after)
    assert after == reporting.download(daemon, account, anew)
    daemon.stop()


# --- S3 ---


def test_a_file_is_put_to_an_s3_server_with_a_signature_that_is_right(prompt, receivers):  # noqa: F811
    receiver, account = receivers(statuses=[403]), prompt.new_account()
    add(prompt, account, name="bucket", type="s3", url=receiver.url(path="/bucket/monthly/"), region="eu-central-1",
        user="AKIAEXAMPLE", secret=SECRET)
    ended = make(prompt, account, "bucket")
    assert delivered(prompt, account, ended)["attempts"] == 2
    for path, headers, body in receiver.requests:
        assert path == f"/bucket/monthly/SMS_{ended['request_id']}.zip"
        assert body == reporting.download(prompt, account, ended)
        scope, signature = signature_of("PUT", path, headers, SECRET)
        assert scope.split("/")[1:] == ["eu-central-1", "s3", "aws4_request"]
        assert headers["Authorization"].endswith("Signature=" + signature)
        assert headers["x-amz-content-sha256"] == ended["manifest"]["sha256"]
        assert "Credential=AKIAEXAMPLE/" in headers["Authorization"] and SECRET not in str(headers)


def test_the_status_tells_that_credentials_are_refused(prompt, receivers):  # noqa: F811
    receiver, account = receivers(statuses=[403] * 1000), prompt.new_account()
    add(prompt, account, name="bucket", type="s3", url=receiver.url(path="/bucket/"), region="us-east-1", user="a", secret="b")
    ended = make(prompt, account, "bucket")
    wait_for(lambda: delivery(prompt, account, ended).get("last_error") == "HTTP status 403", PATIENCE)
    assert delivery(prompt, account, ended)["state"] == "waiting"
