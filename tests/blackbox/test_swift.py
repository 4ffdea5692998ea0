# SPDX-License-Identifier: ISC
"""Reports are delivered to the S3 API of a program that is not ours: OpenStack Swift, as Debian has it."""
import urllib.parse

import pytest

import reporting
import swift_server
from test_callbacks import FAST, LOCAL, ONCE
from test_destinations import add, delivered, make
from test_s3 import IN_PARTS, fails_with, make_large

pytestmark = [
    pytest.mark.skipif(not swift_server.is_there(), reason="needs Debian's swift-proxy and its servers"),
    pytest.mark.skipif(not swift_server.has_attributes(), reason=f"{swift_server.FOLDER} has no extended attributes"),
]
# What SigV4 encodes, and what S3 allows in a key; a slash stays one.
ODD = "2026:11/a b+c=d@e,f;g&h!i*j'k(l)m$n%o/é"
PARQUET = "application/vnd.apache.parquet"


@pytest.fixture(scope="module")
def swift():
    server = swift_server.Swift()
    try:
        server.start()
        assert server.ask("PUT", "/reports")[0] == 200
        yield server
    finally:
        server.remove()


@pytest.fixture(scope="module")
def sender(daemons):
    return daemons(callback_allow=LOCAL, callback_timeout="2m", **IN_PARTS, **FAST)


def bucket(swift, folder, **more):
    return {"name": "archive", "type": "s3", "url": swift.url("/reports/" + folder), "region": swift_server.REGION,
            "user": swift_server.ACCESS_KEY, "secret": swift_server.SECRET_KEY, **more}


def arrived(swift, daemon, account, ended, key, content_type="application/octet-stream"):
    status, body, headers = swift.ask("GET", "/reports/" + key)
    assert status == 200, (status, body[:500])
    assert headers["Content-Type"] == content_type
    return body == reporting.download(daemon, account, ended)


def test_a_file_arrives_by_one_put(sender, swift):
    account = sender.new_account()
    add(sender, account, **bucket(swift, "plain/"))
    ended = make(sender, account, "archive")
    assert delivered(sender, account, ended)["attempts"] == 1
    assert arrived(swift, sender, account, ended, f"plain/SMS_{ended['request_id']}.zip")


@pytest.mark.parametrize("spelling", [lambda text: urllib.parse.quote(text, safe="/"),
                                      lambda text: urllib.parse.quote(text, safe="/:+=@,;&!*'()$").replace("%C3", "%c3")])
def test_keys_with_characters_that_are_encoded_for_the_signature(sender, swift, spelling):
    account = sender.new_account()
    add(sender, account, **bucket(swift, spelling(ODD) + "/"))
    ended = make(sender, account, "archive")
    assert delivered(sender, account, ended)["attempts"] == 1
    assert arrived(swift, sender, account, ended, f"{ODD}/SMS_{ended['request_id']}.zip")


def test_parquet_arrives_with_its_type(sender, swift):
    account = sender.new_account()
    add(sender, account, **bucket(swift, ""))
    ended = make(sender, account, "archive", format="parquet")
    delivered(sender, account, ended)
    assert arrived(swift, sender, account, ended, f"SMS_{ended['request_id']}.parquet", PARQUET)


def test_a_large_file_arrives_in_parts(sender, swift):
    account = sender.new_account()
    add(sender, account, **bucket(swift, "large:files/"))
    ended = make_large(sender, account)
    assert delivered(sender, account, ended)["attempts"] == 1
    key = f"large:files/SMS_{ended['request_id']}.zip"
    assert arrived(swift, sender, account, ended, key) and key in swift.objects("reports")
    # it was in parts, and none is left over
    assert swift.ask("HEAD", "/reports/" + key)[2]["ETag"].strip('"').endswith("-3")
    assert b"<Upload>" not in swift.ask("GET", "/reports?uploads=")[1]


@pytest.mark.parametrize("change, reason", [
    ({"secret": "not-the-secret"}, "HTTP status 403, SignatureDoesNotMatch: The request signature we calculated does not match"),
    ({"user": "operator:nobody"}, "HTTP status 403, "),
    ({"region": "us-east-1"}, "HTTP status 400, AuthorizationHeaderMalformed: The authorization header is malformed; "),
    ({"url": "/nothing/"}, "HTTP status 404, NoSuchBucket: The specified bucket does not exist."),
])
def test_what_the_server_has_against_a_file_is_told(daemons, swift, change, reason):
    daemon = daemons(callback_allow=LOCAL, **IN_PARTS, **ONCE)
    account = daemon.new_account()
    if "url" in change:
        change = {"url": swift.url(change["url"])}
    add(daemon, account, **bucket(swift, "", **change))
    ended = make(daemon, account, "archive")
    fails_with(daemon, account, ended, reason)
    assert swift_server.SECRET_KEY not in daemon.log()
    daemon.stop()
