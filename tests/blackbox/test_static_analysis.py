# SPDX-License-Identifier: ISC
"""tools/static_analysis: what it finds, what a comment explains, and what a comment must have."""
import importlib.machinery
import importlib.util
import os
import subprocess

import pytest

import harness
from test_tree import TOP

LOST = """#include <stddef.h>
int lost(int size);
int lost(int size)
{
	int *p = NULL;

	if (size > 4)
		size = 4;
	return *p + size;%s
}
"""


@pytest.fixture(autouse=True)
def nothing_wrong_with_daemons():
    """No daemon takes part in these."""


@pytest.fixture
def analyse(tmp_path):
    def analyse(tool, source):
        path = os.path.join(harness.BUILD_DIR, "static-test", "analysed.c")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(source)
        try:
            ended = subprocess.run([os.path.join(TOP, "tools", "static_analysis"), "--tool", tool, path], capture_output=True,
                                   text=True, timeout=300, env={**os.environ, "CDRD_BUILD_DIR": harness.BUILD_DIR})
        finally:
            os.remove(path)
        lines = ended.stdout.splitlines()
        assert lines[0].endswith(f"ok 1 - {tool} static-test") and lines[-1] == "1..1", ended.stdout + ended.stderr
        assert (ended.returncode == 0) == lines[0].startswith("ok") == (len(lines) == 2)
        return [line.split(": ", 2)[2] for line in lines[1:-1]]
    return analyse


CHECKS = {"gcc": "-Wanalyzer-null-dereference", "clang-tidy": "clang-analyzer-core.NullDereference", "cppcheck": "nullPointer"}


@pytest.mark.parametrize("tool", CHECKS)
def test_each_tool_finds_a_null_pointer_that_is_followed(analyse, tool):
    [found] = analyse(tool, LOST % "")
    assert found.endswith(f"[{CHECKS[tool]}]")


@pytest.mark.parametrize("tool", CHECKS)
def test_what_a_comment_explains_is_none(analyse, tool):
    assert analyse(tool, LOST % f" /* NOLINT({CHECKS[tool]}): it is a test of this. */") == []
    beside = (LOST % "").replace("\treturn *p", f"\t/* NOLINTNEXTLINE({CHECKS[tool]}): it is a test of this. */\n\treturn *p")
    assert analyse(tool, beside) == []


def test_a_comment_must_give_a_reason(analyse):
    [found] = analyse("clang-tidy", LOST % f" /* NOLINT({CHECKS['clang-tidy']}) */")
    assert "gives no reason" in found


@pytest.mark.parametrize("tool", ["gcc", "cppcheck"])
def test_a_comment_must_be_needed(analyse, tool):
    [found] = analyse(tool, "int none;\n" f"int more; /* NOLINT({CHECKS[tool]}): it is a test of this. */\n")
    assert "nothing is found here any more" in found


def test_the_newest_files_are_those_that_were_changed_last(tmp_path, monkeypatch):
    loader = importlib.machinery.SourceFileLoader("static_analysis", os.path.join(TOP, "tools", "static_analysis"))
    tool = importlib.util.module_from_spec(importlib.util.spec_from_loader("static_analysis", loader))
    loader.exec_module(tool)
    monkeypatch.setattr(tool, "TOP", str(tmp_path))

    def git(*words):
        subprocess.run(["git", "-C", tmp_path, "-c", "user.name=a", "-c", "user.email=a@example.com", *words], check=True, capture_output=True)

    for name in ("src/a.c", "src/base/b.c", "src/base/b.h", "tools/gen/d.c", "src/z.c", "tests/e.c"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    assert [os.path.relpath(path, tmp_path) for path in tool.newest(2)] == ["src/a.c", "src/base/b.c"], "without git all are as new"
    git("init", "-q")
    for name in ("tests/e.c", "src/z.c", "src/a.c", "tools/gen/d.c", "src/base/b.h"):
        git("add", name)
        git("commit", "-q", "-m", name)
    (tmp_path / "src/z.c").write_text("changed")
    assert [os.path.relpath(path, tmp_path) for path in tool.newest(9)] == ["src/base/b.c", "src/z.c", "tools/gen/d.c", "src/a.c"]
    assert len(tool.newest(2)) == 2
