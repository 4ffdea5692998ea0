#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Makes the OpenAPI document of the API, from the tables that the daemon is made from.

    gen_openapi.py SRC VERSION document.c    compressed, as C source (src/api/openapi.h)
    gen_openapi.py SRC VERSION -             the document itself

SRC is the folder src/ with api/routes.def, api/problems.def, query/parameters.def, base/settings.def,
catalog/products.json and api/api.json, whose member `about` says what is to be written there. Every mistake found is
reported as "api.json: WHERE: what is wrong", and nothing is written then.
"""
import gzip
import hashlib
import json
import os
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import gen_catalog  # noqa: E402
import gen_tables  # noqa: E402

ENDPOINT_MEMBERS = {"id", "tag", "summary", "description", "query", "query body", "filters", "parameters", "path", "body", "schedule body",
                    "answers", "problems", "hidden"}
# What a route's functions of auth.h and its body bring with them: titles of problems.def.
AUTH_PROBLEMS = ["Unauthorized", "Forbidden", "Too Many Requests", "Internal Server Error", "Service Unavailable"]
BODY_PROBLEMS = {
    "HTTP_BODY_NONE": [],
    "HTTP_BODY_WHOLE": ["Malformed JSON", "Request Timeout", "Content Too Large", "Unsupported Media Type"],
    "HTTP_BODY_STREAM": ["Unreadable body", "Request Timeout", "Content Too Large", "Unsupported Media Type"],
}
LIMITS = ("api_admit_sync", "api_admit_async")  # that the headers RateLimit tell of
SECURITY = {
    "NULL": [],
    "api_auth_account": [{"account": []}],
    "api_auth_records": [{"account": []}, {"key": ["records"]}],
    "api_auth_reports": [{"account": []}, {"key": ["reports"]}],
    "api_auth_any": [{"account": []}, {"key": []}],
    "api_auth_producer": [{"producer": []}],
    "api_auth_download": [{"account": []}, {"key": ["reports"]}, {"ticket": []}],
}
SECURITY_SCHEMES = {
    "account": {"type": "http", "scheme": "basic", "description": "An account's id and one of its secrets."},
    "key": {"type": "http", "scheme": "basic", "description": "An account's id and a key of it, which may do a part of what the account may."},
    "producer": {"type": "http", "scheme": "basic", "description": "A producer's name and its secret."},
    "ticket": {"type": "apiKey", "in": "query", "name": "ticket", "description": "For one download of one file."},
}
BASE = "https://reports.example.com"  # of examples
ALL_KINDS = {"SYNC", "ASYNC", "SUMMARY", "CHANGES"}
REQUIRED = ("product", "account_id")


def reference(place, name):
    return {"$ref": f"#/components/{place}/{name}"}


class Tables:
    """Everything that is read, and what was found wrong with it."""

    def __init__(self, folder):
        def rows(path):
            return [arguments for _, arguments in gen_tables.read_rows(os.path.join(folder, path))]

        self.routes = [(method.removeprefix("HTTP_"), path, body, auth, admit)
                       for method, path, body, auth, admit, _ in rows("api/routes.def")]
        self.problems = {title: (statuses.split(", "), meaning, remedy)
                         for title, statuses, meaning, remedy in rows("api/problems.def")}
        self.kinds = {name: ALL_KINDS if kinds == "ALL" else set(kinds.split("|"))
                      for name, kinds, _, _ in rows("query/parameters.def")}
        self.settings = {row[1]: row[2] for row in rows("base/settings.def")}
        self.products, self.aliases = gen_catalog.load(os.path.join(folder, "catalog/products.json"))
        with open(os.path.join(folder, "api/api.json"), encoding="utf-8") as file:
            self.api = json.load(file)
        self.faults = []

    def fault(self, where, text):
        self.faults.append(f"api.json: {where}: {text}")

    def filters(self):
        """Each filter's name, with the products that take it and what each of them knows of it."""
        found = {}
        for product in self.products:
            for made in product["filters"]:
                found.setdefault(made["name"], []).append((product["name"], made))
        return found

    def names(self):
        return [product["name"] for product in self.products] + sorted({alias["name"] for alias in self.aliases})


