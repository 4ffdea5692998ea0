#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The one rule of style that clang-format cannot keep: a blank line after the declarations that begin a block.

    blank_lines.py FILE...          prints FILE:LINE of each place where it is missing; the status is 1 if there is one
    blank_lines.py --fix FILE...    puts it there
"""
import re
import sys

TYPES = (r"(?:void|bool|char|int|long|unsigned|signed|float|double|size_t|ssize_t|u?int\d+_t|off_t|time_t|mode_t|pid_t|"
         r"socklen_t|uintptr_t|FILE|DIR|CURL\w*|MDB_\w+|SSL\w*|EVP_\w+|XXH\w+|ZSTD_\w+|msgpack_\w+|json_\w+|va_list|Suite|"
         r"TCase|SRunner|evutil_socket_t|ev_\w+|\w+_fn|\w+_t)")
# "static const struct buf *name[4] = ..." and the like; a call, an assignment or a keyword is none.
DECLARATION = re.compile(rf"^\t+(?:static |const |extern |register )*(?:(?:struct|enum|union) \w+|{TYPES}(?: {TYPES})*)"
                         r"(?: const)?(?: |\s*\*)+(?:const )?\**\(?\*?\w+[^=;]*(?:=|;|,$|$)")
ANONYMOUS = re.compile(r"^\t+(?:static |const )*(?:struct|enum|union)(?: \w+)? \{$")
OPENS = re.compile(r"\{(?:\s*/\*.*\*/)?\s*$")


def ends(line):
    """Does a declaration end in this line?"""
    return re.sub(r"/\*.*?\*/\s*", "", line).rstrip().endswith(";")


def skip_declarations(lines, at):
    """The line after the declarations that begin at `at`; `at` itself when there are none."""
    while at < len(lines):
        line, begin = lines[at], at
        if re.match(r"^\t+/\*", line):  # a comment on what follows
            while "*/" not in lines[at]:
                at += 1
            after = skip_declarations(lines, at + 1)
            return after if after > at + 1 else begin
        if not (DECLARATION.match(line) or ANONYMOUS.match(line)):
            return at
        indent = len(line) - len(line.lstrip("\t"))
        depth = line.count("{") - line.count("}")
        while not (ends(lines[at]) and depth <= 0):
            at += 1
            if at >= len(lines) or (depth <= 0 and len(lines[at]) - len(lines[at].lstrip("\t")) < indent):
                return begin
            depth += lines[at].count("{") - lines[at].count("}")
        at += 1
    return at


def missing(text):
    """Numbers, from 0, of the lines before which a blank one is missing."""
    lines = text.split("\n")
    found = []
    for number, line in enumerate(lines[:-1]):
        if not OPENS.search(line) or re.search(r"=\s*\{|\bdo \{.*\\$|\b(?:struct|enum|union)\b[^()]*\{$|^\s*\{$|\bswitch\b", line):
            if line != "{":
                continue
        at = skip_declarations(lines, number + 1)
        if at > number + 1 and at < len(lines) and lines[at].strip() not in ("", "}") and not lines[at].endswith("\\"):
            found.append(at)
    return found


def fix(text):
    lines = text.split("\n")
    for at in reversed(missing(text)):
        lines.insert(at, "")
    return "\n".join(lines)


def main():
    names = sys.argv[1:]
    fixing = names[:1] == ["--fix"]
    count = 0
    for name in names[fixing:]:
        with open(name, encoding="utf-8") as file:
            text = file.read()
        places = missing(text)
        count += len(places)
        if fixing and places:
            with open(name, "w", encoding="utf-8") as file:
                file.write(fix(text))
        elif not fixing:
            print("".join(f"{name}:{at + 1}: a blank line is missing after the declarations\n" for at in places), end="")
    sys.exit(1 if count and not fixing else 0)


if __name__ == "__main__":
    main()
