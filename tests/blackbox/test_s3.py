# SPDX-License-Identifier: ISC
"""Large files are sent to S3 servers in parts, and resumed at the part that failed."""
import base64
import random
import threading

import pytest

import reporting
from harness import wait_for
from s3_server import Refused, S3Server
from samples import sms, whole_day
from test_callbacks import FAST, LOCAL, ONCE, certificate, make_certificate  # noqa: F401 (fixtures)
from test_destinations import SECRET, add, delivered, delivery, make

PATIENCE = 180
PARTS = 3  # of make_large's file, at the least size of a part
IN_PARTS = {"destination_part_size": "5M"}


@pytest.fixture
def s3_servers():
    made = []

    def start(**arguments):
        made.append(S3Server(SECRET, **arguments))
        return made[-1]

    yield start
    for server in made:
        server.stop()


def bucket(server, **more):
    return {"name": "archive", "type": "s3", "url": server.url("/bucket/monthly/"), "region": "eu-central-1", "user": "AKIA",
            "secret": SECRET, **more}


def make_large(daemon, account):
    """A report's file of more than 10 MiB: texts that cannot be compressed much."""
    rows = [sms(account, message_body=base64.b64encode(random.randbytes(1050)).decode()) for _ in range(11000)]
    for at in range(0, len(rows), 500):
        daemon.post_cdrs(rows[at:at + 500])
    ended = reporting.make(daemon, account, product="SMS", direction="outbound", destination="archive", include_message="true",
                           **whole_day())
    assert PARTS - 1 < ended["manifest"]["bytes"] / (5 << 20) <= PARTS, ended
    return ended


def arrived(server, daemon, account, ended):
    return server.objects == {f"/bucket/monthly/SMS_{ended['request_id']}.zip": reporting.download(daemon, account, ended)}


def steps_of(parts=PARTS):
    return ["create", *(f"part {number}" for number in range(1, parts + 1)), "complete"]


def test_a_file_arrives_by_https_in_one_put_or_in_parts(daemons, s3_servers, certificate):  # noqa: F811
    server = s3_servers(certificate=certificate)
    daemon = daemons(callback_allow=LOCAL, callback_ca_file=certificate, callback_timeout="2m", **IN_PARTS, **FAST)
    account = daemon.new_account()
    add(daemon, account, **bucket(server))
    ended = make(daemon, account, "archive")
    assert delivered(daemon, account, ended)["attempts"] == 1
    assert arrived(server, daemon, account, ended) and server.steps == ["put"]
    server.objects.clear()
    server.steps.clear()
    ended = make_large(daemon, account)
    assert delivered(daemon, account, ended)["attempts"] == 1
    assert arrived(server, daemon, account, ended) and server.steps == steps_of()
    daemon.stop()


@pytest.fixture
def slow(daemons):
    """Tries again only when told to."""
    daemon = daemons(callback_allow=LOCAL, callback_timeout="2m", **IN_PARTS, **ONCE)
    yield daemon
    daemon.stop()


def retry(daemon, ended):
    daemon.ctl("callback", "retry", "delivery_" + ended["request_id"])


def fails_with(daemon, account, ended, text):
    wait_for(lambda: text in delivery(daemon, account, ended).get("last_error", ""), PATIENCE)


def test_each_step_that_fails_is_told_and_taken_again(slow, s3_servers):
    wrong = {}

    def fault(step):
        if step in wrong:
            raise Refused(*wrong.pop(step))

    server, account = s3_servers(fault=fault), slow.new_account()
    add(slow, account, **bucket(server))
    wrong.update({"create": (503, "SlowDown"), "part 2": (500, "InternalError"), "complete": (200, "InternalError")})
    ended = make_large(slow, account)
    fails_with(slow, account, ended, "HTTP status 503, SlowDown")
    retry(slow, ended)
    fails_with(slow, account, ended, "part 2: HTTP status 500, InternalError")
    retry(slow, ended)
    fails_with(slow, account, ended, "HTTP status 200, InternalError")
    assert delivery(slow, account, ended)["state"] == "waiting" and not server.objects
    retry(slow, ended)
    assert delivered(slow, account, ended)["attempts"] == 4
    assert arrived(server, slow, account, ended) and server.steps == steps_of()