# --- what the texts of api.json stand for ---

def filled(tables, where, value):
    """The value with {setting:NAME} replaced in its texts, and a list of {word} by what the word stands for."""
    words = {"{problems}": list(tables.problems), "{kinds}": list(gen_catalog.KINDS),
             "{types}": [alias["type"] for alias in tables.aliases]}

    def setting(found):
        if found[1] not in tables.settings:
            tables.fault(where, f"there is no setting {found[1]}")
        return f"{found[1]} ({tables.settings.get(found[1])})"

    if isinstance(value, dict):
        return {name: filled(tables, where, one) for name, one in value.items()}
    if isinstance(value, list):
        made = [filled(tables, where, one) for one in value]
        return words.get(made[0], made) if len(made) == 1 and isinstance(made[0], str) else made
    return re.sub(r"\{setting:(\w+)\}", setting, value) if isinstance(value, str) else value


# --- parameters ---

def query_parameters(tables, kind):
    return [name for name in tables.kinds if kind in tables.kinds[name]]


def check_parameters(tables):
    described = {name for name, entry in tables.api["parameters"].items() if "of" not in entry}
    for name in sorted(set(tables.kinds) - described):
        tables.fault(name, "a parameter of parameters.def that is not described")
    for name in sorted(described - set(tables.kinds)):
        tables.fault(name, "parameters.def has no such parameter")


def parameter(name, entry, required=False):
    made = {"name": entry.get("name", name), "in": "query", "description": entry["description"], "schema": entry["schema"]}
    if required:
        made["required"] = True
    if "example" in entry:
        made["example"] = entry["example"]
    return made


def filter_description(takers):
    needed = [name for name, made in takers if made["required"]]
    text = "Records whose column has this value. Taken by " + ", ".join(name for name, _ in takers) + "."
    return text + (f" Required by {', '.join(needed)} in queries by dates." if needed else "")


def filter_schema(made):
    """Any text is allowed where the operator says so; known values are named."""
    return {"anyOf": [{"enum": made["values"]}, {"type": "string"}]} if made["values"] else {"type": "string"}


def filter_example(product, made):
    column = next(column for column in product["columns"] if column["name"] == made["column"])
    texts = made["values"] or [text for text in column["samples"] or [] if text]
    return texts[0] if texts else "12015550123" if column["kind"] == "number" else "x"


def components_parameters(tables):
    made = {name: parameter(name, entry, name in REQUIRED)
            for name, entry in tables.api["parameters"].items() if tables.kinds.get(name, {"ASYNC"}) != {"ASYNC"}}
    made["product"]["examples"] = {name: {"value": name} for name in tables.names()}
    del made["product"]["example"]
    for name, takers in tables.filters().items():
        made[f"filter_{name}"] = {"name": name, "in": "query", "description": filter_description(takers),
                                  "schema": {"type": "string"}}
    return made


# --- schemas ---

def shown_columns(product):
    return [column for column in product["columns"] if column["shown"] != "never"]


def column_schema(column):
    if column["kind"] == "json":
        return {"type": "object"}
    return {"type": "string", "x-kind": column["kind"]}


def record_schema(product):
    columns = shown_columns(product)
    always = [column["name"] for column in columns if column["shown"] == "always"
              and (product["inbound"] is None or column["name"] in product["inbound"])]
    return {"type": "object", "description": f"A record of {product['name']}. Values are texts; empty: not known.",
            "required": always, "properties": {column["name"]: column_schema(column) for column in columns},
            "additionalProperties": False}


def filters_schema(product):
    return {"type": "object", "description": f"The filters of {product['name']}.",
            "required": [made["name"] for made in product["filters"] if made["required"]],
            "properties": {made["name"]: {**filter_schema(made), "example": filter_example(product, made)}
                           for made in product["filters"]},
            "additionalProperties": False}


def records_of_products(tables):
    """The records of an answer are of the product that it names."""
    def branch(product, names):
        return {"properties": {**names, "records": {"items": reference("schemas", f"Record_{product}")}}}

    return ([branch(product["name"], {"product": {"const": product["name"]}}) for product in tables.products] +
            [branch(alias["product"], {"product": {"const": alias["name"]}, "type": {"const": alias["type"]}})
             for alias in tables.aliases])


