# SPDX-License-Identifier: ISC
"""cdrctl top: as text, and on a terminal, which tmux is."""
import os
import re
import shlex
import subprocess
import uuid

import pytest

import harness
from harness import wait_for
from samples import many_sms, sms, whole_day

PATIENCE = 120
FACTS = ["cdrd", "Requests", "Records", "Loop", "Disk", "Sealing", "Reports", "Callbacks", "Quarantine", "Backup"]


def top(daemon, *arguments):
    return subprocess.run([harness.program("cdrctl"), "-s", daemon.socket, "top", *arguments], capture_output=True,
                          text=True, timeout=60, stdin=subprocess.DEVNULL)


def once(daemon, *arguments):
    ended = top(daemon, "--once", *arguments)
    assert ended.returncode == 0 and ended.stderr == "", ended
    return ended.stdout.splitlines()


def label(line):
    return line[2:].split()[0] if line.strip() else ""


def accounts_of(lines):
    """The ids below the table's header."""
    header = next(i for i, line in enumerate(lines) if re.match("  account +", line, re.I) and "charged" in line.lower())
    return [line.split()[0] for line in lines[header + 1:] if re.match("  [A-Za-z0-9]", line)]


class Screen:
    """A tmux server of its own with cdrctl top in it."""

    def __init__(self, daemon, columns=80, rows=24, term=None):
        self.name = f"cdrd-test-{uuid.uuid4()}"
        command = f"{shlex.quote(harness.program('cdrctl'))} -s {shlex.quote(daemon.socket)} top"
        environment = f"TERM={term} " if term else ""
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", str(columns), "-y", str(rows),
                  f"{environment}{command}; echo ended with $?; exec cat")

    def tmux(self, *arguments):
        # The screen has the size of its window, not that of the terminal that the tests run in.
        environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
        return subprocess.run(["tmux", "-L", self.name, *arguments], check=True, capture_output=True, text=True,
                              env={**environment, "LC_ALL": "C.UTF-8"}).stdout

    def lines(self):
        return self.tmux("capture-pane", "-p").splitlines()

    def keys(self, *keys):
        self.tmux("send-keys", *keys)

    def type(self, text):
        self.tmux("send-keys", "-l", text)

    def wait(self, condition):
        """Until the screen's lines are as wanted; the last ones otherwise."""
        def met():
            try:
                return condition(self.lines())
            except (StopIteration, IndexError):  # what is looked at is not there yet
                return False
        try:
            wait_for(met, PATIENCE)
        except AssertionError:
            raise AssertionError("on the screen:\n" + "\n".join(self.lines())) from None
        return self.lines()

    def wait_for_text(self, text):
        return self.wait(lambda lines: any(text in line for line in lines))

    def end(self):
        self.tmux("kill-server")


@pytest.fixture
def screens():
    """Makes screens; all are ended with the test."""
    made = []

    def make(*arguments, **options):
        made.append(Screen(*arguments, **options))
        return made[-1]
    yield make
    for screen in made:
        screen.end()


def add_account(daemon, id):
    daemon.ctl("account", "add", id, "--secret", harness.SECRET)
    return harness.Account(id)


@pytest.fixture
def busy(own_daemon):
    """A daemon with twenty accounts, of which each has more records than the one before and costs as much as it has."""
    own_daemon.accounts = [add_account(own_daemon, f"busy-{number:03d}") for number in range(20)]
    own_daemon.post_cdrs([r for i, account in enumerate(own_daemon.accounts) for r in many_sms(account, 5 + i)])
    for account in own_daemon.accounts:
        own_daemon.records(account, product="SMS", direction="outbound", **whole_day())
    return own_daemon


def ids(daemon):
    return [account.id for account in daemon.accounts]


# --- as text ---

def test_once_writes_facts_and_accounts(busy):
    lines = once(busy)
    assert [label(line) for line in lines[:len(FACTS)]] == FACTS
    assert re.search(r"\d+\.\d/s: pages \d+\.\d", lines[1]) and "rows to seal" in lines[5]
    assert accounts_of(lines) == ids(busy)[::-1]
    assert re.match(rf"  {busy.accounts[-1].id} +24 +0\.0096 EUR +1$", lines[len(FACTS) + 2])


def test_once_orders_filters_and_limits(busy):
    own = ids(busy)
    assert accounts_of(once(busy, "--sort", "account", "--limit", "3")) == own[:3]
    assert accounts_of(once(busy, "--sort", "charged", "--filter", own[4])) == [own[4]]
    assert accounts_of(once(busy, "--limit", "0")) == []
    ended = top(busy, "--once", "--sort", "size")
    assert ended.returncode == 1 and "--sort size: must be account, records, charged or requests" in ended.stderr


def test_long_ids_are_whole_in_the_text_and_cut_on_a_narrow_screen(own_daemon, screens):
    account = add_account(own_daemon, "a-long-id-" + "x" * 54)
    own_daemon.post_cdrs(many_sms(account, 7))
    assert accounts_of(once(own_daemon)) == [account.id]
    screen = screens(own_daemon)
    lines = screen.wait(lambda lines: accounts_of(lines[:23]) == [account.id[:24] + "+"])
    assert any(re.search(r"\+ +7 ", line) for line in lines)
    screen.tmux("resize-window", "-x", "140", "-y", "24")
    screen.wait(lambda lines: accounts_of(lines[:23]) == [account.id])


