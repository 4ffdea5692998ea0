# SPDX-License-Identifier: ISC
"""cdrctl as a program: help, usage, exit statuses, what it prints for people, import's progress, completion."""
import json
import os
import pty
import re
import select
import shutil
import socket
import subprocess
import threading
import time

import pytest

import harness
from samples import NOON, SECOND, many_sms, sms


def run(*arguments, **more):
    return subprocess.run([harness.program("cdrctl"), *arguments], capture_output=True, text=True, timeout=60, **more)


def ctl(daemon, *arguments, **more):
    """For people: without --json. It must go well."""
    ended = run("-s", daemon.socket, *arguments, **more)
    assert ended.returncode == 0, ended
    return ended.stdout


def table(text):
    """A table's heading and rows, cells as they are separated: by two spaces or more."""
    return [re.split(r"  +", line.strip()) for line in text.splitlines()]


@pytest.fixture
def files(account, tmp_path):
    """Two files of records: 30 and 20, one of which is wrong."""
    first, second = tmp_path / "first.ndjson", tmp_path / "second.ndjson"
    first.write_bytes(harness.encode(many_sms(account, 30), "ndjson"))
    second.write_bytes(harness.encode([*many_sms(account, 19), sms(account, smell="nice")], "ndjson"))
    return str(first), str(second)


# --- help and usage ---

def test_help_names_every_command_and_the_default_socket():
    ended = run("--help")
    assert ended.returncode == 0 and ended.stderr == ""
    assert "/run/cdrd/admin.sock" in ended.stdout
    for command in ("account add ID", "quarantine replay NUMBER", "import ", "shutdown"):
        assert "  " + command in ended.stdout, command
    assert run("help").stdout == run("-h").stdout == ended.stdout


def test_help_of_a_command_shows_its_arguments():
    for arguments in (["account", "add", "--help"], ["--help", "account", "add"], ["help", "account", "add"]):
        ended = run(*arguments)
        assert ended.returncode == 0 and ended.stdout.startswith("Usage: cdrctl account add ID [--parent ID]"), ended


def test_help_of_a_group_lists_its_commands():
    ended = run("secret", "--help")
    assert ended.returncode == 0
    assert re.findall(r"^  (\w+ \w+)", ended.stdout, re.M) == ["secret add", "secret list", "secret revoke"]


def test_version():
    assert re.fullmatch(r"cdrctl \d+\.\d+\S*\n", run("--version").stdout)


@pytest.mark.parametrize("arguments, message", [
    ([], "a command is missing"),
    (["nonsense"], "nonsense: no such command; see"),
    (["kye"], "kye: no such command; did you mean key?"),
    (["kye", "list"], "kye: no such command; did you mean key?"),
    (["key", "lst"], "lst: no such command; did you mean list?"),
    (["status", "-s", "/there"], "-s: no such option; -s and --socket stand before the command"),
    (["status", "--socket=/there"], "--socket=/there: no such option; -s and --socket stand before the command"),
    (["key", "add", "a", "--scop=records"], "--scop=records: no such option; did you mean --scope?"),
    (["status", "--jsno"], "--jsno: no such option; did you mean --json?"),
    (["--nosense", "status"], "--nosense: no such option; see cdrctl --help"),
    (["account"], "account: the command is not complete"),
    (["account", "nonsense"], "nonsense: no such command"),
    (["account", "add"], "account add: ID is missing"),
    (["account", "list", "stray"], "stray"),
    (["status", "--nonsense"], "--nonsense: no such option"),
    (["account", "add", "abcd1234", "--parent"], "--parent: ID is missing"),
    (["-s"], "the path of SOCKET is missing"),
    (["--nonsense", "status"], "--nonsense: no such option"),
])
def test_wrong_usage_is_status_2_with_a_message(arguments, message):
    ended = run(*arguments)
    assert (ended.returncode, ended.stdout) == (2, "") and message in ended.stderr, ended


def test_errors_of_the_daemon_are_status_1_on_standard_error(daemon):
    for json_option in ([], ["--json"]):
        ended = run("-s", daemon.socket, *json_option, "account", "show", "nobody00")
        assert (ended.returncode, ended.stdout) == (1, ""), ended
        assert ended.stderr == "cdrctl: account nobody00: no such account\n"