def echo(tables, kind, filters):
    """The parameters that an answer repeats."""
    made = {}
    for name in query_parameters(tables, kind):
        repeated = tables.api["parameters"].get(name, {}).get("echo", {"type": "string"})
        if repeated is not None:
            made[name] = repeated
    for name in tables.filters() if filters else ():
        made[name] = {"type": "string"}
    return made


def answer_schema(tables, kind, of="", filters=True, dates=True):
    entry = tables.api["answers of queries"][of or kind]
    required = ["account_id", "product"] + (["date_start", "date_end"] if dates else []) + entry["required"]
    return {"type": "object", "required": required, "properties": {**echo(tables, kind, filters), **entry["properties"]},
            "additionalProperties": False}


def report_example(tables, name):
    product = next((product for product in tables.products if product["name"] == name), None)
    alias = next((alias for alias in tables.aliases if alias["name"] == name), None)
    example = {"product": name, "account_id": tables.api["parameters"]["account_id"]["example"]}
    if not product:
        example["type"] = alias["type"]
    for made in product["filters"] if product else ():
        if made["required"]:
            example[made["name"]] = filter_example(product, made)
    dates = tables.api["parameters"]
    return {**example, "date_start": dates["date_start"]["example"], "date_end": dates["date_end"]["example"]}


def request_schema(tables):
    entries = tables.api["parameters"]
    members = {name: {"description": entries[name]["description"], **entries[name]["schema"]}
               for name in query_parameters(tables, "ASYNC") if name in entries}
    members.update({name: {"type": "string", "description": filter_description(takers)}
                    for name, takers in tables.filters().items()})
    return {"type": "object", "required": list(REQUIRED), "properties": members, "additionalProperties": False}


def schedule_schema(tables):
    """The request of a report, whose dates a schedule sets itself, with what a schedule has beside it."""
    made = request_schema(tables)
    members = {name: schema for name, schema in made["properties"].items() if name not in ("date_start", "date_end")}
    return {**made, "required": [*made["required"], "cron", "range"],
            "properties": {**members, **tables.api["schedule members"]}}


def schemas(tables):
    made = dict(tables.api["schemas"])
    made["ProductName"] = {"enum": tables.names()}
    for product in tables.products:
        made[f"Record_{product['name']}"] = record_schema(product)
        made[f"Filters_{product['name']}"] = filters_schema(product)
    products = records_of_products(tables)
    made["RecordsPage"] = {**answer_schema(tables, "SYNC", dates=False), "anyOf": products}
    made["ChangesPage"] = {**answer_schema(tables, "CHANGES", filters=False, dates=False), "anyOf": products}
    made["Summary"] = answer_schema(tables, "SUMMARY")
    made["Report"] = answer_schema(tables, "ASYNC")
    made["Estimate"] = answer_schema(tables, "ASYNC", of="ESTIMATE")
    made["ReportRequest"] = request_schema(tables)
    made["ReportParameters"] = {"type": "object", "required": ["account_id", "product", "date_start", "date_end"],
                                "properties": echo(tables, "ASYNC", True), "additionalProperties": False}
    made["ScheduleRequest"] = schedule_schema(tables)
    return made


# --- endpoints ---

def endpoint_parameters(tables, where, entry, path):
    made = []
    braces = re.findall(r"\{(\w+)\}", path)
    if sorted(entry.get("path", {})) != sorted(braces):
        tables.fault(where, f"`path` must describe {', '.join(braces) or 'nothing'}")
    for name in braces:
        if name in entry.get("path", {}):
            made.append({"name": name, "in": "path", "required": True, **entry["path"][name]})
    if "query" in entry:
        made += [reference("parameters", name) for name in query_parameters(tables, entry["query"])]
        if entry.get("filters", True):
            made += [reference("parameters", f"filter_{name}") for name in tables.filters()]
    for one in entry.get("parameters", []):
        if isinstance(one, dict) and "use" not in one:
            made.append(one)
            continue
        name = one["use"] if isinstance(one, dict) else one
        if name in tables.api["parameters"]:
            made.append(parameter(name, tables.api["parameters"][name], isinstance(one, dict) and one["required"]))
        else:
            tables.fault(where, f'there is no parameter "{name}"')
    return made


