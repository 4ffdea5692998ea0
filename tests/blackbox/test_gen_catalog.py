# SPDX-License-Identifier: ISC
"""tools/gen_catalog.py: mistakes in products.json are named, all of them at once, and then nothing is made of it."""
import copy
import json
import os
import re
import subprocess
import sys

import pytest

import samples

GENERATOR = os.path.join(os.path.dirname(samples.PRODUCTS_JSON), "..", "..", "tools", "gen_catalog.py")


@pytest.fixture(autouse=True)
def nothing_wrong_with_daemons():
    """No daemon takes part in these."""


def small():
    """A data file with one product."""
    return {
        "columns": {"account_id": {"kind": "text"}, "id": {"kind": "uuid"}, "at": {"kind": "time"}},
        "filters": {},
        "products": [{"name": "FAX", "number": 1, "time": "at", "lookup": ["id"], "filters": [],
                      "columns": ["account_id", "at", "id"]}],
        "aliases": [],
    }


def generate(tmp_path, data):
    """The table made of a data file, None if none was, and what was said."""
    given, made = tmp_path / "products.json", tmp_path / "catalog_table.c"
    given.write_text(data if isinstance(data, str) else json.dumps(data))
    ended = subprocess.run([sys.executable, GENERATOR, str(given), str(made)], capture_output=True, text=True)
    assert (ended.returncode == 0) == made.exists(), ended.stderr
    return made.read_text() if made.exists() else None, ended.stderr


def test_the_same_file_gives_the_same_table(tmp_path):
    with open(samples.PRODUCTS_JSON) as file:
        data = file.read()
    first, _ = generate(tmp_path, data)
    assert first and first == generate(tmp_path, data)[0]


def test_no_filter_can_hide_a_parameter():
    sys.path.insert(0, os.path.dirname(GENERATOR))
    import gen_catalog
    with open(os.path.join(os.path.dirname(GENERATOR), "..", "src", "query", "parameters.def")) as file:
        parameters = set(re.findall(r'^PARAMETER\("(\w+)", [A-Z |]+, (?:true|false), ', file.read(), re.MULTILINE))
    assert len(parameters) > 20 and gen_catalog.RESERVED_PARAMETERS == parameters


def test_a_product_needs_nothing_but_a_row(tmp_path):
    table, said = generate(tmp_path, small())
    assert ".name = { \"FAX\", 3 }" in table and not said


def changed(change):
    data = copy.deepcopy(small())
    change(data, data["products"][0])
    return data


@pytest.mark.parametrize("words, change", [
    (["FAX", '"colour"', "no kind"], lambda d, p: p["columns"].append("colour")),
    (["FAX", '"id"', "listed 2 times"], lambda d, p: p["columns"].append("id")),
    (["FAX", '"id"', "kind", '"colour"'], lambda d, p: d["columns"].update(id={"kind": "colour"})),
    (["FAX", '"id"', "shown", '"seldom"'], lambda d, p: d["columns"].update(id={"kind": "uuid", "shown": "seldom"})),
    (["FAX", '"id"', "samples"], lambda d, p: d["columns"].update(id={"kind": "enum"})),
    (["FAX", '"id"', '"colour"'], lambda d, p: d["columns"].update(id={"kind": "uuid", "colour": "red"})),
    (["FAX", '"Id-"'], lambda d, p: p["columns"].append({"name": "Id-", "kind": "text"})),
    (["FAX", "65 columns", "64"], lambda d, p: p["columns"].extend(
        {"name": f"c{i}", "kind": "text"} for i in range(62))),
    (["FAX", "account_id"], lambda d, p: p["columns"].remove("account_id")),
    (["FAX", "time", '"then"'], lambda d, p: p.update(time="then")),
    (["FAX", "time", "uuid"], lambda d, p: p.update(time="id")),
    (["FAX", "lookup", '"name"'], lambda d, p: p.update(lookup=["name"])),
    (["FAX", "filter", '"to"', "column"], lambda d, p: p.update(filters=["to"])),
    (["FAX", "filter", '"to"', '"id2"'], lambda d, p: p.update(filters=[{"name": "to", "column": "id2"}])),
    (["FAX", "filter", '"cursor"'], lambda d, p: p.update(filters=[{"name": "cursor", "column": "id"}])),
    (["FAX", "inbound", "direction"], lambda d, p: p.update(inbound=["id"])),
    (["FAX", "0", "1 to 254"], lambda d, p: p.update(number=0)),
    (["FAX", "255", "1 to 254"], lambda d, p: p.update(number=255)),
    (["FAX", "'1'", "1 to 254"], lambda d, p: p.update(number="1")),
    (["number 1", "FAX", "TELEX"], lambda d, p: d["products"].append({**p, "name": "TELEX"})),
    (["FAX", "listed 2 times"], lambda d, p: d["products"].append({**p, "number": 2})),
    (["fax", "capital"], lambda d, p: p.update(name="fax")),
    (["FAX", '"colour"'], lambda d, p: p.update(colour="red")),
    (["FAX", "no time, lookup"], lambda d, p: (p.pop("time"), p.pop("lookup"))),
    (['"colour"', "no product"], lambda d, p: d["columns"].update(colour={"kind": "text"})),
    (["OLD", '"TELEX"'], lambda d, p: d["aliases"].append({"name": "OLD", "type": "a", "product": "TELEX"})),
    (['"about2"'], lambda d, p: d.update(about2="x")),
])
def test_a_mistake_is_named(tmp_path, words, change):
    table, said = generate(tmp_path, changed(change))
    assert table is None
    assert said.startswith("products.json: ") and all(word in said for word in words), said
    assert "Traceback" not in said


def test_all_mistakes_are_named_at_once(tmp_path):
    data = changed(lambda d, p: p.update(number=0, time="then", lookup=["name"]))
    assert len(generate(tmp_path, data)[1].splitlines()) == 3


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"products": []}', '{"columns": 1}',
                                  '{"columns": {"a": 1}, "filters": {}, "products": [], "aliases": []}',
                                  '{"columns": {}, "filters": {}, "products": [], "aliases": [7]}'])
def test_what_is_no_data_file_is_refused(tmp_path, text):
    table, said = generate(tmp_path, text)
    assert table is None and "products.json" in said and "Traceback" not in said


@pytest.mark.parametrize("entry", [None, 7, "FAX", [], {}, {"name": 7}, {"name": "A", "number": 1, "time": 3, "lookup": 4,
                                                                       "filters": 5, "columns": [7, {"name": 8}]},
                                   {"name": [], "number": [], "time": [], "lookup": [[]], "filters": [[]],
                                    "columns": [[]], "inbound": 7, "id": {}}])
def test_a_product_of_the_wrong_shape_is_refused(tmp_path, entry):
    table, said = generate(tmp_path, {**small(), "products": [entry]})
    assert table is None and "Traceback" not in said, said
