# SPDX-License-Identifier: ISC
"""bench/: what its clients ask for and how answers are compared; with --long, a section from its beginning to its end."""
import collections
import decimal
import json
import os
import re
import subprocess
import sys

import pytest

import harness
from samples import DAY, YESTERDAY, iso

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
SUMMARY = os.path.join(TOP, "bench", "summary.py")
BEGIN, END = YESTERDAY - DAY, YESTERDAY + DAY
COUNTS = {"SMS": 600, "VOICE-CALL": 300}
SUMS = {"SMS": ["total_price"], "VOICE-CALL": ["duration", "total_price", "price"]}
TIMES = {"SMS": "date_received", "VOICE-CALL": "date_start"}


def table():
    with open(os.path.join(TOP, "bench", "summary.sh"), encoding="utf-8") as file:
        return re.search(r"^SUMMARIES='\n(.*?)'$", file.read(), re.DOTALL | re.MULTILINE)[1]


def summary(*arguments):
    return subprocess.run([sys.executable, SUMMARY, *map(str, arguments)], capture_output=True, text=True)


def expected(records, what, product, group_by, interval, condition):
    """The groups of the records as summary.py writes them."""
    columns = [] if group_by == "-" else group_by.split(",")
    groups = collections.defaultdict(list)
    for record in records[product]:
        if condition == "-" or record.get(condition.split("=")[0]) == condition.split("=")[1]:
            day = [record[TIMES[product]][:10]] if interval == "day" else []
            groups[tuple(day + [record.get(column, "") for column in columns])].append(record)
    sums = [] if what == "estimate" else SUMS[product]
    return [[key, len(members)] + [f"{sum(decimal.Decimal(m[name]) for m in members).normalize():f}" for name in sums]
            for key, members in groups.items()]


@pytest.fixture(scope="module")
def records(daemon):
    """An account, and its records by product."""
    account = daemon.new_account()
    made = {product: harness.generate(product, account, count, iso(BEGIN), iso(END), "--direction", "outbound")
            for product, count in COUNTS.items()}
    for some in made.values():
        daemon.post_cdrs(some)
    return account, made


@pytest.fixture
def answers(daemon, records, tmp_path):
    """What summary.py wrote and printed, and what the records add up to, written alike."""
    account, made = records
    (tmp_path / "table").write_text(table())
    asked = summary("ask", daemon.port, f"{account.id}:{account.secret}", daemon.process.pid, 2, tmp_path / "asked",
                    tmp_path / "table", BEGIN.date(), END.date(), *(f"{name}={count}" for name, count in COUNTS.items()))
    assert asked.returncode == 0, asked.stderr
    lines = [line.split() for line in table().splitlines()]
    (tmp_path / "added").write_text("".join(json.dumps([name, *expected(made, *question)]) + "\n"
                                            for name, *question in lines))
    return tmp_path / "asked", tmp_path / "added", asked.stdout


def test_summaries_of_the_benchmark_are_what_the_records_add_up_to(answers):
    asked, added, printed = answers
    compared = summary("compare", asked, added)
    assert compared.returncode == 0, compared.stderr
    for line in table().splitlines():
        for measure in ("ms", "cpu_ms_per_million", "exact"):
            assert re.search(rf"^{line.split()[0]}\.{measure} \d", printed, re.MULTILINE), (line, measure, printed)


@pytest.mark.parametrize("change", [
    lambda groups: groups[0].__setitem__(1, groups[0][1] + 1), lambda groups: groups[0].__setitem__(-1, "1.5"),
    lambda groups: groups.pop(), lambda groups: groups.clear()])
def test_an_answer_that_differs_is_named(answers, change):
    asked, added, _ = answers
    lines = [json.loads(line) for line in added.read_text().splitlines()]
    name, *groups = lines[4]
    change(groups)
    lines[4] = [name, *groups]
    added.write_text("".join(json.dumps(line) + "\n" for line in lines))
    compared = summary("compare", asked, added)
    assert compared.returncode != 0 and f" {name}: " in compared.stderr, compared


@pytest.mark.skipif(not os.environ.get("CDRD_LONG_TESTS"), reason="takes a minute")
def test_the_section_of_accounts_measures_everything_that_it_shows(tmp_path):
    ended = subprocess.run([os.path.join(TOP, "bench", "run"), "accounts", "50000"], capture_output=True, text=True, env={
        **os.environ, "ACCOUNTS": "200", "ACCOUNTS_MORE": "1000", "SECONDS_EACH": "1", "REPEATS": "1",
        "CDRD_BUILD_DIR": harness.BUILD_DIR, "TMPDIR": str(tmp_path)})
    assert ended.returncode == 0, ended.stderr
    rows = [line for line in ended.stdout.splitlines() if re.search(r" (records/s|ms|MiB anon|us/record|CPU s/M) ", line)]
    assert len(rows) > 30, ended.stdout
    assert not [row for row in rows if re.search(r" - *(\S+ [\d.]+)? *$", row)], ended.stdout


@pytest.mark.skipif(not os.environ.get("CDRD_LONG_TESTS"), reason="takes minutes")
def test_after_a_minute_of_everything_at_once_nothing_is_left_and_all_counts_agree(tmp_path):
    ended = subprocess.run([os.path.join(TOP, "bench", "run"), "soak", "60"], capture_output=True, text=True, env={
        **os.environ, "SOAK_IDLE": "1000", "SOAK_RATE": "400", "CDRD_BUILD_DIR": harness.BUILD_DIR, "TMPDIR": str(tmp_path)})
    assert ended.returncode == 0, ended.stderr
    assert re.search(r"^descriptors left beyond those of the start +descriptors +0\.000 *$", ended.stdout, re.MULTILINE), ended.stdout