def test_what_calls_for_somebody_is_marked(own_daemon):
    account = own_daemon.new_account()
    assert not [line for line in once(own_daemon) if line.startswith("!")]
    own_daemon.post_cdrs([sms(account, total_price="much")])
    assert [line for line in once(own_daemon) if line.startswith("!")][0].startswith("! Quarantine  1 rejected")


def test_without_a_terminal_it_says_so(own_daemon):
    ended = top(own_daemon)
    assert ended.returncode == 1 and ended.stdout == "" and "--once" in ended.stderr


def test_without_a_daemon_it_fails(own_daemon):
    own_daemon.stop()
    ended = top(own_daemon, "--once")
    assert ended.returncode == 1 and own_daemon.socket in ended.stderr
    own_daemon.start()


# --- on a terminal ---

def test_a_screen_of_80_columns_and_24_lines_shows_all_facts(busy, screens):
    lines = screens(busy).wait_for_text("q End")
    assert [label(line) for line in lines[:len(FACTS)]] == FACTS
    assert max(len(line) for line in lines) <= 80 and lines[23].startswith("q End  h Help")
    assert accounts_of(lines[:23]) == ids(busy)[::-1][:11]


def test_the_screen_follows_what_happens(busy, screens):
    screen = screens(busy)
    screen.wait_for_text("q End")
    busy.post_cdrs(many_sms(busy.accounts[0], 100))
    screen.wait(lambda lines: accounts_of(lines[:23])[0] == busy.accounts[0].id)


def test_keys_order_and_reverse_the_accounts(busy, screens):
    own = ids(busy)
    screen = screens(busy)
    screen.wait_for_text("RECORDS")
    for key, header, first in (("a", "ACCOUNT", own[0]), ("a", "ACCOUNT", own[-1]), ("c", "CHARGED", own[-1]),
                               ("I", "CHARGED", own[0]), ("r", "RECORDS", own[-1]), ("n", "REQUESTS", own[0])):
        screen.keys(key)
        screen.wait(lambda lines: any(header in line for line in lines) and accounts_of(lines[:23])[0] == first)


def test_keys_scroll_the_accounts(busy, screens):
    own = ids(busy)[::-1]
    screen = screens(busy)
    screen.wait(lambda lines: accounts_of(lines[:23]) == own[:11])
    for key, first in (("Down", 1), ("Up", 0), ("NPage", 9), ("PPage", 0), ("End", 9), ("Down", 9), ("Home", 0)):
        screen.keys(key)
        screen.wait(lambda lines: accounts_of(lines[:23]) == own[first:first + 11])


def test_a_filter_is_typed_and_taken_away(busy, screens):
    own = ids(busy)
    screen = screens(busy)
    screen.wait_for_text("q End")
    screen.keys("/")
    screen.type("USY-003x")
    screen.wait(lambda lines: accounts_of(lines[:23]) == [])
    screen.keys("BSpace", "Enter")
    lines = screen.wait(lambda lines: accounts_of(lines[:23]) == [own[3]] and lines[23].startswith("q End"))
    assert "/ Filter: USY-003  1 accounts" in lines[23]
    screen.keys("Escape")
    screen.wait(lambda lines: len(accounts_of(lines[:23])) == 11)


def test_help_names_the_keys(busy, screens):
    screen = screens(busy)
    screen.wait_for_text("q End")
    screen.keys("h")
    lines = screen.wait_for_text("Any key returns.")
    assert any("q, F10" in line for line in lines) and max(len(line) for line in lines) <= 80
    screen.keys("x")
    screen.wait_for_text("q End")


def test_a_new_size_of_the_terminal_is_used(busy, screens):
    screen = screens(busy)
    screen.wait_for_text("q End")
    screen.tmux("resize-window", "-x", "60", "-y", "16")
    screen.wait(lambda lines: len(lines) == 16 and lines[15].startswith("q End") and len(accounts_of(lines[:15])) == 3)
    screen.tmux("resize-window", "-x", "20", "-y", "3")
    screen.wait(lambda lines: len(lines) == 3 and lines[2].startswith("q End"))
    screen.tmux("resize-window", "-x", "120", "-y", "40")
    screen.wait(lambda lines: len(accounts_of(lines[:39])) == 20)


def test_q_ends_it_with_the_terminal_as_it_was(busy, screens):
    screen = screens(busy)
    screen.wait_for_text("q End")
    screen.keys("q")
    lines = screen.wait_for_text("ended with 0")
    assert not any("Sealing" in line for line in lines)


def test_while_the_daemon_is_gone_the_screen_says_so(busy, screens):
    screen = screens(busy)
    screen.wait_for_text("q End")
    busy.stop()
    lines = screen.wait_for_text("Not up to date: ")
    assert accounts_of(lines[:23]) == ids(busy)[::-1][:11]
    busy.start()
    screen.wait(lambda lines: lines[23].startswith("q End") and accounts_of(lines[:23]) == [])


def test_an_unknown_terminal_is_refused(busy, screens):
    screens(busy, term="no-such-terminal").wait_for_text("this terminal (TERM) is not known")
