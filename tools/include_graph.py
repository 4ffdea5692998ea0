#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The map of the modules, made from the includes of src/.

    include_graph.py          a line a module, in the order of docs/DESIGN.md: the modules that it includes, without
                              those that it has through another of them anyway
    include_graph.py --all    with those, and how many includes there are of each
    include_graph.py --dot    the first for Graphviz: include_graph.py --dot | dot -Tsvg >modules.svg
    include_graph.py --circles    files that include each other in a circle, a line a circle: a unit is NAME.c with NAME.h
                              and NAME_private.h

docs/HACKING.md shows the first. tests/blackbox/test_tree.py checks that, that no include points upward, and that there are no circles.
"""
import collections
import os
import re
import sys

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), ".."))
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+"([^"]+)"', re.MULTILINE)
MAIN = "main.c"


def read(*parts):
    with open(os.path.join(*parts), encoding="utf-8") as file:
        return file.read()


def modules(top=TOP):
    """The modules in the order of docs/DESIGN.md, lower ones first: the table of its part "Modules"."""
    table = re.search(r"^## Modules\n.*?(?=^## )", read(top, "docs", "DESIGN.md"), re.MULTILINE | re.DOTALL)[0]
    rows = re.findall(r"^\| (`[^|]*`) \|", table, re.MULTILINE)
    return [module for row in rows for module in re.findall(r"`([^`]+)`", row)]


def module_of(path):
    """Of a path below src/: its first folder, or main.c by itself."""
    return path.split("/")[0] if "/" in path else MAIN


def includes(top=TOP):
    """(file, module, header, module of the header) of each include of another module's header."""
    source = os.path.join(top, "src")
    for folder, _, names in sorted(os.walk(source)):
        for name in sorted(names):
            path = os.path.relpath(os.path.join(folder, name), source)
            if not name.endswith((".c", ".h", ".def")):
                continue
            for header in INCLUDE.findall(read(folder, name)):
                # What has no folder lies beside its file, or is config.h.
                if "/" in header and module_of(header) != module_of(path):
                    yield path, module_of(path), header, module_of(header)


def upward(order, found):
    """Of the includes found those that point to a module after the own one, or to or from one that has no place."""
    place = {module: number for number, module in enumerate(order)}
    return [(path, header) for path, module, header, other in found
            if module not in place or other not in place or place[other] > place[module]]


def count_edges(found):
    """How many includes there are from a module to another: {module: {other: count}}."""
    edges = collections.defaultdict(collections.Counter)
    for _, module, _, other in found:
        edges[module][other] += 1
    return edges


def reach(edges, module, seen=None):
    """All modules that one includes, through others too."""
    seen = set() if seen is None else seen
    for other in edges.get(module, ()):
        if other not in seen:
            seen.add(other)
            reach(edges, other, seen)
    return seen


def direct(edges, module):
    """What a module includes, without what any of these includes in its turn."""
    return [other for other in edges.get(module, ())
            if not any(other in reach(edges, between) for between in edges[module] if between != other)]


def unit_of(path):
    """NAME.c, NAME.h and NAME_private.h are one unit, NAME; a table (.def) is one of its own."""
    return path if path.endswith(".def") else re.sub(r"(_private)?\.[ch]$", "", path)


def units(top=TOP):
    """What each unit of src/ includes: {unit: {unit}}."""
    source = os.path.join(top, "src")
    found = {}
    for folder, _, names in os.walk(source):
        for name in names:
            if name.endswith((".c", ".h", ".def")):
                path = os.path.relpath(os.path.join(folder, name), source)
                others = {unit_of(header) for header in INCLUDE.findall(read(folder, name)) if "/" in header}
                found.setdefault(unit_of(path), set()).update(others - {unit_of(path)})
    return found


def circles(graph):
    """Groups of units of which each reaches each other, sorted."""
    reached = {unit: reach(graph, unit) for unit in graph}
    groups = {tuple(sorted(other for other in reached[unit] if unit in reached.get(other, ())))
              for unit in graph if unit in reached[unit]}
    return sorted(groups)


def print_circles():
    return "".join(" ".join(group) + "\n" for group in circles(units()))


def draw(order, edges, show):
    width = max(map(len, order))
    return "".join(f"{module:<{width}}  {show(module)}".rstrip() + "\n" for module in order)


def picture(order, edges):
    return draw(order, edges, lambda module: " ".join(sorted(direct(edges, module), key=order.index)))


def picture_of_all(order, edges):
    return draw(order, edges, lambda module: " ".join(
        f"{other}:{edges[module][other]}" for other in order if edges[module][other]))


def dot(order, edges):
    lines = [f'\t"{module}" -> "{other}";' for module in order for other in direct(edges, module)]
    return "\n".join(["digraph cdrd {", "\trankdir=BT;", "\tnode [shape=box];", *lines, "}"]) + "\n"


def main():
    if sys.argv[1:] == ["--circles"]:
        sys.stdout.write(print_circles())
        return
    makers = {(): picture, ("--all",): picture_of_all, ("--dot",): dot}
    make = makers.get(tuple(sys.argv[1:]))
    if make is None:
        sys.exit("usage: include_graph.py [--all | --dot | --circles]")
    edges = count_edges(includes())
    order = modules()
    order += sorted({*edges, *(other for of_one in edges.values() for other in of_one)} - set(order))
    sys.stdout.write(make(order, edges))


if __name__ == "__main__":
    main()
