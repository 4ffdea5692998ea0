# SPDX-License-Identifier: ISC
"""What a report's status tells of its callback, receivers that are gone, and the manual's way to check a signature."""
import json
import os
import re
import shutil
import subprocess
import time

import pytest

import reporting
from samples import sms, whole_day
from test_callbacks import FAST, LOCAL, ONCE, Receiver, becomes, receivers  # noqa: F401 (a fixture)

MANUAL = os.path.join(os.path.dirname(__file__), "..", "..", "man", "cdrd.8")


@pytest.fixture(scope="module")
def prompt(daemons):
    return daemons(callback_allow=LOCAL, **FAST)


@pytest.fixture(scope="module")
def patient(daemons):
    return daemons(callback_allow=LOCAL, **ONCE)


def make(daemon, url):
    account = daemon.new_account()
    daemon.post_cdrs([sms(account)])
    return account, reporting.make(daemon, account, product="SMS", direction="outbound", callback_url=url,
                                   date_start=whole_day()["date_start"], date_end=whole_day()["date_end"])


def callback(daemon, account, ended):
    return reporting.status(daemon, account, ended["request_id"])["callback"]


def wait_for_state(daemon, account, ended, state):
    becomes(lambda: callback(daemon, account, ended)["state"] == state, lambda: callback(daemon, account, ended))
    return callback(daemon, account, ended)


def test_the_status_tells_that_a_callback_was_delivered(prompt, receivers):  # noqa: F811
    receiver = receivers(statuses=[500])
    account, ended = make(prompt, receiver.url())
    told = wait_for_state(prompt, account, ended, "delivered")
    assert told == {"state": "delivered", "attempts": 2, "last_attempt": told["last_attempt"], "last_status": 200}
    prompt.restart()
    assert callback(prompt, account, ended) == told


def test_the_status_tells_the_last_answer_and_the_next_try(patient, receivers):  # noqa: F811
    receiver = receivers(statuses=[503])
    account, ended = make(patient, receiver.url())
    becomes(lambda: callback(patient, account, ended)["attempts"] == 1, lambda: callback(patient, account, ended))
    told = callback(patient, account, ended)
    assert (told["state"], told["last_status"], told["last_error"]) == ("waiting", 503, "HTTP status 503")
    assert told["next_attempt"] > told["last_attempt"]
    patient.kill9()
    patient.start()
    assert callback(patient, account, ended) == told
    patient.ctl("callback", "retry", ended["request_id"])
    assert wait_for_state(patient, account, ended, "delivered")["attempts"] == 2


def test_a_receiver_that_does_not_answer_is_told_without_a_status(patient):
    account, ended = make(patient, "http://127.0.0.1:1/hook")
    becomes(lambda: callback(patient, account, ended)["attempts"] == 1, lambda: callback(patient, account, ended))
    told = callback(patient, account, ended)
    assert "last_status" not in told and told["last_error"]


def test_a_callback_answered_410_is_given_up(prompt, receivers):  # noqa: F811
    receiver = receivers(statuses=[500, 410])
    account, ended = make(prompt, receiver.url())
    told = wait_for_state(prompt, account, ended, "failed")
    assert (told["attempts"], told["last_status"]) == (2, 410) and "next_attempt" not in told
    time.sleep(0.5)
    assert len(receiver.requests) == 2
    assert [c["state"] for c in prompt.ctl("callback", "list") if c["account"] == account.id] == ["failed"]


def test_a_report_without_a_callback_url_tells_of_none(prompt):
    account = prompt.new_account()
    ended = reporting.make(prompt, account, product="SMS", direction="outbound")
    assert "callback" not in ended


# --- the manual's snippets ---

def snippet(first_words):
    """The literal block of cdrd(8) that begins so."""
    with open(MANUAL, encoding="utf-8") as manual:
        blocks = re.findall(r"^\.Bd -literal.*?\n(.*?)^\.Ed$", manual.read(), re.MULTILINE | re.DOTALL)
    [block] = [b for b in blocks if b.startswith(first_words)]
    return block


@pytest.fixture(scope="module")
def genuine(prompt):
    """A secret, and a callback as it came."""
    receiver = Receiver()
    account, ended = make(prompt, receiver.url())
    wait_for_state(prompt, account, ended, "delivered")
    receiver.close()
    [(_, headers, body)] = receiver.requests
    return prompt.ctl("account", "webhook-secret", account.id)["secret"], dict(headers.items()), body


def forgeries(secret, headers, body):
    old = {**headers, "webhook-timestamp": str(int(headers["webhook-timestamp"]) - 1000)}
    return [(secret, headers, body.replace(b"SUCCESS", b"FAILED!")), (secret, old, body),
            (secret, {**headers, "webhook-id": "other"}, body), ("whsec_" + "A" * 43 + "=", headers, body)]


def test_the_manuals_python_knows_genuine_callbacks_from_forged_ones(genuine):
    names = {}
    exec(snippet("import base64"), names)  # pylint: disable=exec-used
    secret, headers, body = genuine
    rotated = {**headers, "webhook-signature": "v1,AAAA " + headers["webhook-signature"]}
    assert names["is_genuine"](secret, headers, body)
    assert names["is_genuine"](secret, rotated, body)
    assert not any(names["is_genuine"](*forged) for forged in forgeries(*genuine))


@pytest.mark.skipif(not shutil.which("node"), reason="Node.js is not installed")
def test_the_manuals_javascript_knows_genuine_callbacks_from_forged_ones(genuine, tmp_path):
    cases = [genuine, *forgeries(*genuine)]
    script = tmp_path / "check.mjs"
    script.write_text(snippet("import {") + f"""
const cases = {json.dumps([(s, h, b.decode()) for s, h, b in cases])};
console.log(JSON.stringify(cases.map(([s, h, b]) => isGenuine(s, h, Buffer.from(b)))));
""")
    run = subprocess.run(["node", str(script)], capture_output=True, text=True, check=True)
    assert json.loads(run.stdout) == [True, False, False, False, False]
