# SPDX-License-Identifier: ISC
"""Every command that the README, the guide and the manual pages show, run as it stands there."""
import glob
import gzip
import os
import re
import shutil
import socket
import subprocess
import sys

import pytest

import documents
import harness
from documents import Reader, Step, console_steps, manual_blocks, markdown_blocks
from samples import DAY, NOON, sms
from test_callbacks import Receiver

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
GUIDES = sorted(set(glob.glob(os.path.join(TOP, "docs", "guide", "*.md"))) -
                {os.path.join(TOP, "docs", "guide", name) for name in ("README.md", "producers.md", "to-a-cluster.md")})
MANUALS = [os.path.join(TOP, "man", "cdrd.8"), os.path.join(harness.BUILD_DIR, "man", "cdrd.conf.5"),
           os.path.join(harness.BUILD_DIR, "man", "cdrctl.1")]
LONG_OPTION = re.compile(r"(?<!\S)(--[a-z][a-z-]+)")


def text_of(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


README = text_of(os.path.join(TOP, "README.md"))
CONTRIBUTING = text_of(os.path.join(TOP, "CONTRIBUTING.md"))


def section(heading):
    return re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", README, re.MULTILINE | re.DOTALL)[1]


@pytest.fixture
def reader(daemons, tmp_path):
    """A daemon as the documents mean it: nobody is known to it."""
    daemon = daemons(start=False)
    daemon.start()
    reader = Reader(daemon, tmp_path)
    yield reader
    reader.close()
    daemon.stop()


@pytest.fixture
def settled(reader):
    """What a guide takes for granted: an account with a subaccount, their records of the days before, a producer."""
    reader.daemon.ctl("account", "add", "abcd1234", "--name", "Example Ltd", "--secret", "secret-of-abcd1234")
    reader.daemon.ctl("account", "add", "efgh5678", "--parent", "abcd1234", "--secret", "secret-of-efgh5678")
    reader.daemon.ctl("producer", "add", "carrier", "--secret", "secret-of-carrier")
    reader.values.update(SECRET="secret-of-abcd1234", PRODUCER_SECRET="secret-of-carrier")
    records = [sms(harness.Account(id), NOON - day * DAY, **{"to": f"44770090{number:04}"})
               for id in ("abcd1234", "efgh5678") for day in (0, 1) for number in range(100, 110)]
    reader.daemon.ctl("import", "-", stdin=harness.encode(records, "ndjson"))
    return reader


# --- the README ---

def test_the_tour_of_the_readme_does_what_it_says(reader):
    reader.read(section("A tour"))
    assert reader.daemon.ctl("quarantine", "list") == []


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """The tree as somebody else would get it, without what is built or not committed to be there."""
    folder = tmp_path_factory.mktemp("clone") / "cdrd"
    names = subprocess.run(["git", "-c", "safe.directory=*", "ls-files", "-co", "--exclude-standard", "-z"], cwd=TOP,
                           capture_output=True, check=False)
    if names.returncode != 0:
        pytest.skip("not a git checkout")
    for name in names.stdout.decode().split("\0"):
        if name and os.path.exists(os.path.join(TOP, name)):
            os.makedirs(os.path.dirname(folder / name), exist_ok=True)
            shutil.copy2(os.path.join(TOP, name), folder / name)
    return folder


@pytest.mark.slow
def test_the_first_of_two_commands_shows_what_cdrd_answers(clone):
    assert "./quickstart " in section("Two commands") and "./runtests " in section("Two commands")
    ended = subprocess.run(["./quickstart", "--once"], cwd=clone, capture_output=True, text=True, timeout=600,
                           env={**os.environ, "PORT": str(harness.free_port()), "SAMPLES": "2000", "CFLAGS": "-O0"})
    assert ended.returncode == 0, ended.stderr[-4000:]
    assert '"request_status": "SUCCESS"' in ended.stdout and "rows of" in ended.stdout


def test_installing_by_the_readme_installs_what_it_names(clone, tmp_path):
    [(_, script)] = markdown_blocks(section("In production"), "sh")
    packages, build = re.fullmatch(r"(sudo apt-get install .*?[^\\])\n(.*)", script, re.DOTALL).groups()
    needed = re.search(r"^BUILD_PACKAGES=\((.*?)\)", text_of(os.path.join(TOP, "tools", "lib.sh")), re.MULTILINE | re.DOTALL)
    assert packages.replace("\\\n", " ").split()[3:] == needed[1].split()
    stubs = tmp_path / "stubs"
    stubs.mkdir()
    for name, line in (("sudo", 'exec "$@"'), ("systemctl", 'echo "$@" >>"$DESTDIR/systemctl"')):
        (stubs / name).write_text(f"#!/bin/sh\n{line}\n")
        (stubs / name).chmod(0o755)
    root = tmp_path / "root"
    root.mkdir()
    # What the tests run need not be built once more.
    build = build.replace("build/release", harness.BUILD_DIR).replace("../../configure", "./config.status --version; : ")
    environment = {**os.environ, "PATH": f"{stubs}:{os.environ['PATH']}", "DESTDIR": str(root), "MAKEFLAGS": "-j2"}
    ended = subprocess.run(["bash", "-euo", "pipefail", "-c", build], cwd=clone, capture_output=True, text=True,
                           timeout=900, env=environment)
    assert ended.returncode == 0, ended.stderr[-4000:]
    installed = [os.path.join(folder, name) for folder, _, names in os.walk(root) for name in names]
    for name in ("sbin/cdrd", "bin/cdrctl", "man8/cdrd.8", "man1/cdrctl.1", "man5/cdrd.conf.5", "cdrd.service", "cdrd.conf"):
        assert any(path.endswith(name) for path in installed), (name, installed)
    assert (root / "systemctl").read_text().split() == ["daemon-reload", "enable", "--now", "cdrd"]


def test_fuzzing_by_the_readme_names_what_there_is():
    [(_, script)] = markdown_blocks(section("Tests"), "sh")
    fuzzer, corpus = re.search(r"^(tests/fuzz/\w+) corpus \.\./\.\./(\S+)$", script, re.MULTILINE).groups()
    assert os.path.exists(os.path.join(TOP, fuzzer + ".c")) and os.path.isdir(os.path.join(TOP, corpus))
    ended = subprocess.run([os.path.join(TOP, "configure"), "--help"], capture_output=True, text=True, check=True)
    assert "--enable-fuzzing" in ended.stdout and "--enable-sanitizers" in ended.stdout


# --- CONTRIBUTING.md ---

@pytest.mark.slow
def test_one_thing_alone_is_tested_as_contributing_says():
    commands = re.findall(r"^\| a .* \| `([^`]+)` \|$", CONTRIBUTING, re.MULTILINE)
    assert len(commands) == 3
    for command in commands:
        here = command.replace("build/tests", harness.BUILD_DIR).replace("srcdir=../..", f"srcdir={TOP}")
        ended = subprocess.run(["bash", "-euo", "pipefail", "-c", here], cwd=TOP, capture_output=True, text=True, timeout=600,
                               env={**os.environ, "PYTEST_ADDOPTS": "-p no:cacheprovider", "CK_TIMEOUT_MULTIPLIER": "20"})
        assert ended.returncode == 0, (command, ended.stdout[-4000:], ended.stderr[-4000:])


def test_what_else_contributing_shows_is_there():
    [(_, after_a_change)] = markdown_blocks(CONTRIBUTING, "sh")
    assert re.findall(r"make -C build/tests -j2 (\S+)", after_a_change) == ["all", "check"]
    runtests = text_of(os.path.join(TOP, "runtests"))
    assert "BUILD=$TOP/build/tests" in runtests
    for runner in re.findall(r"`RUNNERS=(\w+) ./runtests`", CONTRIBUTING):
        assert f"run_{runner}()" in runtests


# --- the guide ---

@pytest.mark.parametrize("guide", GUIDES, ids=[os.path.basename(path) for path in GUIDES])
def test_a_walk_through_of_the_guide_can_be_walked(settled, guide):
    text = text_of(guide)
    assert sum(1 for _ in markdown_blocks(text, "console", "sh")) > 0
    settled.read(text)


@pytest.fixture
def switches(daemons, tmp_path):
    """A daemon that follows the files of an Asterisk and a Kannel, which are not there yet."""
    logs = {"/var/log/asterisk/cdr-csv": tmp_path / "asterisk", "/var/log/kannel": tmp_path / "kannel"}
    for folder in logs.values():
        folder.mkdir()
    text = text_of(PRODUCERS)
    tail = re.search(r"^tail = (.*)$", text, re.MULTILINE)[1]
    for path, folder in logs.items():
        tail = tail.replace(path, str(folder))
    mappings = tmp_path / "mappings"
    shutil.copytree(os.path.join(TOP, "etc", "mappings"), mappings)
    daemon = daemons(start=False, mappings_dir=str(mappings), tail=tail)
    daemon.start()
    reader = Reader(daemon, tmp_path)
    reader.texts.update({path: str(folder) for path, folder in logs.items()})
    reader.texts["/etc/cdrd/mappings"] = str(mappings)
    yield reader
    reader.close()
    daemon.stop()


PRODUCERS = os.path.join(TOP, "docs", "guide", "producers.md")


def test_from_an_empty_machine_with_asterisk_and_kannel_to_a_reconciled_month(switches):
    switches.read(text_of(PRODUCERS))
    assert switches.daemon.ctl("quarantine", "list") == []


PROGRAMS = os.path.join(TOP, "docs", "guide", "programs.md")


@pytest.fixture
def files(tmp_path):
    for name, content in documents.markdown_files(text_of(PROGRAMS)):
        (tmp_path / name).write_text(content)
    return tmp_path


@pytest.fixture
def signed(daemons):
    """A daemon that may call this machine, an account, and what its receiver has to know."""
    daemon = daemons(callback_allow="127.0.0.0/8")
    account = daemon.new_account()
    made = daemon.request("POST", "/v2/account/webhook/rotate", auth=(account.id, account.secret)).json()
    yield daemon, account, {**os.environ, "WEBHOOK_SECRET": made["secret"], "PORT": str(harness.free_port())}
    daemon.stop()


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", int(port))) == 0


def attempts(daemon, account):
    return daemon.get("/v2/account/webhook", account=account).json()["attempts"]


def send_test(daemon, account, port):
    """A test callback, and how it ended."""
    before = len(attempts(daemon, account))
    sent = daemon.request("POST", "/v2/account/webhook/test", f'{{"url": "http://127.0.0.1:{port}/"}}',
                          {"Content-Type": "application/json"}, (account.id, account.secret))
    assert sent.status == 202, sent
    harness.wait_for(lambda: len(attempts(daemon, account)) > before, 120)
    return attempts(daemon, account)[0]


@pytest.mark.parametrize("command", [[sys.executable, "receive.py"], ["node", "receive.mjs"]], ids=["python", "node"])
def test_a_receiver_of_the_guide_takes_genuine_callbacks_alone(files, signed, command):
    daemon, account, environment = signed
    with subprocess.Popen(command, cwd=files, env=environment, stdout=subprocess.PIPE, text=True) as receiver:
        try:
            harness.wait_for(lambda: listens(environment["PORT"]), 120)
            assert send_test(daemon, account, environment["PORT"])["status"] == 204
            assert receiver.stdout.readline().startswith("test_")
            for _ in range(2):  # the second rotation ends the secret that it knows
                daemon.request("POST", "/v2/account/webhook/rotate", auth=(account.id, account.secret))
            assert send_test(daemon, account, environment["PORT"])["status"] == 401
        finally:
            receiver.kill()


def test_the_script_of_the_guide_tells_genuine_callbacks_from_others(files, signed):
    daemon, account, environment = signed
    receiver = Receiver()
    try:
        send_test(daemon, account, receiver.port)
    finally:
        receiver.close()
    [(_, headers, body)] = receiver.requests
    words = [headers["webhook-id"], headers["webhook-timestamp"], headers["webhook-signature"]]

    def verify(words, body):
        return subprocess.run(["bash", "verify.sh", *words], cwd=files, env=environment, input=body, capture_output=True)

    genuine = verify(words, body)
    assert genuine.returncode == 0 and genuine.stdout == b"genuine\n", genuine
    assert verify(words, body + b" ").returncode != 0
    assert verify(["test_other", *words[1:]], body).returncode != 0
    assert verify([words[0], str(int(words[1]) - 900), words[2]], body).returncode != 0


# --- the manual pages ---

def run_lines(reader, block):
    for line in block.replace("\\\n", "").splitlines():
        reader.run(line)


def test_the_examples_of_cdrctl_work(reader, tmp_path):
    daemon, text = reader.daemon, text_of(MANUALS[2])
    (tmp_path / "report.csv").write_bytes(harness.encode([sms(harness.Account("abcd1234"))], "csv"))
    with gzip.open(tmp_path / "report_SMS_abcd1234_20261101.csv.gz", "wb") as file:
        file.write((tmp_path / "report.csv").read_bytes())
    (tmp_path / "export.csv").write_bytes(harness.encode([sms(harness.Account("abcd1234"), message_body="Caf\xe9")], "csv")
                                          .decode().encode("windows-1252"))
    reader.values["SECRET"] = "another-secret-of-it"
    for block in manual_blocks(text, "EXAMPLES"):
        run_lines(reader, block)
    assert {a["id"] for a in daemon.ctl("account", "list")} >= {"abcd1234"}
    assert len([name for name in os.listdir(tmp_path / "backup" / "cdrd") if name.startswith("20")]) == 1


def test_the_examples_of_cdrd_work(reader, tmp_path):
    [foreground, check] = manual_blocks(text_of(MANUALS[0]), "EXAMPLES")
    command = reader.put_in(foreground).split()
    daemon = subprocess.Popen([harness.program("cdrd"), *command[1:], "-o", f"listen=127.0.0.1:{harness.free_port()}"],
                              stderr=subprocess.PIPE)
    try:
        harness.wait_for(lambda: os.path.exists(tmp_path / "cdrs.sock"))
    finally:
        daemon.terminate()
        assert daemon.wait(harness.STOP_SECONDS) == 0, daemon.stderr.read()
        daemon.stderr.close()
    reader.run(check)
    harness.wait_for(lambda: "reloaded the configuration" in reader.daemon.log())


def test_the_examples_of_the_configuration_are_valid(reader):
    for block in manual_blocks(text_of(MANUALS[1]), "EXAMPLES"):
        reader.check_configuration(block)


# --- what is named in passing ---

def mentions():
    """Commands of cdrctl within the text of documents: `cdrctl account add ...`."""
    texts = [README, CONTRIBUTING, *map(text_of, GUIDES), *(text_of(os.path.join(TOP, "docs", name))
                                                            for name in ("DESIGN.md", "HACKING.md"))]
    for text in texts:
        yield from (found.split() for found in re.findall(r"`(cdrctl [a-z][^`]*)`", re.sub(r"\s+", " ", text)))
    for page in MANUALS:
        yield from (found.split() for found in re.findall(r"^\.Ic (cdrctl [a-z].*?)(?: [.,;:)])?$", text_of(page), re.MULTILINE))


def test_every_command_that_a_text_names_exists():
    commands = dict(re.findall(r'^COMMAND\("([a-z -]+)", \w+,\s*"((?:[^"]|"\s*")*)"',
                               text_of(os.path.join(TOP, "src", "admin", "commands.def")), re.MULTILINE))
    assert len(commands) > 30
    checked = 0
    for words in mentions():
        for second in words[2].split("|") if len(words) > 2 and "|" in words[2] else [None]:
            said = " ".join(words[1:]) if second is None else f"{words[1]} {second}"
            matching = [c for c in commands if said == c or said.startswith(c + " ") or c.startswith(said + " ")]
            assert matching, f"`{' '.join(words)}` is no command"
            for option in LONG_OPTION.findall(said):
                assert any(option in commands[c] for c in matching), f"{option} of `{' '.join(words)}` is no option"
            checked += 1
    assert checked > 20


def test_the_reader_of_documents_notices_what_is_wrong(reader):
    with pytest.raises(AssertionError, match="printed"):
        reader.step(Step("echo one", "two\n"))
    with pytest.raises(AssertionError, match="exited with 1"):
        reader.run("cdrctl account show nobody00")
    assert [s.command for s in console_steps("$ a \\\n  b\nout\n$ c <<E\nin\nE\n")] == ["a \\\n  b", "c <<E\nin\nE"]
    assert documents.ID_CUT.search("0d56c128-...")
