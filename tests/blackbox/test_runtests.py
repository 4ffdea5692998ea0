# SPDX-License-Identifier: ISC
"""./runtests: what it says at its end, of a project that has a test that fails and one that passes of every kind."""
import os
import re
import shutil
import subprocess

import pytest

from test_tree import TOP

LIB = """
say() { printf '%s\\n' "$*" >&2; }
die() { say "$*"; exit 1; }
need() { :; }
need_node() { :; }
npm_packages() { :; }
build_in() { :; }
BUILD_PACKAGES=()
"""

SUITE = """#!/bin/sh
if [ "$CK_RUN_SUITE" = good ]; then echo '100%: Checks: 2, Failures: 0, Errors: 0'; exit 0; fi
if [ "$CK_RUN_SUITE" = ended ]; then exit 3; fi
if [ "$CK_RUN_SUITE" = together ]; then [ "$CK_FORK" = no ] && exit 86; echo '100%: Checks: 2, Failures: 0, Errors: 0'; exit 0; fi
if [ "$CK_FORK" = no ]; then echo 'ERROR: AddressSanitizer'; exit 86; fi
echo 'Running suite(s): bad'
echo '33%: Checks: 3, Failures: 1, Errors: 1'
echo '../../tests/unit/test_bad.c:12:F:rows:row_is_kept:0: Assertion failed: a == 1'
echo '../../tests/unit/test_bad.c:40:E:rows:row_is_cut:3: (after this point) Received signal 11 (Segmentation fault)'
exit 1
"""

PYTEST = """
import pytest
def test_that_passes(): pass
@pytest.mark.parametrize("word", ["a b"])
def test_that_fails(word): assert word == "c", "no c"
"""

NODE = """
const test = require('node:test');
const long = () => { console.log('a line of what is called meanwhile'); };
test('that passes', long);
test('a group', async (t) => { await t.test('that fails', () => { throw new Error('no such thing'); }); });
test('that differs', () => { require('node:assert').deepEqual([200], [403], 'statuses\\nof it'); });
test('that passes after', long);
"""


SLOW_PYTEST = """
import pytest
def test_that_passes(): pass
@pytest.mark.slow
@pytest.mark.parametrize("number", range(3))
def test_that_is_slow(number): pass
@pytest.mark.skip(reason="slow machine")
def test_that_cannot_be(): pass
@pytest.mark.parametrize("number", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_of_which_a_part_is_slow(number): pass
"""

SLOW_NODE = """
import test from 'node:test';
import { SLOW } from '../sdk/daemon.js';
test('that passes', () => {});
test('that is slow', SLOW, () => {});
test('a group', async (t) => { await t.test('of which a part is slow', SLOW, () => {}); });
"""


@pytest.fixture(autouse=True)
def nothing_wrong_with_daemons():
    """No daemon takes part in these."""


def write(folder, path, text, mode=0o644):
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_text(text)
    (folder / path).chmod(mode)


