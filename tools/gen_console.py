#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""gen_console.py OUT BUILD SOURCE FILE...: writes the table of the console's files, compressed, as C source.

A FILE is taken from the folder BUILD or, if it is not there, from SOURCE. They are served from one folder, so their
names must differ. Where a page (.html) has {version}, it gets the hash of all of them; where it has {preload}, links to
the modules that its script needs at once, so that a browser asks for all of them together.
"""
import gzip
import hashlib
import os
import re
import sys

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}


def read(folders, path):
    for folder in folders:
        if os.path.exists(os.path.join(folder, path)):
            with open(os.path.join(folder, path), "rb") as file:
                return file.read()
    sys.exit(f"gen_console.py: {path} is neither in {folders[0]} nor in {folders[1]}")


def version_of(files):
    whole = hashlib.sha256()
    for name, content in sorted(files.items()):
        whole.update(f"{name} {len(content)}\n".encode() + content)
    return whole.hexdigest()[:16]


def imported(files, name, found):
    """The modules that a module imports when it is loaded, and those that they import."""
    for other in re.findall(rb"""\bfrom ?['"]\./([\w.]+)['"]""", files[name]):
        if other.decode() not in found:
            found.append(other.decode())
            imported(files, other.decode(), found)
    return found


def page(files, content, version):
    script = re.search(rb'src="{version}/([\w.]+)"', content).group(1).decode()
    links = [f'<link rel="modulepreload" href="{version}/{name}">' for name in imported(files, script, [])]
    return content.replace(b"{preload}", "\n".join(links).encode()).replace(b"{version}", version.encode())


def array(number, content):
    lines = [",".join(map(str, content[at:at + 32])) for at in range(0, len(content), 32)]
    return f"static const uint8_t file_{number}[] = {{\n" + ",\n".join(lines) + "\n};\n"


def main():
    out, build, source, *paths = sys.argv[1:]
    files = {}
    for path in paths:
        name = os.path.basename(path)
        if name in files:
            sys.exit(f"gen_console.py: two files are called {name}")
        files[name] = read((build, source), path)
    version = version_of(files)
    arrays, rows = [], []
    for number, (name, content) in enumerate(sorted(files.items())):
        if name.endswith(".html"):
            content = page(files, content, version)
        packed = gzip.compress(content, 9, mtime=0)
        arrays.append(array(number, packed))
        rows.append(f'\t{{ "{name}", "{TYPES[os.path.splitext(name)[1]]}", file_{number}, {len(packed)}, {len(content)} }},\n')
    with open(out, "w", encoding="ascii") as file:
        file.write("/* Made by tools/gen_console.py. */\n#include \"console/console.h\"\n\n" + "\n".join(arrays)
                   + f'\nconst char console_version[] = "{version}";\n\n'
                   + "const struct console_file console_files[] = {\n" + "".join(rows) + "\t{ 0 },\n};\n")


main()