def test_options_may_stand_behind_the_command(daemon):
    assert json.loads(ctl(daemon, "log-level", "--json")) == {"level": "info"}
    assert json.loads(run(f"--socket={daemon.socket}", "--json", "log-level").stdout) == {"level": "info"}


def test_two_dashes_end_the_options(daemon):
    ended = run("-s", daemon.socket, "account", "show", "--", "--json")
    assert ended.returncode == 1 and "--json" in ended.stderr, ended


# --- what it prints ---

def test_a_list_is_a_table_with_aligned_columns(daemon, account):
    child = daemon.new_account(parent=account)
    lines = ctl(daemon, "account", "list").splitlines()
    assert lines[0].split() == ["ID", "PARENT", "NAME", "PLAN", "DISABLED", "CREATED", "SECRETS"]
    row = next(line for line in lines if line.startswith(child.id))
    for heading in ("ID", "PARENT", "DISABLED", "CREATED"):
        at = lines[0].index(heading)
        assert row[at] != " " and (at == 0 or row[at - 1] == " "), (heading, row)
    assert row.split()[:5] == [child.id, account.id, "-", "-", "no"]
    assert not any(line.endswith(" ") for line in lines)


def test_an_empty_list_prints_nothing(own_daemon):
    assert ctl(own_daemon, "quarantine", "list") == ""
    assert run("-s", own_daemon.socket, "--json", "quarantine", "list").stdout == "[]\n"


def test_an_object_is_lines_with_sections(daemon, account):
    text = ctl(daemon, "account", "show", account.id)
    assert re.search(rf"^id: +{account.id}$", text, re.M)
    assert re.search(r"^secrets:\n  NUMBER  CREATED\n       1  \d{4}-", text, re.M), text
    status = ctl(daemon, "status")
    assert re.search(r"^memory: +\d+\.\d MiB$", status, re.M), status
    assert re.search(r"^ingest:\n  accepted: +\d+$", status, re.M), status


def test_a_command_without_result_prints_nothing(daemon, account):
    assert ctl(daemon, "account", "enable", account.id) == ""


def test_wide_characters_keep_columns_aligned(daemon):
    daemon.ctl("account", "add", "wide0001", "--name", "\u65e5\u672c\u8a9e Zo\u00eb", "--secret", harness.SECRET)
    lines = ctl(daemon, "account", "list").splitlines()
    wide = next(line for line in lines if "wide0001" in line)
    assert wide.index(" no ") + 3 == lines[0].index("DISABLED") - 1, (wide, lines[0])


def test_records_cannot_play_tricks_with_the_terminal(own_daemon):
    account = own_daemon.new_account()
    own_daemon.post_cdrs([sms(account, smell="\u001b[2J\u202eevil\u0007\u009b\nend"),
                          sms(account, smell="a\u0000b\u009bend")])
    assert r"\x1b[2J\u202eevil\x07\x9b\x0aend" in ctl(own_daemon, "quarantine", "show", "1")
    for number in "1", "2":
        text = ctl(own_daemon, "quarantine", "show", number)
        assert "end" in text and not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", text), text
        assert "end" in str(own_daemon.ctl("quarantine", "show", number)["record"])


def test_a_full_disk_for_the_output_is_an_error(daemon):
    with open("/dev/full", "w") as full:
        ended = subprocess.run([harness.program("cdrctl"), "-s", daemon.socket, "products", "SMS"], stdout=full,
                               stderr=subprocess.PIPE, text=True, timeout=120)
    assert ended.returncode == 1 and "cannot write" in ended.stderr, ended


# --- import ---