def test_a_wrong_secret_is_told(slow, s3_servers):
    server, account = s3_servers(), slow.new_account()
    add(slow, account, **bucket(server, secret="another"))
    ended = make_large(slow, account)
    fails_with(slow, account, ended, "HTTP status 403, SignatureDoesNotMatch")
    assert not server.steps


def test_an_upload_resumes_at_the_part_that_failed_when_the_server_is_back(slow, s3_servers):
    server, account = s3_servers(), slow.new_account()
    add(slow, account, **bucket(server))
    server.fault = lambda step: step == "part 2"
    ended = make_large(slow, account)
    wait_for(lambda: delivery(slow, account, ended).get("last_error"), PATIENCE)
    server.stop()
    retry(slow, ended)
    fails_with(slow, account, ended, "onnect")
    server.fault = lambda step: False
    server.start()
    retry(slow, ended)
    delivered(slow, account, ended)
    assert arrived(server, slow, account, ended) and server.steps == steps_of()


def test_an_upload_resumes_at_the_part_that_was_being_sent_at_kill_9(daemons, s3_servers):
    reached, go_on = threading.Event(), threading.Event()

    def fault(step):
        if step != "part 2" or go_on.is_set():
            return False
        reached.set()
        go_on.wait(PATIENCE)
        return True

    server = s3_servers(fault=fault)
    daemon = daemons(callback_allow=LOCAL, callback_timeout="2m", **IN_PARTS, **ONCE)
    account = daemon.new_account()
    add(daemon, account, **bucket(server))
    ended = make_large(daemon, account)
    assert reached.wait(PATIENCE)
    daemon.kill9()
    go_on.set()
    daemon.start()
    delivered(daemon, account, ended)
    assert arrived(server, daemon, account, ended) and server.steps == steps_of()
    daemon.stop()


@pytest.mark.slow
def test_an_upload_that_the_server_has_forgotten_begins_anew(slow, s3_servers):
    server, account = s3_servers(), slow.new_account()
    add(slow, account, **bucket(server))
    server.fault = lambda step: step == "part 3"
    ended = make_large(slow, account)
    wait_for(lambda: delivery(slow, account, ended).get("last_error"), PATIENCE)
    server.uploads.clear()
    server.fault = lambda step: False
    retry(slow, ended)
    fails_with(slow, account, ended, "part 3: HTTP status 404, NoSuchUpload")
    retry(slow, ended)
    delivered(slow, account, ended)
    assert arrived(server, slow, account, ended) and server.steps[2:] == ["part 2", *steps_of()]


@pytest.mark.slow
def test_an_upload_of_a_file_that_was_made_anew_is_aborted(slow, s3_servers):
    server, account, number = s3_servers(), slow.new_account(), "447700900777"
    add(slow, account, **bucket(server))
    slow.post_cdrs([sms(account, to=number)])
    server.fault = lambda step: step == "part 3"
    ended = make_large(slow, account)
    wait_for(lambda: delivery(slow, account, ended).get("last_error"), PATIENCE)
    slow.ctl("erase", "--account", account.id, "--number", number)
    anew = reporting.wait(slow, account, ended["request_id"])
    server.fault = lambda step: False
    retry(slow, ended)
    delivered(slow, account, ended)
    assert arrived(server, slow, account, anew) and not server.uploads
    assert server.steps == ["create", "part 1", "part 2", "abort", *steps_of()]


@pytest.mark.slow
def test_an_upload_that_is_given_up_is_aborted_and_begins_anew_when_retried(daemons, s3_servers):
    gone = [True]

    def fault(step):
        if step == "part 2" and gone.pop():
            raise Refused(410, "Gone")

    server = s3_servers(fault=lambda step: bool(gone) and fault(step))
    daemon = daemons(callback_allow=LOCAL, callback_timeout="2m", **IN_PARTS, **ONCE)
    account = daemon.new_account()
    add(daemon, account, **bucket(server))
    ended = make_large(daemon, account)
    wait_for(lambda: delivery(daemon, account, ended)["state"] == "failed", PATIENCE)
    wait_for(lambda: server.steps == ["create", "part 1", "abort"], PATIENCE)
    assert not server.uploads
    retry(daemon, ended)
    delivered(daemon, account, ended)
    assert arrived(server, daemon, account, ended) and server.steps[3:] == steps_of()
    daemon.stop()
