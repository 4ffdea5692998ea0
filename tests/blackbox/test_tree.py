# SPDX-License-Identifier: ISC
"""What comes with the programs: the example configuration, manual pages, completion, scripts, the unit."""
import os
import re
import shutil
import subprocess
import sys

import pytest

import harness

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
sys.path.insert(0, os.path.join(TOP, "tools"))
import include_graph  # noqa: E402

SCRIPTS = ["quickstart", "runtests", ".ci/run", "tools/lib.sh", "tools/failures.sh", "bench/run", "tests/fuzz/campaign"]
PAGES = [os.path.join(TOP, "man", "cdrd.8"), os.path.join(harness.BUILD_DIR, "man", "cdrd.conf.5"),
         os.path.join(harness.BUILD_DIR, "man", "cdrctl.1")]


@pytest.fixture(autouse=True)
def nothing_wrong_with_daemons():
    """No daemon takes part in these."""


def tracked():
    """The files of the project, as git knows them; a tarball does not say."""
    listed = subprocess.run(["git", "-c", "safe.directory=*", "ls-files", "-z"], cwd=TOP, capture_output=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    return [name for name in listed.stdout.decode().split("\0") if name and os.path.exists(os.path.join(TOP, name))]


def read(*parts):
    with open(os.path.join(*parts), encoding="utf-8") as file:
        return file.read()


def rows(table, name):
    """The first words of each row of a .def file."""
    return re.findall(rf"^{name}\((?:CONFIG_\w+, )?\"?([\w -]+)\"?[,)]", read(TOP, table), re.MULTILINE)


def check_config(path):
    return subprocess.run([harness.program("cdrd"), "-t", "-c", str(path)], capture_output=True, text=True, timeout=120)


def test_the_example_configuration_names_every_setting_with_its_default(tmp_path):
    example = read(harness.BUILD_DIR, "etc", "cdrd.conf")
    keys = rows("src/base/settings.def", "SETTING")
    assert len(keys) > 30
    assert re.findall(r"^#(\w+) =", example, re.MULTILINE) == keys
    path = tmp_path / "cdrd.conf"
    path.write_text(example)
    assert check_config(path).returncode == 0
    path.write_text(re.sub(r"(?m)^#(\w+ =)", r"\1", example))
    ended = check_config(path)
    assert ended.returncode == 0, ended


@pytest.mark.parametrize("page", PAGES, ids=os.path.basename)
def test_manual_pages_are_well_formed(page):
    ended = subprocess.run(["mandoc", "-Tlint", "-W", "warning", page], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def manual(page):
    text = subprocess.run(["mandoc", "-Tutf8", "-O", "width=200", page], capture_output=True, text=True, check=True).stdout
    return re.sub(".\x08", "", text)


def test_manual_pages_tell_of_every_setting_and_every_command():
    settings, commands = manual(PAGES[1]), manual(PAGES[2])
    for key in rows("src/base/settings.def", "SETTING"):
        assert f" {key} = " in settings, key
    for command in rows("src/admin/commands.def", "COMMAND"):
        assert re.search(rf"^ +{command}\b", commands, re.MULTILINE), command


def test_the_synopses_of_commands_are_those_of_the_table():
    """Each parameter in brackets of its own, as cdrctl --help has it."""
    text = re.sub(r"\s+", " ", manual(PAGES[2]))
    table = re.findall(r'^COMMAND\("([\w -]+)", \w+,\s*((?:"[^"]*"\s*)+),', read(TOP, "src/admin/commands.def"), re.MULTILINE)
    assert len(table) > 30
    for words, literals in table:
        synopsis = "".join(re.findall(r'"([^"]*)"', literals))
        wanted = f"{words} {synopsis}".strip().replace("...", " ...").replace("  ", " ")
        assert f" {wanted} " in text.replace("...", " ...").replace("  ", " "), wanted


@pytest.mark.parametrize("script", SCRIPTS)
def test_scripts_pass_shellcheck(script):
    ended = subprocess.run(["shellcheck", "-x", script], cwd=TOP, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout


def test_words_are_spelled_as_codespell_knows_them():
    """What stands in tools/codespell.ignore is right where it stands: a macro of mdoc, what tests send."""
    names = [name for name in tracked() if not name.startswith("tests/fuzz/corpus/") and not name.endswith("-lock.json")]
    ended = subprocess.run(["codespell", "--ignore-words", "tools/codespell.ignore", "--ignore-regex", r"\\[a-z]", *names],
                           cwd=TOP, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_the_unit_starts_the_installed_daemon_as_a_notify_service():
    unit = read(harness.BUILD_DIR, "systemd", "cdrd.service")
    assert re.search(r"^ExecStart=/\S+/cdrd$", unit, re.MULTILINE), unit
    for line in ("Type=notify", "StateDirectory=cdrd", "RuntimeDirectory=cdrd"):
        assert line in unit.splitlines(), line


def test_the_timer_makes_a_backup_and_checks_it():
    unit = read(harness.BUILD_DIR, "systemd", "cdrd-backup.service")
    commands = re.findall(r"^ExecStart=/\S+/cdrctl (.*)$", unit, re.MULTILINE)
    assert commands == ["backup %S/cdrd-backup --keep 7", "restore --check %S/cdrd-backup"], unit
    assert "OnCalendar=" in read(TOP, "systemd", "cdrd-backup.timer")


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
@pytest.mark.parametrize("name", ["cdrd.service", "cdrd-backup.service"])
def test_the_unit_has_no_faults_that_systemd_finds(tmp_path, name):
    unit = tmp_path / name
    # Nothing is installed where the unit says: the program at hand stands for it.
    for other in ("cdrd.service", "cdrd-backup.service"):
        (tmp_path / other).write_text(re.sub(r"(?m)^(Exec\w+=)/\S+/(cdrd|cdrctl)\b",
                                             lambda found: found[1] + harness.program(found[2]),
                                             read(harness.BUILD_DIR, "systemd", other)))
    ended = subprocess.run(["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True)
    faults = [line for line in ended.stderr.splitlines() if "cdrd" in line]
    assert not faults, faults


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_the_daemon_is_exposed_little_as_systemd_counts_it():
    """At most 1.2 of 10."""
    unit = os.path.join(harness.BUILD_DIR, "systemd", "cdrd.service")
    ended = subprocess.run(["systemd-analyze", "security", "--offline=true", "--threshold=12", "--no-pager", unit],
                           capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout[-2000:] + ended.stderr


def test_what_is_said_to_be_tested_is():
    text = read(TOP, "SECURITY.md")
    names = set(re.findall(r"`(test_\w+\.py)`", text))
    assert len(names) > 10
    for name in names:
        assert os.path.exists(os.path.join(TOP, "tests", "blackbox", name)), name
    suites = {row[0] for row in re.findall(r"^SUITE\((\w+)\)()", read(TOP, "tests", "unit", "suites.def"), re.MULTILINE)}
    assert set(re.findall(r"unit suites? (\w+)", text)) <= suites
    for name in re.findall(r"\bfuzz_\w+", text):
        assert os.path.exists(os.path.join(TOP, "tests", "fuzz", name + ".c")), name


def test_manual_tells_of_every_endpoint():
    endpoints = re.findall(r'^ROUTE\(HTTP_(\w+), "([^"{]+)', read(TOP, "src", "api", "routes.def"), re.MULTILINE)
    assert len(endpoints) > 10
    text = manual(PAGES[0])
    for method, path in endpoints:
        # Those of problems stand in a text of their own.
        wanted = path.rstrip("/") if path.startswith("/problems") else f"{method} {path}"
        assert wanted in text, f"man/cdrd.8 has no entry {wanted}"


# --- the licence ---

BYTES = ("tests/fuzz/corpus/", "tests/blackbox/data/", "docs/images/")  # what is there is no text of ours
SPDX = "SPDX-License-Identifier: ISC"
SPDX_LINES = {  # how a file begins, by the end of its name; what has "#!" begins so, too
    (".c", ".h", ".def", ".js", ".mjs"): f"/* {SPDX} */",
    (".py", ".sh", ".yml", "local.mk", "Makefile.am"): f"# {SPDX}",
    ("configure.ac",): f"dnl {SPDX}",
}


def spdx_line(name, first):
    if first.startswith("#!"):
        return f"# {SPDX}"
    return next((line for ends, line in SPDX_LINES.items() if name.endswith(ends)), None)


def test_every_source_file_names_its_licence():
    """In its first line, or after that which names its interpreter."""
    checked, without = 0, []
    for name in tracked():
        if name.startswith(BYTES):
            continue
        lines = read(TOP, name).split("\n", 2)
        wanted = spdx_line(name, lines[0])
        checked += wanted is not None
        if wanted and lines[1 if lines[0].startswith("#!") else 0] != wanted:
            without.append(name)
    assert checked > 600
    assert without == [], f"must begin with the comment {SPDX}"


# --- style ---

def sources():
    return [os.path.join(TOP, name) for name in tracked() if re.search(r"\.[ch]$", name) and "/corpus/" not in name]


def test_c_sources_are_laid_out_as_clang_format_says():
    done = subprocess.run(["clang-format", "--dry-run", "-Werror", *sources()], cwd=TOP, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[:2000] + "\nclang-format -i FILE mends it"


def test_comments_are_no_wider_than_132_columns():
    """clang-format leaves them as they are. Text that is printed may be wider."""
    wide = [f"{os.path.relpath(name, TOP)}:{number}" for name in sources()
            for number, line in enumerate(open(name, encoding="utf-8"), 1)
            if re.match(r"\s*(/\*|\*)", line) and len(line.rstrip("\n").expandtabs(8)) > 132]
    assert wide == []


def test_a_blank_line_follows_declarations():
    done = subprocess.run([os.path.join(TOP, "tools", "blank_lines.py"), *sources()], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[:2000] + "tools/blank_lines.py --fix FILE mends it"


def test_a_function_that_can_fail_must_be_checked():
    """Each of a header that takes a struct error *err, but those that only fill it, which always fail."""
    unchecked = []
    for name in tracked():
        if not re.match(r"src/.*\.h$", name):
            continue
        for text in re.findall(r"^(?!typedef|static|void |MUST_CHECK)[a-z][^;{}#]*?struct error \*err\);$", read(TOP, name), re.MULTILINE):
            if not re.match(r"int \w+_fail(_\w+)?\(", text):
                unchecked.append(f"{name}: {text.splitlines()[0]}")
    assert unchecked == []


def test_functions_that_prefetch_are_inlined():
    """GCC takes a static function that only prefetches for one without effect, and drops its calls (base/prefetch.h)."""
    dropped = [f"{os.path.relpath(name, TOP)}: {function}" for name in sources()
               for function in re.findall(r"^static (?:inline )?void (\w*prefetch\w*)\(", read(name), re.MULTILINE)]
    assert not dropped, f"not PREFETCH_INLINE: {dropped}"


def test_the_recipe_of_an_endpoint_compiles_and_has_the_layout_of_a_source(tmp_path):
    recipe = re.search(r"^## To add an endpoint\n.*?(?=^## )", read(TOP, "docs", "HACKING.md"), re.MULTILINE | re.DOTALL)[0]
    row, source = (re.sub(r"^   ", "", code, flags=re.MULTILINE)
                   for code in re.findall(r"^   ```c\n(.*?)^   ```$", recipe, re.MULTILINE | re.DOTALL))
    path = tmp_path / "aliases.c"
    path.write_text(source)
    (tmp_path / "api").mkdir()
    (tmp_path / "api" / "routes.def").write_text(read(TOP, "src", "api", "routes.def") + row)
    folders = [f"-I{folder}" for folder in (tmp_path, os.path.join(TOP, "src"), harness.BUILD_DIR)]
    for command in (["gcc", "-std=gnu17", "-Wall", "-Wextra", "-Wmissing-prototypes", "-Werror", "-fsyntax-only", *folders,
                     os.path.join(TOP, "src", "api", "routes.c")],
                    ["clang-format", f"--style=file:{TOP}/.clang-format", "--dry-run", "-Werror"]):
        done = subprocess.run([*command, path], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    assert source.splitlines()[0] == spdx_line("aliases.c", "")


# --- the map of the modules ---

# Includes that point upward in the order of docs/DESIGN.md, and why they must for now: {(file, header): reason}.
UPWARD = {}


def test_no_module_includes_one_that_the_design_lists_below_it():
    found = include_graph.upward(include_graph.modules(), include_graph.includes())
    assert set(found) - set(UPWARD) == set(), "points upward; a lower module is given a callback"
    assert set(UPWARD) - set(found) == set(), "no longer points upward; take it off UPWARD"


def test_no_files_include_each_other_in_a_circle():
    found = include_graph.circles(include_graph.units())
    assert found == []


def test_a_circle_of_includes_is_found():
    assert include_graph.circles({"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set()}) == [("b", "c")]
    assert include_graph.unit_of("a/x_private.h") == include_graph.unit_of("a/x.c") == "a/x"


# Files of src/ that have the name of another one in another folder, and why that helps to find them; "ctl" has a file for each
# command, by its name.
SAME_NAMES = {
    "audit": "the audit log (base), and what commands enter in it (admin)",
    "changes": "the endpoint (api), and the feed of the store that it reads",
    "erasing": "of a number: what a module does of it",
    "health": "the endpoint (api), and what the store says of itself",
    "job": "of admin, long commands; of report, the row of a report",
    "json": "what is JSON in general (base), and a record as JSON",
    "parse": "of a record, and of what comes to deflate",
    "plan": "a query's plan, and how endpoints come to one (api)",
    "reports": "the endpoints (api), and what they call",
    "row": "of the table that a module has",
    "server": "of HTTP, and of admin's socket",
    "stats": "what a module counts",
    "table": "the rows of a module",
}


def test_names_of_files_are_not_used_twice_without_a_reason():
    """A public header may be called as the file in a room of its module."""
    folders = {}
    for path in include_graph.units():
        folder, stem = os.path.split(os.path.splitext(path)[0] if path.endswith(".def") else path)
        if not path.endswith(".def") and folder.split("/")[0] != "ctl":
            folders.setdefault(stem, set()).add(folder.split("/")[0])
    twice = {stem for stem, modules in folders.items() if len(modules) > 1}
    assert twice - set(SAME_NAMES) == set(), "give them names that differ, or a reason in SAME_NAMES"
    assert set(SAME_NAMES) - twice == set(), "not used twice any more; take them off SAME_NAMES"


def test_what_lies_in_a_room_is_for_its_module_alone():
    """A module's own headers are for everybody; those in a folder of it are not."""
    assert [(path, header) for path, _, header, _ in include_graph.includes() if header.count("/") > 1] == []


def test_lmdb_is_known_to_those_alone_who_keep_things_in_it():
    found = [name for name in tracked() if re.match(r"src/.*\.[ch]$", name)
             and not name.startswith(("src/lmdb/", "src/meta/", "src/store/"))
             and re.search(r"\b(mdb_|MDB_)\w+", read(TOP, name))]
    assert found == []


def test_what_is_private_to_a_module_is_included_there_alone():
    for path, _, header, module in include_graph.includes():
        private = re.search(r"private to (\w+)/", read(TOP, "src", header)[:600])
        assert not private or path.startswith(f"{private[1]}/"), f"{path} includes {header}"


def test_an_include_that_points_upward_is_found(tmp_path):
    def write(path, text):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)

    write("docs/DESIGN.md", "## Modules\n| module | |\n|---|---|\n| `low` | |\n| `high`, `main.c` | |\n\n## More\n| `new` | |\n")
    write("src/low/low.c", '#include "low/low.h"\n#include "private.h"\n#include <high/system.h>\n')
    write("src/high/high.h", '#include "low/low.h"\n')
    write("src/main.c", '#include "high/high.h"\n#include "low/low.h"\n')
    order = include_graph.modules(tmp_path)
    assert order == ["low", "high", "main.c"]
    assert include_graph.upward(order, include_graph.includes(tmp_path)) == []
    edges = include_graph.count_edges(include_graph.includes(tmp_path))
    assert include_graph.picture(order, edges) == "low\nhigh    low\nmain.c  high\n"

    write("src/low/inner/deep.c", '  #  include "high/high.h"\n')
    write("src/new/new.c", '#include "low/low.h"\n')
    found = include_graph.upward(order, include_graph.includes(tmp_path))
    assert sorted(found) == [("low/inner/deep.c", "high/high.h"), ("new/new.c", "low/low.h")]


def test_every_module_has_its_place_in_the_design():
    folders = {name for name in os.listdir(os.path.join(TOP, "src")) if os.path.isdir(os.path.join(TOP, "src", name))}
    assert sorted(include_graph.modules()) == sorted(folders | {include_graph.MAIN})


def test_the_map_shows_the_includes_as_they_are():
    made = subprocess.run([os.path.join(TOP, "tools", "include_graph.py")], capture_output=True, text=True, check=True).stdout
    assert f"```text\n{made}```\n" in read(TOP, "docs", "HACKING.md"), "docs/HACKING.md needs what tools/include_graph.py prints"


def test_the_map_names_what_there_is():
    text = read(TOP, "docs", "HACKING.md")
    suites = rows("tests/unit/suites.def", "SUITE")
    modules, mapped = [], set()
    for row in re.findall(r"^\| `.*\|$", text, re.MULTILINE):
        module, begin, units, tests = [cell.strip() for cell in row.strip("|").split("|")]
        module = module.strip("`")
        modules.append(module)
        for name in re.findall(r"`([\w/]+\.\w+)`", begin):
            assert os.path.exists(os.path.join(TOP, "src", module, name)), f"{module}: {name}"
        for suite in filter(None, units.split(", ")):
            assert suite in suites, suite
            mapped.add(suite)
        for name in re.findall(r"`(\w+\.py)`", tests):
            assert os.path.exists(os.path.join(TOP, "tests", "blackbox", name)), name
    assert set(suites) - mapped == set(), "suites that the map of docs/HACKING.md does not have"
    there = {os.path.basename(name) for name in tracked() if re.match(r"tests/blackbox/test_\w+\.py$", name)}
    named = set(re.findall(r"`(test_\w+\.py)`", text[text.index("## The modules"):text.index("What each module includes")]))
    assert there - named == set(), "black-box tests that the map of docs/HACKING.md does not have"
    assert modules == [module for module in include_graph.modules() if module != include_graph.MAIN]
    sources = "".join(read(TOP, name) for name in tracked() if re.match(r"src/.*\.[ch]$", name))
    for function in set(re.findall(r"\b([a-z]+_[a-z_]+)\(\)", text)):
        assert re.search(rf"\b{function}\(", sources), f"{function}()"