def endpoint_body(tables, entry):
    if "query body" in entry:
        examples = {name: {"value": report_example(tables, name)} for name in tables.names()}
        return {"required": True, "content": {"application/json": {"schema": reference("schemas", "ReportRequest"),
                                                                   "examples": examples}}}
    if "schedule body" in entry:
        example = {name: value for name, value in report_example(tables, "SMS").items() if not name.startswith("date_")}
        example.update(cron="0 6 1 * *", range="last_month", time_zone="Europe/Berlin", name="Invoice")
        return {"required": True, "content": {"application/json": {"schema": reference("schemas", "ScheduleRequest"),
                                                                   "example": example}}}
    return {"required": True, "content": entry["body"]} if "body" in entry else None


def answer(entry, limited):
    made = {"description": entry["description"]}
    headers = entry.get("headers", []) + (["RateLimit", "RateLimit-Policy"] if limited else [])
    if headers:
        made["headers"] = {name: reference("headers", name) for name in headers}
    if "schema" in entry or "content" in entry:
        kinds = entry.get("content", "application/json")
        made["content"] = {kind: {name: entry[name] for name in ("schema", "example") if name in entry}
                           for kind in ([kinds] if isinstance(kinds, str) else kinds)}
    return made


def problem_headers(tables, titles, limited):
    statuses = {status for title in titles for status in tables.problems[title][0]}
    headers = ["Retry-After"] if statuses & {"429", "503", "507"} else []
    headers += ["WWW-Authenticate"] if "401" in statuses else []
    headers += ["Accept-Encoding", "Accept-Post"] if "415" in statuses else []
    headers += ["Content-Range"] if "416" in statuses else []
    return headers + (["RateLimit", "RateLimit-Policy"] if limited and "401" not in statuses else [])


def problem_example(title, detail):
    return {"type": f"{BASE}/problems/{title.lower().replace(' ', '-')}", "title": title, "detail": detail,
            "instance": "e994da71-c8cd-44f2-8076-d533abb25493"}


def problem_answer(tables, titles, limited):
    description = " ".join(f"{title}: {tables.problems[title][1]}" for title in titles)
    schema = {"allOf": [reference("schemas", "Problem"), {"properties": {"title": {"enum": titles}}}]}
    examples = {title.lower().replace(" ", "-"): {"value": problem_example(title, tables.problems[title][1])} for title in titles}
    made = {"description": description, "content": {"application/problem+json": {"schema": schema, "examples": examples}}}
    headers = problem_headers(tables, titles, limited)
    if headers:
        made["headers"] = {name: reference("headers", name) for name in headers}
    return made


def problem_answers(tables, where, entry, route, reads_query):
    _, _, body, auth, admit = route
    titles = list(entry.get("problems", [])) + BODY_PROBLEMS[body]
    titles += AUTH_PROBLEMS if auth != "NULL" else []
    titles += ["Too Many Requests"] if admit != "NULL" else []
    titles += ["Invalid request parameter"] if reads_query else []
    by_status = {}
    for title in tables.problems:
        if title in titles:
            for status in tables.problems[title][0]:
                by_status.setdefault(status, []).append(title)
    for title in sorted(set(titles) - set(tables.problems)):
        tables.fault(where, f'problems.def has no "{title}"')
    limited = admit in LIMITS
    return {status: problem_answer(tables, names, limited) for status, names in by_status.items()}


