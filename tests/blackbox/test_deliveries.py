# SPDX-License-Identifier: ISC
"""Files of reports are delivered by SFTP and by mail, to OpenSSH's server and to one of aiosmtpd."""
import contextlib
import email.policy
import os

import pytest

import harness
import reporting
from delivery_servers import MailServer, SilentServer, Sshd
from harness import CtlError, wait_for
from samples import whole_day
from test_callbacks import FAST, LOCAL, ONCE, certificate, make_certificate  # noqa: F401 (fixtures)
from test_destinations import SECRET, add, delivered, delivery, make

PATIENCE = 180
MAIL = {"from": "reports@cdrd.example", "to": "billing@acme.example,archive@acme.example"}


@pytest.fixture
def sshds(tmp_path):
    made = []

    def start(**arguments):
        folder = tmp_path / f"sshd{len(made)}"
        folder.mkdir()
        (folder / "in").mkdir()
        made.append(Sshd(str(folder), **arguments))
        return made[-1]

    yield start
    for sshd in made:
        sshd.kill()


@pytest.fixture
def mail_servers():
    made = []

    def start(**arguments):
        made.append(MailServer(**arguments))
        return made[-1]

    yield start
    for server in made:
        server.stop()


@pytest.fixture(scope="module")
def prompt(daemons, certificate):  # noqa: F811
    return daemons(callback_allow=LOCAL, callback_ca_file=certificate, callback_timeout="2m", **FAST)


def sftp(sshd, folder="in", **more):
    return {"name": "archive", "type": "sftp", "url": sshd.url(sshd.path(folder)), "user": sshd.user,
            "secret": sshd.private_key(), "host_key": sshd.fingerprint(), **more}


def file_of(daemon, account, ended, count=1):
    """What is to arrive: the file as one would fetch it, and its name."""
    return f"SMS_{ended['request_id']}.zip", reporting.download(daemon, account, ended)


def fails_with(daemon, account, ended, text):
    wait_for(lambda: text in delivery(daemon, account, ended).get("last_error", ""), PATIENCE)


def make_large(daemon, account):
    """A report's file of some MiB."""
    daemon.post_body(harness.generate_bytes("SMS", [account], 60000, whole_day()["date_start"], whole_day()["date_end"]))
    return make(daemon, account, "archive", include_message="true")


# --- SFTP ---


def test_a_file_arrives_by_sftp_with_a_private_key(prompt, sshds):
    sshd, account = sshds(), prompt.new_account()
    made = add(prompt, account, **sftp(sshd))
    assert made["host_key"] == sshd.fingerprint() and "secret" not in made
    ended = make(prompt, account, "archive")
    assert delivered(prompt, account, ended)["attempts"] == 1
    name, content = file_of(prompt, account, ended)
    assert os.listdir(sshd.path("in")) == [name]
    assert open(sshd.path("in", name), "rb").read() == content
    told = [str(made), str(prompt.ctl("destination", "list")), prompt.log(), open(sshd.path("sshd.log")).read()]
    middle = sshd.private_key().splitlines()[2]
    assert not [text for text in told if middle in text]
    with open(os.path.join(prompt.data_dir, "catalog", "data.mdb"), "rb") as catalog:
        assert middle.encode() not in catalog.read()