def feed_slowly(pipe, body, pieces=10):
    """So that it takes a second or two, however quick the machine is."""
    for n in range(pieces):
        pipe.write(body[len(body) * n // pieces:len(body) * (n + 1) // pieces])
        pipe.flush()
        time.sleep(0.15)
    pipe.close()


def on_terminal(arguments, feed=None):
    """Runs cdrctl with standard error on a terminal: its output, and what the terminal got."""
    master, slave = pty.openpty()
    process = subprocess.Popen(arguments, stdin=subprocess.PIPE if feed else subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=slave)
    os.close(slave)
    if feed:
        threading.Thread(target=feed_slowly, args=(process.stdin, feed)).start()
    got = b""
    while True:
        ready, _, _ = select.select([master], [], [], 60)
        assert ready, "no end of it"
        try:
            data = os.read(master, 65536)
        except OSError:  # the terminal's other end is closed
            break
        got += data
    os.close(master)
    output = process.stdout.read()
    assert process.wait(60) == 0
    return output.decode(), got.decode()


def test_a_short_import_draws_nothing(daemon, files):
    """One of less than 0.3 s: on a busy machine, it may take some until one is as short."""
    def drawn():
        output, got = on_terminal([harness.program("cdrctl"), "-s", daemon.socket, "import", files[0]])
        seconds = float(re.search(r" records in (\d+\.\d) s ", output)[1])
        return None if seconds >= 0.3 else [got]

    tried = (drawn() for _ in range(100))
    assert next(filter(None, tried)) == [""]


def test_import_sums_up_each_file_and_all(daemon, files):
    text = ctl(daemon, "import", "--allow-rejects", *files)
    first, second, error, whole, hint = text.splitlines()
    assert re.fullmatch(r".*/first.ndjson: 30 records in \d+\.\d s \([\d,]+/s\): 30 accepted, 0 updated, "
                        r"0 duplicates, 0 outdated, 0 rejected", first), first
    assert ": 20 records " in second and "19 accepted" in second and "1 rejected" in second, second
    assert re.fullmatch(r"  line 20: smell: .+", error), error
    assert whole.startswith("all: 50 records ") and "49 accepted" in whole, whole
    assert "quarantine" in hint


def test_import_as_json_names_the_files_of_errors(daemon, files):
    result = daemon.ctl("import", "--allow-rejects", *files)
    assert (result["accepted"], result["rejected"]) == (49, 1)
    assert [(os.path.basename(e["file"]), e["line"], e["field"]) for e in result["errors"]] == [
        ("second.ndjson", 20, "smell")]


def test_import_sends_nothing_if_a_file_cannot_be_opened(daemon, files, tmp_path):
    before = daemon.ctl("status")["ingest"]
    for wrong in ("/nonexistent/file", str(tmp_path)):
        ended = run("-s", daemon.socket, "import", files[0], wrong)
        assert ended.returncode == 1 and wrong in ended.stderr, ended
    assert daemon.ctl("status")["ingest"] == before


def test_import_of_an_empty_file_is_no_error(daemon, tmp_path):
    path = tmp_path / "empty"
    path.write_bytes(b"")
    assert daemon.ctl("import", str(path))["accepted"] == 0


@pytest.mark.parametrize("arguments, word", [(["--format", "xml"], "xml"), (["--product", "SMOKE"], "SMOKE")])
def test_import_with_wrong_arguments_says_so_however_large_the_file(daemon, tmp_path, arguments, word):
    path = tmp_path / "large"
    path.write_bytes(b"x" * (8 << 20))
    ended = run("-s", daemon.socket, "import", *arguments, str(path))
    assert ended.returncode == 1 and word in ended.stderr, ended


def test_import_shows_nothing_but_the_summary_when_not_on_a_terminal(daemon, files):
    ended = run("-s", daemon.socket, "import", files[0])
    assert ended.stderr == "" and ended.stdout.count("\n") == 1, ended


@pytest.fixture(scope="module")
def slow_daemon(daemons):
    """One that commits so often that an import takes a while."""
    return daemons(commit_records_max=20)


def test_import_draws_a_bar_with_rate_and_time_left_on_a_terminal(slow_daemon, tmp_path):
    account = slow_daemon.new_account()
    path = tmp_path / "many"
    path.write_bytes(harness.encode(many_sms(account, 60000, NOON, SECOND / 100), "ndjson"))
    output, drawn = on_terminal([harness.program("cdrctl"), "-s", slow_daemon.socket, "import", str(path)])
    assert "60,000 accepted" in output
    assert re.search(r"\[=*>? *\] +\d+%  [\d.]+ [KM]?i?B  [\d.]+ [KMG]?i?B/s  [\d,]+ records  [\d,]+/s", drawn), drawn
    assert re.search(r"\d+:\d\d left", drawn), drawn
    assert drawn.endswith("\r\x1b[K"), "the line is emptied at the end"


def test_import_shows_rejects_while_it_runs(slow_daemon):
    records = many_sms(slow_daemon.new_account(), 20000, NOON, SECOND / 100)
    for record in records[::10]:
        record["smell"] = "nice"
    command = [harness.program("cdrctl"), "-s", slow_daemon.socket, "import", "--allow-rejects", "-"]
    drawn = on_terminal(command, feed=harness.encode(records, "ndjson"))[1]
    assert re.search(r"[\d,]+ records  [\d,]+/s  [\d,]+ rejected", drawn), drawn


def test_import_from_a_pipe_draws_no_bar_but_the_rate(slow_daemon):
    account = slow_daemon.new_account()
    body = harness.encode(many_sms(account, 20000, NOON, SECOND / 100), "ndjson")
    output, drawn = on_terminal([harness.program("cdrctl"), "-s", slow_daemon.socket, "import", "-"], feed=body)
    assert output.startswith("standard input: 20,000 records"), output
    assert "/s" in drawn and "%" not in drawn and "left" not in drawn, drawn


def run_answered(path, answer, *arguments):
    """cdrctl against a daemon that reads a little, sends `answer` and is gone."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()

        def serve():
            connection, _ = listener.accept()
            connection.recv(1000)
            connection.sendall(answer)
            connection.close()
        thread = threading.Thread(target=serve)
        thread.start()
        ended = run("-s", path, *arguments)
        thread.join()
    os.unlink(path)
    return ended


def test_import_says_when_the_daemon_is_gone(tmp_path):
    body = tmp_path / "body"
    body.write_bytes(b"x" * (1 << 20))
    ended = run_answered(str(tmp_path / "a.sock"), b"", "import", str(body))
    assert ended.returncode == 1 and "closed the connection" in ended.stderr, ended


def test_an_answer_that_makes_no_sense_is_an_error(tmp_path):
    for line in (b"nonsense\n", b"{}\n", b'{"ok":true}\n', b"[" * 10000 + b"\n", b""):
        ended = run_answered(str(tmp_path / "a.sock"), line, "status")
        assert ended.returncode == 1 and ended.stderr.startswith("cdrctl: "), (line, ended)


def test_an_error_with_a_result_prints_the_result_and_fails(tmp_path):
    path = str(tmp_path / "a.sock")
    error = {"ok": False, "error": 'a ,"result": that is none', "code": "corrupt"}
    line = json.dumps({**error, "result": {"sound": False}}, separators=(",", ":")).encode() + b"\n"
    ended = run_answered(path, line, "--json", "verify")
    assert (ended.returncode, ended.stdout) == (1, '{"sound":false}\n'), ended
    assert ended.stderr == f"cdrctl: {error['error']}\n", ended
    ended = run_answered(path, line, "verify")
    assert (ended.returncode, ended.stdout) == (1, "sound:  no\n"), ended


# --- completion ---

@pytest.mark.skipif(not shutil.which("bash"), reason="there is no bash")
@pytest.mark.parametrize("line, wanted", [
    ("cdrctl ", {"account", "import", "status", "--json"}),
    ("cdrctl acc", {"account"}),
    ("cdrctl account ", {"add", "list", "show", "disable", "enable"}),
    ("cdrctl -s /tmp/x account e", {"enable"}),
    ("cdrctl account add abcd1234 --p", {"--parent"}),
    ("cdrctl account add --parent ", set()),
    ("cdrctl quarantine re", {"replay"}),
    ("cdrctl import --f", {"--format"}),
    ("cdrctl log-level --", {"--json", "--help"}),
])
def test_bash_completes(line, wanted):
    script = os.path.join(harness.BUILD_DIR, "completions", "cdrctl")
    code = ('source "$1"; COMP_WORDS=($2); [[ $2 == *" " ]] && COMP_WORDS+=(""); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); '
            'compopt() { :; }; _cdrctl; echo "${COMPREPLY[@]}"')
    ended = subprocess.run(["bash", "-c", code, "bash", script, line], capture_output=True, text=True, timeout=120)
    assert ended.stderr == "" and ended.returncode == 0, ended
    offered = set(ended.stdout.split())
    assert wanted <= offered, offered
    if len(wanted) <= 1:
        assert offered == wanted


def test_cdrctl_loads_no_library_that_the_daemon_alone_needs():
    loaded = subprocess.run(["ldd", harness.program("cdrctl")], capture_output=True, text=True, check=True).stdout
    assert "libcrypto" in loaded
    assert not re.findall(r"lib(?:curl|event|ssl|msgpack|pq|rdkafka|rabbitmq)[^ ]*", loaded), loaded