def operation(tables, where, entry, route):
    _, path, body, auth, admit = route
    for name in sorted(set(entry) - ENDPOINT_MEMBERS):
        tables.fault(where, f'unknown member "{name}"')
    for name in sorted({"id", "tag", "summary", "answers"} - set(entry)):
        tables.fault(where, f'"{name}" is missing')
    if entry.get("tag") not in [tag["name"] for tag in tables.api["tags"]]:
        tables.fault(where, f"there is no tag {entry.get('tag')}")
    if auth not in SECURITY:
        tables.fault(where, f"gen_openapi.py does not know what {auth} asks for")
    parameters = endpoint_parameters(tables, where, entry, path)
    made = {"operationId": entry.get("id"), "tags": [entry.get("tag")], "summary": entry.get("summary")}
    if "description" in entry:
        made["description"] = entry["description"]
    if parameters:
        made["parameters"] = parameters
    request = endpoint_body(tables, entry)
    if (request is None) != (body == "HTTP_BODY_NONE"):
        tables.fault(where, f"routes.def says {body} of its body")
    if request:
        made["requestBody"] = request
    queried = [one["$ref"] if "$ref" in one else one["name"] for one in parameters if one.get("in", "query") == "query"]
    answers = problem_answers(tables, where, entry, route, bool(queried) and queried != ["ticket"])
    answers.update({status: answer(one, admit in LIMITS) for status, one in entry.get("answers", {}).items()})
    answers = dict(sorted(answers.items()))
    answers["default"] = {"description": "Another problem; GET /problems lists all of them.",
                          "content": {"application/problem+json": {"schema": reference("schemas", "Problem")}}}
    made["responses"] = answers
    made["security"] = SECURITY.get(auth, [])
    return made


def paths(tables):
    made, entries, ids = {}, tables.api["endpoints"], set()
    rows = {f"{route[0]} {route[1]}": route for route in tables.routes}
    for where in sorted(set(entries) - set(rows)):
        tables.fault(where, "routes.def has no such endpoint")
    for where, route in rows.items():
        entry = entries.get(where)
        if entry is None:
            tables.fault(where, "an endpoint of routes.def that is not described; or say with `hidden` why not")
        elif "hidden" not in entry:
            made.setdefault(route[1], {})[route[0].lower()] = operation(tables, where, entry, route)
            if entry.get("id") in ids:
                tables.fault(where, f"{entry['id']} is another endpoint's id")
            ids.add(entry.get("id"))
    return made


# --- the document ---

def check_references(tables, document):
    """Everything that is referred to is there, and all that is there is referred to."""
    text = json.dumps(document)
    used = set(re.findall(r'"#/components/([^"]+)"', text))
    there = {f"{place}/{name}" for place, entries in document["components"].items() for name in entries}
    there = {name for name in there if not name.startswith(("securitySchemes/", "schemas/Filters_"))}
    for name in sorted(used - there):
        tables.fault(name, "is referred to, but not there")
    for name in sorted(there - used):
        tables.fault(name, "is there, but not referred to")


def document_of(tables, version):
    check_parameters(tables)
    document = {
        "openapi": "3.1.0",
        "info": {**tables.api["info"], "version": version},
        "servers": [{"url": "/"}],
        "tags": tables.api["tags"],
        "paths": paths(tables),
        "components": {
            "securitySchemes": SECURITY_SCHEMES,
            "headers": tables.api["headers"],
            "parameters": components_parameters(tables),
            "schemas": schemas(tables),
        },
    }
    document = filled(tables, "a text", document)
    check_references(tables, document)
    return document


SOURCE = """\
/* Made by tools/gen_openapi.py. */
#include "api/openapi.h"

static const uint8_t gzip[] = {{
{bytes}
}};

const struct api_openapi api_openapi = {{ gzip, {packed}, {length}, "\\"{tag}\\"" }};
"""


def source_of(text):
    packed = gzip.compress(text, 9, mtime=0)
    lines = [",".join(map(str, packed[at:at + 32])) for at in range(0, len(packed), 32)]
    return SOURCE.format(bytes=",\n".join(lines), packed=len(packed), length=len(text),
                         tag=hashlib.sha256(text).hexdigest()[:32])


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    folder, version, out = sys.argv[1:]
    tables = Tables(folder)
    document = document_of(tables, version)
    if tables.faults:
        sys.exit("\n".join(dict.fromkeys(tables.faults)))
    if out == "-":
        print(json.dumps(document, ensure_ascii=False, indent=1))
        return
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    with open(out + ".tmp", "w", encoding="ascii") as file:
        file.write(source_of(text))
    os.replace(out + ".tmp", out)


if __name__ == "__main__":
    main()
