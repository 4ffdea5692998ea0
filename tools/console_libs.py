#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""console_libs.py FOLDER OUT: fetches the libraries of the console from npm.

FOLDER has package.json and package-lock.json; what the lock names, and nothing else, is installed by `npm ci` into a
folder beside OUT, without running scripts of any package. OUT gets the modules that the console imports, as files that
import each other by relative names, and the licences of all of them. It appears whole, or not at all.
"""
import json
import os
import re
import shutil
import subprocess
import sys

# What becomes of a package's file: its name in OUT, where it lies, and what is put at the end of it.
FILES = [
    ("preact.js", "preact/dist/preact.mjs", ""),
    ("hooks.js", "preact/hooks/dist/hooks.mjs", ""),
    ("htm.js", "htm/dist/htm.module.js", ""),
    ("uplot.js", "uplot/dist/uPlot.iife.min.js", "export default uPlot;\n"),
    ("uplot.css", "uplot/dist/uPlot.min.css", ""),
]
STAMP = "made"


def fetch(folder, into):
    shutil.rmtree(into, ignore_errors=True)
    os.makedirs(into)
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copyfile(os.path.join(folder, name), os.path.join(into, name))
    try:
        ended = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-progress"], cwd=into, capture_output=True, text=True)
    except FileNotFoundError:
        sys.exit("console_libs.py: npm is not installed; it fetches the console's libraries (configure --disable-console builds without)")
    if ended.returncode != 0:
        sys.exit(f"console_libs.py: npm ci failed with status {ended.returncode}:\n{ended.stdout}{ended.stderr}"
                 "configure --disable-console builds without the console's libraries")


def module(text, end):
    """The file as it is served: without source maps, which are not, and with relative names of what it imports."""
    text = re.sub(r"^(//#|/\*#) sourceMappingURL=.*$", "", text, flags=re.MULTILINE).rstrip() + "\n"
    return re.sub(r'\bfrom"preact"', 'from"./preact.js"', text) + end


def licences(modules):
    parts = []
    for package in sorted({path.split("/", 1)[0] for _, path, _ in FILES}):
        with open(os.path.join(modules, package, "package.json"), encoding="utf-8") as file:
            version = json.load(file)["version"]
        with open(os.path.join(modules, package, "LICENSE"), encoding="utf-8") as file:
            parts.append(f"{package} {version}\n{'=' * 72}\n{file.read().strip()}\n")
    return "The console uses these libraries.\n\n" + "\n\n".join(parts)


def write(folder, name, text):
    with open(os.path.join(folder, name), "w", encoding="utf-8", newline="\n") as file:
        file.write(text)


def main():
    folder, out = sys.argv[1:]
    npm, new = f"{out}.npm", f"{out}.new"
    fetch(folder, npm)
    modules = os.path.join(npm, "node_modules")
    shutil.rmtree(new, ignore_errors=True)
    os.makedirs(new)
    write(new, STAMP, "")  # first: make must not take it to be newer than the files
    for name, path, end in FILES:
        with open(os.path.join(modules, path), encoding="utf-8") as file:
            write(new, name, module(file.read(), end))
    write(new, "licences.txt", licences(modules))
    shutil.rmtree(out, ignore_errors=True)
    os.rename(new, out)
    shutil.rmtree(npm)


main()