@pytest.fixture
def project(tmp_path):
    for path in ("runtests", "tools/failures.sh"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        shutil.copy(os.path.join(TOP, path), tmp_path / path)
    write(tmp_path, "tools/lib.sh", LIB)
    write(tmp_path, "bin/make", "#!/bin/sh\n", 0o755)
    write(tmp_path, "tests/unit/suites.def", "SUITE(good)\nSUITE(bad)\nSUITE(ended)\n")
    write(tmp_path, "build/tests/tests/unit/run", SUITE, 0o755)
    for name, script in (("fuzz_good", "exit 0"), ("fuzz_bad", "exit 1")):
        write(tmp_path, f"tests/fuzz/{name}.c", "")
        write(tmp_path, f"build/tests/tests/fuzz/{name}", f"#!/bin/sh\n{script}\n", 0o755)
    write(tmp_path, "tests/blackbox/test_x.py", PYTEST)
    for kind in ("sdk", "console"):
        write(tmp_path, f"tests/{kind}/x.test.js", NODE)
        write(tmp_path, f"tests/{kind}/.npmrc", "")
        for name in ("daemon.js", "package.json", "package-lock.json"):
            write(tmp_path, f"tests/{kind}/{name}", "{}" if name.endswith("json") else "")
        write(tmp_path, f"build/tests/node/{kind}/node_modules/.installed", "{}")  # as npm would leave it
    return tmp_path


def run(project, runners, *options):
    environment = {**os.environ, "RUNNERS": runners, "PATH": f"{project}/bin:{os.environ['PATH']}"}
    return subprocess.run([project / "runtests", *options], capture_output=True, text=True, timeout=600, env=environment)


def test_what_failed_is_listed_before_the_last_line(project):
    ended = run(project, "unit fuzz blackbox sdk console")
    failures = [
        "unit bad: rows, row_is_kept: Assertion failed: a == 1",
        "unit bad: rows, row_is_cut: (after this point) Received signal 11 (Segmentation fault)",
        "unit ended: ended with status 3 after 0 tests",
        f"fuzz_bad: the input is in {project}/build/tests/fuzz_bad.crash",
        "blackbox: tests/blackbox/test_x.py::test_that_fails[a b] - AssertionError: no c",
        "sdk: that fails: 'no such thing'", "sdk: a group: '1 subtest failed'", "sdk: that differs: statuses | of it",
        "console: that fails: 'no such thing'", "console: a group: '1 subtest failed'",
        "console: that differs: statuses | of it",
    ]
    assert (project / "build/tests/failures").read_text().splitlines() == failures
    assert ended.stdout.splitlines()[-len(failures) - 3:] == ["== failed ==", *failures, "", "9 passed, 11 failed"], ended.stdout
    assert ended.returncode == 1


def test_unit_tests_that_fail_only_together_have_failed(project):
    write(project, "tests/unit/suites.def", "SUITE(together)\n")
    ended = run(project, "unit")
    assert (project / "build/tests/failures").read_text() == "unit together: ended with status 86 after 2 tests\n"
    assert ended.returncode == 1 and ended.stdout.splitlines()[-1] == "2 passed, 1 failed"


def test_what_failed_before_is_not_listed_again(project):
    write(project, "build/tests/failures", "unit bad: of another run\n")
    write(project, "tests/unit/suites.def", "SUITE(good)\n")
    ended = run(project, "unit")
    assert (project / "build/tests/failures").read_text() == ""
    assert ended.returncode == 0 and ended.stdout.splitlines()[-1] == "2 passed, 0 failed"
    assert "== failed ==" not in ended.stdout


def test_of_the_tests_of_node_only_results_are_written_and_all_is_in_the_log(project):
    ended = run(project, "console")
    lines = ended.stdout.splitlines()
    assert [line.strip() for line in lines[2:5]] == ["ok 1 - that passes", "not ok 1 - that fails", "not ok 2 - a group"], lines
    assert "duration_ms" not in ended.stdout and "a line of what" not in ended.stdout
    log = (project / "build/tests/console.log").read_text()
    assert "duration_ms" in log and "a line of what" in log and "no such thing" in log


@pytest.fixture
def project_with_slow_tests(project):
    for path in ("tests/blackbox/conftest.py", "tests/blackbox/clock.py", "tests/blackbox/harness.py", "tests/sdk/daemon.js"):
        shutil.copy(os.path.join(TOP, path), project / path)
    write(project, "tests/blackbox/test_x.py", SLOW_PYTEST)
    for kind in ("sdk", "console"):
        write(project, f"tests/{kind}/x.test.js", SLOW_NODE)
        write(project, f"tests/{kind}/package.json", '{"type": "module"}')
    return project


LEFT_OUT = "{} slow tests were left out, which ./runtests --slow runs"


def test_slow_tests_are_left_out_and_counted(project_with_slow_tests):
    ended = run(project_with_slow_tests, "blackbox sdk")
    assert ended.stdout.splitlines()[-4:] == ["", LEFT_OUT.format(6), "", "4 passed, 0 failed"], ended.stdout
    assert ended.returncode == 0 and "SKIPPED" not in ended.stdout
    log = (project_with_slow_tests / "build/tests/blackbox.log").read_text()
    assert "SKIPPED [1] tests/blackbox/test_x.py:7: slow machine" in log, "what else is skipped is there with its reason"


@pytest.mark.parametrize("option", ["--slow", "--long", "--coverage"])
def test_slow_tests_are_run_where_all_are(project_with_slow_tests, option):
    if option == "--coverage":
        (project_with_slow_tests / "build" / "tests").rename(project_with_slow_tests / "build" / "coverage")
        write(project_with_slow_tests, "tools/coverage", "#!/bin/sh\n", 0o755)
    ended = run(project_with_slow_tests, "blackbox sdk", option)
    assert ended.stdout.splitlines()[-1] == f"{11 if option == '--coverage' else 10} passed, 0 failed", ended.stdout
    assert "slow tests" not in ended.stdout


def test_ci_runs_slow_tests_and_what_it_is_asked_for(tmp_path):
    shutil.copytree(os.path.join(TOP, ".ci"), tmp_path / ".ci")
    write(tmp_path, "runtests", '#!/bin/sh\necho "$@"\n', 0o755)
    for asked, given in (((), "--slow"), (("--long",), "--long")):
        assert subprocess.run([tmp_path / ".ci/run", *asked], capture_output=True, text=True, check=True).stdout == f"{given}\n"


def test_coverage_counts_what_a_build_of_its_own_has_run_and_too_little_is_a_failure(project):
    (project / "build" / "tests").rename(project / "build" / "coverage")
    write(project, "build/coverage/of_an_earlier_run.gcda", "")
    write(project, "tools/coverage", '#!/bin/sh\necho "$*"\n[ $3 -eq 0 ]\n', 0o755)
    part = run(project, "fuzz", "--coverage")
    assert f"{project}/build/coverage --least 0" in part.stdout
    assert part.stdout.splitlines()[-1] == "2 passed, 1 failed", part.stdout  # a fuzzer, and the coverage of a part
    assert (project / "build/coverage/of_an_earlier_run.gcda").exists()
    whole = run(project, "", "--coverage")
    assert f"{project}/build/coverage --least 92" in whole.stdout
    assert not (project / "build/coverage/of_an_earlier_run.gcda").exists()
    assert "coverage: fewer than 92 % of the lines, or gcovr failed" in (project / "build/coverage/failures").read_text().splitlines()


ENGINE = """#!/bin/sh
echo '#2\tINITED cov: 10 ft: 12 corp: 1/1b exec/s: 0 rss: 30Mb'
echo '#8\tNEW    cov: 14 ft: 17 corp: 2/2b lim: 4 exec/s: 0 rss: 30Mb L: 1/1 MS: 1 ChangeByte-'
echo 'stat::number_of_executed_units: 9'
exit {status}
"""


def test_a_campaign_of_fuzzing_tells_of_each_target_and_a_finding_ends_its_target_alone(project):
    (project / "build" / "tests").rename(project / "build" / "fuzz")
    shutil.copy(os.path.join(TOP, "tests/fuzz/campaign"), project / "tests/fuzz/campaign")
    for name, status in (("bad", 77), ("good", 0)):
        write(project, f"build/fuzz/tests/fuzz/fuzz_{name}", ENGINE.format(status=status), 0o755)
    ended = subprocess.run([project / "tests/fuzz/campaign", "10"], capture_output=True, text=True, timeout=300,
                           env={**os.environ, "JOBS": "1", "PATH": f"{project}/bin:{os.environ['PATH']}"})
    assert re.fullmatch(r"good: \d+ s, 9 executions, 14 edges, 10 at the start, no finding\n", ended.stdout), ended
    assert re.search(rf"campaign: bad: a finding after \d+ s, its input is in {project}/build/fuzz/findings\n\Z", ended.stderr), ended
    assert ended.returncode == 1