def test_an_upload_that_broke_off_is_continued(prompt, sshds):
    sshd, account = sshds(), prompt.new_account()
    add(prompt, account, **sftp(sshd))
    prompt.ctl("destination", "list")
    ended = None
    sshd.kill()
    ended = make_large(prompt, account)
    fails_with(prompt, account, ended, "connect")
    name, content = file_of(prompt, account, ended)
    hidden = sshd.path("in", f".{name}.{ended['manifest']['sha256'][:16]}.part")
    with open(hidden, "wb") as part:
        part.write(content[:len(content) // 2])
    was = os.stat(hidden).st_ino
    sshd.start()
    delivered(prompt, account, ended)
    assert os.listdir(sshd.path("in")) == [name]
    assert open(sshd.path("in", name), "rb").read() == content
    assert os.stat(sshd.path("in", name)).st_ino == was  # not begun anew


def test_what_is_longer_than_the_file_is_replaced(prompt, sshds):
    sshd, account = sshds(), prompt.new_account()
    add(prompt, account, **sftp(sshd))
    sshd.kill()
    ended = make(prompt, account, "archive")
    fails_with(prompt, account, ended, "connect")
    name, content = file_of(prompt, account, ended)
    for other in (name, f".{name}.{ended['manifest']['sha256'][:16]}.part"):
        with open(sshd.path("in", other), "wb") as part:
            part.write(content + b"more")
    sshd.start()
    delivered(prompt, account, ended)
    assert os.listdir(sshd.path("in")) == [name]
    assert open(sshd.path("in", name), "rb").read() == content


def test_a_file_arrives_whole_though_its_server_is_killed_in_the_middle(daemons, sshds):
    sshd = sshds()
    daemon = daemons(callback_allow=LOCAL, callback_timeout="2m", **FAST)
    account = daemon.new_account()
    add(daemon, account, **sftp(sshd))
    ended = make_large(daemon, account)
    for _ in range(3):
        wait_for(lambda: os.listdir(sshd.path("in")) != [], PATIENCE)
        sshd.kill()
        sshd.start()
    delivered(daemon, account, ended)
    name, content = file_of(daemon, account, ended)
    assert os.listdir(sshd.path("in")) == [name]
    assert open(sshd.path("in", name), "rb").read() == content
    daemon.stop()


def test_nothing_is_sent_to_a_server_with_another_host_key(prompt, sshds):
    sshd, account = sshds(), prompt.new_account()
    add(prompt, account, **sftp(sshd, host_key=sshd.fingerprint("other_key")))
    ended = make(prompt, account, "archive")
    fails_with(prompt, account, ended, "fingerprint")
    assert "Accepted" not in open(sshd.path("sshd.log")).read() and os.listdir(sshd.path("in")) == []


@pytest.mark.parametrize("wrong", ["key", "password"])
def test_refused_credentials_are_told(prompt, sshds, wrong):
    sshd, account = sshds(), prompt.new_account()
    add(prompt, account, **sftp(sshd, secret=sshd.private_key("other_key") if wrong == "key" else SECRET))
    ended = make(prompt, account, "archive")
    fails_with(prompt, account, ended, "uthentication")
    told = delivery(prompt, account, ended)
    assert told["state"] == "waiting" and SECRET not in str(told) + prompt.log()


def test_a_folder_that_may_not_be_written_is_told(prompt, sshds):
    sshd, account = sshds(more="-R"), prompt.new_account()
    add(prompt, account, **sftp(sshd))
    fails_with(prompt, account, make(prompt, account, "archive"), "ermission denied")
    other = prompt.new_account()
    add(prompt, other, **sftp(sshd, folder="nowhere"))
    fails_with(prompt, other, make(prompt, other, "archive"), "Upload failed")


@pytest.mark.slow
def test_a_full_disk_is_told(daemons, sshds, tmp_path):
    if os.system(f"mkdir {tmp_path}/small && mount -t tmpfs -o size=64k tmpfs {tmp_path}/small 2>/dev/null") != 0:
        pytest.skip("cannot mount")
    try:
        sshd = sshds()
        daemon = daemons(callback_allow=LOCAL, callback_timeout="2m", **FAST)
        account = daemon.new_account()
        add(daemon, account, **sftp(sshd, url=sshd.url(f"{tmp_path}/small")))
        ended = make_large(daemon, account)
        wait_for(lambda: delivery(daemon, account, ended).get("last_error"), PATIENCE)
        assert delivery(daemon, account, ended)["state"] == "waiting"
        os.system(f"mount -o remount,size=64m {tmp_path}/small")
        delivered(daemon, account, ended)
        name, content = file_of(daemon, account, ended)
        assert open(f"{tmp_path}/small/{name}", "rb").read() == content
        daemon.stop()
    finally:
        os.system(f"umount -l {tmp_path}/small")


def test_neither_sftp_nor_mail_goes_to_addresses_that_are_not_public(daemons, sshds, mail_servers):
    sshd, server = sshds(), mail_servers()
    daemon = daemons(**FAST)
    account = daemon.new_account()
    add(daemon, account, **sftp(sshd))
    add(daemon, account, name="mail", type="smtp", url=server.url(), **MAIL)
    for name in ("archive", "mail"):
        fails_with(daemon, account, make(daemon, account, name), "callback_allow")
    assert "Connection from" not in open(sshd.path("sshd.log")).read() and server.envelopes == []
    daemon.stop()


def couriers(parent):
    """What each process that delivers for the daemon has open, by its number."""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as command, open(f"/proc/{pid}/stat", "rb") as state:
            if b"--courier" in command.read() and int(state.read().rpartition(b")")[2].split()[1]) == parent:
                found[pid] = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
    return found


def state_of(pid):
    with contextlib.suppress(OSError), open(f"/proc/{pid}/stat", "rb") as state:
        return state.read().rpartition(b")")[2].split()[0].decode()
    return "Z"


def test_a_server_that_says_nothing_is_given_up(daemons):
    silent = SilentServer()
    daemon = daemons(callback_allow=LOCAL, callback_timeout="1s", **FAST)
    account = daemon.new_account()
    add(daemon, account, name="archive", type="sftp", url=f"sftp://127.0.0.1:{silent.port}/", user="me", secret=SECRET,
        host_key="SHA256:" + "A" * 43)
    ended = make(daemon, account, "archive")
    wait_for(lambda: delivery(daemon, account, ended).get("last_error"), PATIENCE)
    silent.close()
    daemon.stop()


def test_a_process_that_delivers_has_the_file_alone_and_ends_with_the_daemon(daemons):
    silent = SilentServer()
    daemon = daemons(callback_allow=LOCAL, callback_timeout="5m", **ONCE)
    account = daemon.new_account()
    add(daemon, account, name="archive", type="sftp", url=f"sftp://127.0.0.1:{silent.port}/", user="me", secret=SECRET,
        host_key="SHA256:" + "A" * 43)
    make(daemon, account, "archive")
    wait_for(lambda: any("socket" in opened for each in couriers(daemon.process.pid).values() for opened in each), PATIENCE)
    [(pid, opened)] = couriers(daemon.process.pid).items()
    assert [os.path.basename(os.path.dirname(path)) for path in opened if path.startswith(daemon.data_dir)] == ["reports"], opened
    daemon.kill9()
    wait_for(lambda: state_of(pid) == "Z", PATIENCE)
    silent.close()


# --- mail ---


def parts_of(envelope):
    message = email.message_from_bytes(envelope.content, policy=email.policy.default)
    return message, message.get_body().get_content(), list(message.iter_attachments())


def test_a_small_file_is_attached_to_a_message(prompt, mail_servers):
    server, account = mail_servers(answers=["451 Later"]), prompt.new_account()
    add(prompt, account, name="mail", type="smtp", url=server.url(), **MAIL)
    ended = make(prompt, account, "mail")
    assert delivered(prompt, account, ended)["attempts"] == 2
    [(envelope, _)] = server.envelopes
    message, text, [attached] = parts_of(envelope)
    name, content = file_of(prompt, account, ended)
    assert (envelope.mail_from, envelope.rcpt_tos) == (MAIL["from"], MAIL["to"].split(","))
    assert message["Message-ID"] == f"<delivery_{ended['request_id']}@cdrd.example>" and name in message["Subject"]
    assert attached.get_filename() == name and attached.get_content() == content
    assert ended["manifest"]["sha256"] in text


def test_of_a_large_file_a_link_is_sent(daemons, mail_servers):
    server = mail_servers()
    daemon = daemons(callback_allow=LOCAL, destination_attachment_max=0, callback_timeout="2m", **FAST)
    account = daemon.new_account()
    add(daemon, account, name="mail", type="smtp", url=server.url(), **MAIL)
    ended = make(daemon, account, "mail")
    delivered(daemon, account, ended)
    _, text, attached = parts_of(server.envelopes[0][0])
    assert attached == [] and ended["_links"]["download_report"]["href"] in text
    daemon.stop()


def test_mail_servers_are_logged_in_to_over_tls(prompt, mail_servers, certificate):  # noqa: F811
    server, account = mail_servers(certificate=certificate, user=(b"me", SECRET.encode())), prompt.new_account()
    add(prompt, account, name="mail", type="smtp", url=server.url(), user="me", secret=SECRET, **MAIL)
    add(prompt, account, name="wrong", type="smtp", url=server.url(), user="me", secret="wrong", **MAIL)
    ended = make(prompt, account, "mail")
    delivered(prompt, account, ended)
    assert server.logins == [(b"me", True)] and server.envelopes[0][1]
    fails_with(prompt, account, make(prompt, account, "wrong"), "ogin denied")
    assert SECRET not in prompt.log()


@pytest.mark.parametrize("members, wrong", [
    ({"to": "a@example.com\r\nBcc: b@example.com"}, "to"), ({"from": "a@b>c"}, "from"), ({"to": "a@b,,c@d"}, "to"),
    ({"to": ",".join(["a@b"] * 11)}, "to"), ({"from": ""}, "from"), ({"url": "smtp://mail.example.com/path/"}, "url"),
    ({"url": "https://mail.example.com/"}, "url"), ({"secret": SECRET}, "user"), ({"host_key": "SHA256:x"}, "host_key"),
    ({"type": "sftp", "url": "sftp://example.com/", "user": "a", "secret": "b", "from": "", "to": "", "host_key": "SHA256:x"}, "host_key"),
    ({"type": "sftp", "url": "sftp://example.com/", "user": "a", "secret": "b", "from": "", "to": ""}, "host_key"),
])
def test_what_is_wrong_with_mail_and_sftp_is_named(prompt, account_of_prompt, members, wrong):
    response = reporting.post(prompt, account_of_prompt, {"name": "x", "type": "smtp", "url": "smtp://mail.example.com/", **MAIL, **members},
                              path="/v2/reports/destinations")
    assert response.status == 422, response
    assert [each["name"] for each in response.json()["invalid_parameters"]] == [wrong], response


@pytest.fixture(scope="module")
def account_of_prompt(prompt):
    return prompt.new_account()


# --- tests of destinations ---


def test_a_test_of_a_destination_says_what_happened(prompt, sshds, mail_servers):
    sshd, server, account = sshds(), mail_servers(), prompt.new_account()
    add(prompt, account, **sftp(sshd))
    add(prompt, account, name="wrong", **{key: value for key, value in sftp(sshd, host_key=sshd.fingerprint("other_key")).items() if key != "name"})
    prompt.ctl("destination", "add", "post", "--type", "smtp", "--url", server.url(), "--from", MAIL["from"], "--to", MAIL["to"])
    assert prompt.ctl("destination", "test", "archive", "--account", account.id)["state"] == "delivered"
    with open(sshd.path("in", "cdrd-test.txt"), encoding="ascii") as text:
        assert "cdrd" in text.read()
    assert prompt.ctl("destination", "test", "post", "--account", account.id)["state"] == "delivered"
    assert server.envelopes
    with pytest.raises(CtlError) as failed:
        prompt.ctl("destination", "test", "wrong", "--account", account.id)
    assert "fingerprint" in str(failed.value)
    prompt.ctl("destination", "remove", "post")


def test_an_account_tests_its_destinations(prompt, sshds):
    sshd, account = sshds(), prompt.new_account()
    add(prompt, account, **sftp(sshd))
    sent = prompt.request("POST", "/v2/reports/destinations/archive/test", auth=(account.id, account.secret))
    assert sent.status == 202 and sent.json()["callback_id"].startswith("test_")

    def attempts():
        return [each for each in prompt.get("/v2/account/webhook", account=account).json()["attempts"] if each["callback_id"] == sent.json()["callback_id"]]

    wait_for(attempts, PATIENCE)
    assert attempts()[0]["state"] == "delivered" and os.listdir(sshd.path("in")) == ["cdrd-test.txt"]
    assert prompt.request("POST", "/v2/reports/destinations/none/test", auth=(account.id, account.secret)).status == 404
