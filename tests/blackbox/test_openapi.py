# SPDX-License-Identifier: ISC
"""GET /openapi.json, and the generator's eyes for what is missing. What it says is compared in tests/sdk/openapi.test.js."""
import gzip
import json
import os
import re
import shutil
import subprocess
import sys

import pytest

import harness

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
PATH = "/openapi.json"
TABLES = ["api/api.json", "api/problems.def", "api/routes.def", "base/settings.def", "catalog/products.json",
          "query/parameters.def"]


def test_it_is_served_to_everybody(daemon):
    answer = daemon.get(PATH)
    assert answer.status == 200 and answer.headers["Content-Type"] == "application/json"
    assert answer.json()["openapi"].startswith("3.1.") and "/v2/reports/records" in answer.json()["paths"]
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    head = daemon.request("HEAD", PATH)
    assert (head.status, head.body, head.headers["Content-Length"]) == (200, b"", str(len(answer.body)))


def test_it_is_compressed_for_those_who_take_that(daemon):
    plain, packed = daemon.get(PATH), daemon.get(PATH, headers={"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip" and len(packed.body) < len(plain.body) / 5
    assert gzip.decompress(packed.body) == plain.body
    for answer in (plain, packed):
        assert answer.headers["Vary"] == "Accept-Encoding" and answer.headers["ETag"] == plain.headers["ETag"]


def test_it_is_not_sent_again_to_those_who_have_it(daemon):
    tag = daemon.get(PATH).headers["ETag"]
    for known in (tag, tag.removeprefix("W/"), f'"other", {tag}'):
        answer = daemon.get(PATH, headers={"If-None-Match": known})
        assert (answer.status, answer.body, answer.headers["ETag"]) == (304, b"", tag)
    assert daemon.get(PATH, headers={"If-None-Match": '"other"'}).status == 200


def test_it_is_of_this_version(daemon):
    version = subprocess.run([harness.program("cdrd"), "-V"], capture_output=True, text=True, check=True).stdout.split()[1]
    assert daemon.get(PATH).json()["info"]["version"] == version


# --- the generator ---

@pytest.fixture
def tables(tmp_path):
    """A copy of the tables, to be changed."""
    for name in TABLES:
        os.makedirs(os.path.dirname(tmp_path / name), exist_ok=True)
        shutil.copy(os.path.join(TOP, "src", name), tmp_path / name)
    return tmp_path


def generate(tables):
    return subprocess.run([sys.executable, os.path.join(TOP, "tools", "gen_openapi.py"), str(tables), "1.2.3", "-"],
                          capture_output=True, text=True)


def change(path, before, after):
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after, 1))


def test_the_same_tables_make_the_same_document(tables):
    first, second = generate(tables), generate(tables)
    assert first.returncode == 0 and first.stdout == second.stdout
    assert json.loads(first.stdout)["info"]["version"] == "1.2.3"


@pytest.mark.parametrize("table, before, after, said", [
    ("api/routes.def", 'ROUTE(HTTP_GET, "/healthz"', 'ROUTE(HTTP_GET, "/new", HTTP_BODY_NONE, NULL, NULL, api_new)\n'
     'ROUTE(HTTP_GET, "/healthz"', "GET /new: an endpoint of routes.def that is not described"),
    ("api/routes.def", '"/healthz"', '"/alive"', "GET /healthz: routes.def has no such endpoint"),
    ("api/routes.def", '"/v2/account/webhook/test", HTTP_BODY_WHOLE', '"/v2/account/webhook/test", HTTP_BODY_NONE',
     "routes.def says HTTP_BODY_NONE of its body"),
    ("api/routes.def", "HTTP_BODY_NONE, api_auth_account", "HTTP_BODY_NONE, api_auth_new", "what api_auth_new asks for"),
    ("query/parameters.def", 'PARAMETER("iv"', 'PARAMETER("new", SYNC, false, NULL)\nPARAMETER("iv"',
     "new: a parameter of parameters.def that is not described"),
    ("query/parameters.def", '"wait"', '"await"', "wait: parameters.def has no such parameter"),
    ("api/problems.def", 'PROBLEM("Invalid ticket"', 'PROBLEM("Wrong ticket"', 'problems.def has no "Invalid ticket"'),
    ("base/settings.def", "ids_max", "ids_most", "there is no setting ids_max"),
    ("api/api.json", '"id": "isReady"', '"id": "isAlive"', "isAlive is another endpoint's id"),
    ("api/api.json", '"#/components/schemas/Ready"', '"#/components/schemas/Steady"', "schemas/Steady: is referred to"),
])
def test_what_the_tables_do_not_agree_on_is_said(tables, table, before, after, said):
    change(tables / table, before, after)
    ended = generate(tables)
    assert ended.returncode != 0 and said in ended.stderr and ended.stdout == "", ended.stderr


def test_the_recipe_of_an_endpoint_describes_it(tables):
    with open(os.path.join(TOP, "docs", "HACKING.md"), encoding="utf-8") as file:
        recipe = file.read().split("## To add an endpoint")[1].split("\n## ")[0]
    [row] = re.findall(r"^ +(ROUTE\(.*\))$", recipe, re.MULTILINE)
    [description] = re.findall(r"```json\n(.*?)```", recipe, re.DOTALL)
    with open(tables / "api/routes.def", "a", encoding="utf-8") as file:
        file.write(f"{row}\n")
    change(tables / "api/api.json", '"endpoints": {', f'"endpoints": {{\n{description}')
    assert "get" in json.loads(generate(tables).stdout)["paths"]["/v2/reports/aliases"]


def test_a_new_filter_is_described_without_a_word(tables):
    change(tables / "catalog/products.json", '"from", "to", "country", "network", "client_ref", "account_ref"',
           '"from", "to", "country", "network", "client_ref", "account_ref", "error_code"')
    document = json.loads(generate(tables).stdout)
    assert "error_code" in document["components"]["schemas"]["Filters_SMS"]["properties"]
    assert {"$ref": "#/components/parameters/filter_error_code"} in document["paths"]["/v2/reports/records"]["get"]["parameters"]
