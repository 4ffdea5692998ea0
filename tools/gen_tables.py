#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Texts made from the tables that the programs are made from.

    gen_tables.py settings-man settings.def [TEMPLATE]     the list of cdrd.conf(5)
    gen_tables.py settings-example settings.def [TEMPLATE] an example cdrd.conf
    gen_tables.py commands-man commands.def [TEMPLATE]     the list of cdrctl(1)

A table is a .def file: rows NAME(argument, ...) of C strings and words, and /* comments */ between them, of which the
one-line ones name a group. With a template, the line @TABLE@ in it is replaced and the whole is written.
"""
import re
import sys

TOKEN = re.compile(r"""
    (?P<comment>/\*(?P<text>.*?)\*/)
  | (?P<string>"(?:[^"\\]|\\.)*")
  | (?P<word>[A-Za-z_]\w*|\|)
  | (?P<mark>[(),])
  | (?P<space>\s+)
""", re.VERBOSE | re.DOTALL)

ESCAPES = {"n": "\n", "t": "\t", '"': '"', "\\": "\\"}

FORMS = {
    "CONFIG_TEXT": "text", "CONFIG_DURATION": "duration", "CONFIG_SIZE": "size", "CONFIG_COUNT": "number",
    "CONFIG_BOOL": "yes or no", "CONFIG_CHOICE": "word",
}


def tokens(text):
    at = 0
    while at < len(text):
        found = TOKEN.match(text, at)
        if not found:
            sys.exit(f"gen_tables.py: cannot read: {text[at:at + 40]!r}")
        at = found.end()
        if found.lastgroup != "space":
            yield found


def unquote(literal):
    return re.sub(r"\\(.)", lambda escape: ESCAPES[escape.group(1)], literal[1:-1])


def read_rows(path):
    """Rows as (group, [argument, ...]); neighbouring strings are one, as in C."""
    rows, group, arguments = [], "", None
    with open(path, encoding="utf-8") as table:
        text = table.read()
    for token in tokens(text):
        if token["comment"]:
            if arguments is None and "\n" not in token["text"]:
                group = token["text"].strip()
        elif token["mark"] == "(":
            arguments = [""]
        elif token["mark"] == ")":
            rows.append((group, arguments))
            arguments = None
        elif token["mark"] == ",":
            arguments.append("")
        elif arguments is not None:
            arguments[-1] += unquote(token["string"]) if token["string"] else token["word"]
    return rows


# --- mdoc ---

def mdoc(text):
    """Plain text as mdoc text lines: nothing in it is read as a request or an escape."""
    text = text.replace("\\", "\\e").replace('"', "\\(dq").replace("-", "\\-")
    return re.sub(r"(?m)^(['.])", r"\\&\1", text)


def sentence(text):
    text = text[0].upper() + text[1:]
    return text if text.endswith(".") else text + "."


def allowed(form, least, most):
    if form == "CONFIG_CHOICE":
        return "One of " + ", ".join(most.split("|")) + "."
    if least and most:
        return f"From {least} to {most}."
    if least or most:
        return f"At {'least ' + least if least else 'most ' + most}."
    return ""


def settings_man(rows):
    group_before = None
    for group, (form, key, default, least, most, reload, text) in rows:
        if group != group_before:
            if group_before is not None:
                yield ".El"
            yield f".Ss {mdoc(group[0].upper() + group[1:])}"
            yield ".Bl -tag -width Ds"
            group_before = group
        yield f".It Ic {mdoc(key)} No = Ar {mdoc(FORMS[form].replace(' ', '_'))}"
        yield mdoc(sentence(text))
        if allowed(form, least, most):
            yield mdoc(allowed(form, least, most))
        yield mdoc(f"Default: {default}." if default else "Empty by default.")
        if reload != "true":
            yield "A change needs a restart."
    yield ".El"


# The parts of a command's synopsis: an option with its value, a switch, a positional, each perhaps repeated.
PART = re.compile(r"(?P<open>\[?)(?:--(?P<option>[a-z-]+)(?: (?P<value>[A-Z_=]+))?|(?P<name>[A-Z_=]+))"
                  r"(?P<more>(?:\.\.\.)?)(?P<close>\]?)(?P<more_after>(?:\.\.\.)?)")


def synopsis_mdoc(synopsis):
    words = []
    for part in PART.finditer(synopsis):
        if part["open"]:
            words.append("Oo")  # not Op, which reaches to the end of the line
        if part["option"]:
            words.append("Fl Fl " + mdoc(part["option"]))
        if part["value"] or part["name"]:
            words.append("Ar " + mdoc(part["value"] or part["name"]))
        if part["more"]:
            words.append("No ...")
        if part["close"]:
            words.append("Oc")
        if part["more_after"]:
            words.append("No ...")
    return " ".join(words)


def commands_man(rows):
    yield ".Bl -tag -width Ds"
    for _, (words, _, synopsis, text) in rows:
        yield f".It Ic {mdoc(words)} {synopsis_mdoc(synopsis)}".rstrip()
        yield mdoc(sentence(text.replace("`", "'")))
    yield ".El"


# --- the example configuration ---

def settings_example(rows):
    group_before = None
    for group, (form, key, default, least, most, reload, text) in rows:
        if group != group_before:
            yield from ("", f"## {group}")
            group_before = group
        yield ""
        for part in (text, allowed(form, least, most), "" if reload == "true" else "A change needs a restart."):
            if part:
                yield f"# {sentence(part)}"
        yield f"#{key} = {default}".rstrip()


KINDS = {"settings-man": settings_man, "settings-example": settings_example, "commands-man": commands_man}


def main(kind, table, template=None):
    lines = list(KINDS[kind](read_rows(table)))
    if template is None:
        print("\n".join(lines))
        return
    with open(template, encoding="utf-8") as text:
        for line in text.read().splitlines():
            print("\n".join(lines) if line == "@TABLE@" else line)


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4) or sys.argv[1] not in KINDS:
        sys.exit(__doc__)
    main(*sys.argv[1:])
