#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Makes catalog_table.c, the constant table of products, from products.json.

    gen_catalog.py products.json catalog_table.c

The data file explains itself in its member `about`; what is made of it is described in src/catalog/catalog.h. Every
mistake found is reported as "products.json: PRODUCT: what is wrong", and nothing is written then.
"""
import json
import os
import re
import sys

COLUMNS_MAX = 64  # CATALOG_COLUMNS_MAX
FILTERS_MAX = 16  # SCAN_FILTERS_MAX of store/scan.h: one plan holds all filters of a product
NONE = 0xff       # CATALOG_NONE

LISTED_MAX = 32   # CATALOG_LISTED_MAX

KINDS = ("text", "time", "money", "count", "currency", "number", "uuid", "enum", "body", "json")
SHOWN = ("always", "with_message", "with_concatenated", "never")

PRODUCT_MEMBERS = {"name", "number", "time", "lookup", "filters", "columns", "inbound", "id", "id_from", "own", "passing",
                   "note"}
PRODUCT_REQUIRED = ("name", "number", "time", "lookup", "filters", "columns")
COLUMN_MEMBERS = {"name", "kind", "shown", "samples", "note"}
FILTER_MEMBERS = {"name", "column", "required", "nocase", "values", "note"}
ALIAS_MEMBERS = {"name", "type", "product", "note"}
TOP_MEMBERS = {"about", "columns", "filters", "products", "aliases"}

COLUMN_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")
PRODUCT_NAME = re.compile(r"[A-Z][A-Z0-9-]*\Z")
# Parameters of queries (src/query/parameters.def), which a filter of the same name would hide.
RESERVED_PARAMETERS = {"product", "type", "account_id", "id", "date_start", "date_end", "include_message",
                       "show_concatenated", "include_subaccounts", "callback_url", "destination", "format", "compression",
                       "columns", "dialect", "limit", "cursor", "iv", "group_by", "interval", "time_zone", "since", "wait"}


class Faults:
    """Collects what is wrong, so that one run shows all of it."""

    def __init__(self):
        self.list = []

    def add(self, where, text):
        self.list.append(f"{where}: {text}")

    def unknown_members(self, where, given, known):
        for member in sorted(set(given) - known):
            self.add(where, f'unknown member "{member}", known are: {", ".join(sorted(known))}')

    def repeated(self, where, what, names):
        for name in sorted({n for n in names if names.count(n) > 1}):
            self.add(where, f'{what} "{name}" is listed {names.count(name)} times')


def is_text(value):
    return isinstance(value, str)


def is_texts(value):
    return isinstance(value, list) and all(is_text(v) and "\0" not in v for v in value)


# --- the data file, checked and with everything spelled out ---

def described(entry, shared):
    """An entry of a list is a name or an object; what it leaves out is taken from the shared ones."""
    own = {"name": entry} if is_text(entry) else entry
    return {**shared.get(own.get("name"), {}), **own}


def check_list(faults, where, product, member):
    """The entries of a list of names and objects; empty if it is none."""
    entries = product.get(member, [])
    if not isinstance(entries, list):
        faults.add(where, f'"{member}" must be a list')
        return []
    right = [e for e in entries if is_text(e) or isinstance(e, dict) and is_text(e.get("name"))]
    if len(right) != len(entries):
        faults.add(where, f'an entry of "{member}" is neither a name nor an object with one')
    return right


def make_column(faults, where, entry, shared):
    column = {"shown": "always", "samples": None, **described(entry, shared)}
    where = f'{where}: column "{column["name"]}"'
    faults.unknown_members(where, column, COLUMN_MEMBERS)
    if not COLUMN_NAME.match(column["name"]):
        faults.add(where, "a name is lower case letters, digits and underscores, a letter first")
    if "kind" not in column:
        faults.add(where, 'has no kind, neither here nor in "columns"')
    elif column["kind"] not in KINDS:
        faults.add(where, f'kind "{column["kind"]}" is not one of: {", ".join(KINDS)}')
    if column["shown"] not in SHOWN:
        faults.add(where, f'shown "{column["shown"]}" is not one of: {", ".join(SHOWN)}')
    if column["samples"] is not None and not is_texts(column["samples"]):
        faults.add(where, "samples must be a list of texts")
    elif column.get("kind") == "enum" and not column["samples"]:
        faults.add(where, "an enum needs samples")
    return column


def make_filter(faults, where, entry, shared, columns):
    made = {"required": False, "nocase": False, "values": None, **described(entry, shared)}
    made.setdefault("column", made["name"])
    where = f'{where}: filter "{made["name"]}"'
    faults.unknown_members(where, made, FILTER_MEMBERS)
    if not COLUMN_NAME.match(made["name"]):
        faults.add(where, "a name has small letters, digits and _, and begins with a letter")
    if made["name"] in RESERVED_PARAMETERS:
        faults.add(where, "is the name of a parameter that queries take")
    if made["column"] not in columns:
        faults.add(where, f'there is no column "{made["column"]}"')
    if not isinstance(made["required"], bool) or not isinstance(made["nocase"], bool):
        faults.add(where, "required and nocase are true or false")
    if made["values"] is not None and (not is_texts(made["values"]) or not made["values"]):
        faults.add(where, "values must be a list of texts, or left out")
    return made


def check_names(faults, where, names, what, columns):
    if not is_texts(names):
        faults.add(where, f"{what} must be a list of names")
        return
    for name in names:
        if name not in columns:
            faults.add(where, f'{what}: there is no column "{name}"')
    faults.repeated(where, what, names)


def check_special_columns(faults, where, product, columns):
    if "account_id" not in columns:
        faults.add(where, 'there is no column "account_id"')
    for member in ("time", "id"):
        if product[member] not in columns:
            faults.add(where, f'{member}: there is no column "{product[member]}"')
    if product["id_from"] not in (None, *columns):
        faults.add(where, f'id_from: there is no column "{product["id_from"]}"')
    if product["id_from"] == product["id"]:
        faults.add(where, f'id_from: "{product["id"]}" is the id itself')
    for column in product["columns"]:
        if column["name"] == product["time"] and column.get("kind") != "time":
            faults.add(where, f'time: column "{column["name"]}" is of kind {column.get("kind")}')


def check_passing(faults, where, product, columns):
    ranks = product["passing"]
    if not isinstance(ranks, list) or not all(is_texts(r) and r for r in ranks):
        faults.add(where, "passing must be a list of lists of statuses")
        product["passing"] = []
        return
    if ranks and "status" not in columns:
        faults.add(where, 'passing: there is no column "status"')
    faults.repeated(where, "passing", [status.lower() for rank in ranks for status in rank])


def check_number(faults, where, number):
    if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= 254:
        faults.add(where, f"number {number!r} is not from 1 to 254")


def make_product(faults, data, entry):
    name = entry.get("name") if isinstance(entry, dict) else None
    where = name if is_text(name) else "a product without a name"
    missing = [m for m in PRODUCT_REQUIRED if not isinstance(entry, dict) or m not in entry]
    if missing:
        faults.add(where, f'has no {", ".join(missing)}')
        return None
    product = {"id": "id", "id_from": None, "own": False, "inbound": None, "passing": [], **entry}
    faults.unknown_members(where, product, PRODUCT_MEMBERS)
    if not PRODUCT_NAME.match(str(name)):
        faults.add(where, "a name is capital letters, digits and hyphens, a letter first")
    check_number(faults, where, product["number"])
    product["columns"] = [make_column(faults, where, e, data["columns"])
                          for e in check_list(faults, where, product, "columns")]
    columns = [c["name"] for c in product["columns"]]
    faults.repeated(where, "column", columns)
    if len(columns) > COLUMNS_MAX:
        faults.add(where, f"{len(columns)} columns, at most {COLUMNS_MAX} allowed")
    product["filters"] = [make_filter(faults, where, e, data["filters"], columns)
                          for e in check_list(faults, where, product, "filters")]
    faults.repeated(where, "filter", [f["name"] for f in product["filters"]])
    if len(product["filters"]) > FILTERS_MAX:
        faults.add(where, f'{len(product["filters"])} filters, at most {FILTERS_MAX} allowed')
    check_names(faults, where, product["lookup"], "lookup", columns)
    if product["inbound"] is not None:
        check_names(faults, where, product["inbound"], "inbound", columns)
    check_special_columns(faults, where, product, columns)
    check_passing(faults, where, product, columns)
    product["partition_direction"] = any(f["name"] == "direction" and f["required"] for f in product["filters"])
    if product["inbound"] is not None and not product["partition_direction"]:
        faults.add(where, "has inbound columns, but its filter direction is not required")
    return product


def listed_filters(product):
    """Places of those whose known values ingest counts others of; a direction has no others."""
    return [i for i, f in enumerate(product["filters"]) if f["values"] and f["name"] != "direction"]


def check_alias(faults, alias, products):
    where = f'alias {alias.get("name")} with type {alias.get("type")}'
    faults.unknown_members(where, alias, ALIAS_MEMBERS)
    if not is_text(alias.get("name")) or not is_text(alias.get("type")):
        faults.add(where, "name and type must be texts")
    if alias.get("product") not in products:
        faults.add(where, f'there is no product "{alias.get("product")}"')
    if alias.get("name") in products:
        faults.add(where, "is the name of a product")


def check_whole(faults, data, products):
    names = [str(p["name"]) for p in products]
    faults.repeated("products", "product", names)
    by_number = {}
    for product in products:
        by_number.setdefault(str(product["number"]), []).append(str(product["name"]))
    for number, sharing in by_number.items():
        if len(sharing) > 1:
            faults.add("products", f'number {number} is that of {" and ".join(sharing)}')
    used = {c["name"] for p in products for c in p["columns"]}
    for name in sorted(set(data["columns"]) - used):
        faults.add("columns", f'"{name}" is described, but no product has it')
    used = {f["name"] for p in products for f in p["filters"]}
    for name in sorted(set(data["filters"]) - used):
        faults.add("filters", f'"{name}" is described, but no product takes it')
    listed = sum(len(listed_filters(p)) for p in products)
    if listed > LISTED_MAX:
        faults.add("filters", f"{listed} have values, at most {LISTED_MAX} allowed")
    for alias in data["aliases"]:
        check_alias(faults, alias, names)
    faults.repeated("aliases", "alias", [f'{a.get("name")} {a.get("type")}' for a in data["aliases"]])


def load(path):
    """The products and aliases, or exits with what is wrong."""
    faults = Faults()
    try:
        with open(path, encoding="utf-8") as file:
            data = json.load(file)
    except (OSError, ValueError) as error:
        sys.exit(f"{path}: {error}")
    if not isinstance(data, dict) or not all(isinstance(data.get(m), t) for m, t in (
            ("columns", dict), ("filters", dict), ("products", list), ("aliases", list))):
        sys.exit(f"{path}: must be an object with columns, filters, products and aliases")
    entries = [*data["columns"].values(), *data["filters"].values(), *data["aliases"]]
    if not all(isinstance(e, dict) for e in entries):
        sys.exit(f"{path}: what stands in columns, filters and aliases must be objects")
    faults.unknown_members("top", data, TOP_MEMBERS)
    products = [p for p in (make_product(faults, data, e) for e in data["products"]) if p]
    check_whole(faults, data, products)
    if faults.list:
        sys.exit("\n".join(f"{os.path.basename(path)}: {fault}" for fault in faults.list))
    return products, data["aliases"]


# --- the hash of column names: the same as hash_key and catalog_column_find in src/catalog/catalog.c ---

def hash_key(name):
    raw = name.encode()
    return (raw[0] | raw[len(raw) // 2] << 8 | raw[-1] << 16 | len(raw) << 24) ^ raw[len(raw) // 4] << 11


def hash_slots(names, bits, multiplier):
    """Places by slot, and how many names did not get the slot of their hash."""
    slots = [NONE] * (1 << bits)
    moved = 0
    for place, name in enumerate(names):
        slot = (hash_key(name) * multiplier & 0xffffffff) >> 32 - bits
        moved += slots[slot] != NONE
        while slots[slot] != NONE:
            slot = (slot + 1) % len(slots)
        slots[slot] = place
    return slots, moved


def make_hash(names):
    """Bits, multiplier and slots of the smallest table that was found with every name in its own slot."""
    start = max(4, (2 * len(names) - 1).bit_length())
    best = None
    for bits in (start, start + 1):
        multiplier = 0x9e3779b1
        for _ in range(3000):
            multiplier = (multiplier * 1664525 + 1013904223) & 0xffffffff
            slots, moved = hash_slots(names, bits, multiplier | 1)
            if best is None or moved < best[0]:
                best = (moved, bits, multiplier | 1, slots)
            if moved == 0:
                return best[1:]
    return best[1:]  # a few names are found one slot further


# --- C ---

def c_string(text):
    out = ""
    for byte in text.encode():
        char = chr(byte)
        if char in '"\\':
            out += "\\" + char
        elif char == "?":
            out += "\\?"  # no trigraphs
        elif 0x20 <= byte < 0x7f:
            out += char
        else:
            out += f"\\{byte:03o}"
    return f'"{out}"'


def c_str(text):
    return f"{{ {c_string(text)}, {len(text.encode())} }}"


def c_bool(value):
    return "true" if value else "false"


def c_bytes(values, per_line=24):
    lines = [", ".join(map(str, values[i:i + per_line])) for i in range(0, len(values), per_line)]
    return ",\n\t".join(lines)


class Writer:
    def __init__(self):
        self.lines = []
        self.texts = {}  # lists of texts written already: many products share them

    def add(self, text=""):
        self.lines.append(text)

    def text_list(self, texts):
        """The name of a NULL terminated array of texts, or NULL."""
        if not texts:
            return "NULL"
        key = tuple(texts)
        if key not in self.texts:
            self.texts[key] = f"texts_{len(self.texts)}"
            items = ", ".join(map(c_string, texts))
            self.add(f"static const char *const {self.texts[key]}[] = {{ {items}, NULL }};")
        return self.texts[key]

    def array(self, type, name, items):
        self.add(f"static const {type} {name}[] = {{")
        for item in items:
            self.add(f"\t{item},")
        self.add("};")


def write_columns(out, prefix, product):
    rows = []
    for column in product["columns"]:
        samples = out.text_list(column["samples"])
        inbound = product["inbound"] is None or column["name"] in product["inbound"]
        before = f',"{column["name"]}":' + ("" if column["kind"] == "json" else '"')
        rows.append(f'{{ {c_str(column["name"])}, CATALOG_{column["kind"].upper()}, '
                    f'CATALOG_{column["shown"].upper()}, {c_bool(inbound)}, {samples}, {c_str(before)} }}')
    out.array("struct catalog_column", f"{prefix}_columns", rows)


def write_filters(out, prefix, product):
    names = [c["name"] for c in product["columns"]]
    rows = []
    for filter in product["filters"]:
        values = out.text_list(filter["values"])
        rows.append(f'{{ {c_str(filter["name"])}, {names.index(filter["column"])}, {c_bool(filter["required"])}, '
                    f'{c_bool(filter["nocase"])}, {values} }}')
    if rows:
        out.array("struct catalog_filter", f"{prefix}_filters", rows)


def write_passing(out, prefix, product):
    rows = [f"{{ {c_str(status)}, {rank} }}" for rank, statuses in enumerate(product["passing"], 1)
            for status in statuses]
    if rows:
        out.array("struct catalog_status", f"{prefix}_passing", rows)


def bits_of(product, *kinds):
    """The columns of some kinds, bit n for column n."""
    return sum(1 << i for i, c in enumerate(product["columns"]) if c["kind"] in kinds)


def place_or_none(names, name):
    return names.index(name) if name in names else "CATALOG_NONE"


def product_members(prefix, product, bits, multiplier, listed_first):
    names = [c["name"] for c in product["columns"]]
    shown = {c["shown"] for c in product["columns"]}
    return [
        ("name", c_str(product["name"])),
        ("number", product["number"]),
        ("own", c_bool(product["own"])),
        ("partition_direction", c_bool(product["partition_direction"])),
        ("has_message", c_bool("with_message" in shown)),
        ("has_concatenated", c_bool("with_concatenated" in shown)),
        ("columns_count", len(names)),
        ("columns", f"{prefix}_columns"),
        ("account_column", names.index("account_id")),
        ("time_column", names.index(product["time"])),
        ("id_column", names.index(product["id"])),
        ("id_from_column", place_or_none(names, product["id_from"])),
        ("direction_column", place_or_none(names, "direction")),
        ("status_column", place_or_none(names, "status")),
        ("version_column", place_or_none(names, "version")),
        ("passing_count", sum(map(len, product["passing"]))),
        ("passing", f"{prefix}_passing" if product["passing"] else "NULL"),
        ("time_columns", f"UINT64_C({bits_of(product, 'time')})"),
        ("decimal_columns", f"UINT64_C({bits_of(product, 'money', 'count')})"),
        ("currency_columns", f"UINT64_C({bits_of(product, 'currency')})"),
        ("lookup_count", len(product["lookup"])),
        ("lookup", f"{prefix}_lookup" if product["lookup"] else "NULL"),
        ("filters_count", len(product["filters"])),
        ("filters", f"{prefix}_filters" if product["filters"] else "NULL"),
        ("listed_first", listed_first),
        ("listed_count", len(listed_filters(product))),
        ("hash_shift", 32 - bits),
        ("hash_multiplier", f"{multiplier}U"),
        ("hash_slots", f"{prefix}_slots"),
    ]


def write_product(out, product, listed_first):
    prefix = product["name"].lower().replace("-", "_")
    names = [c["name"] for c in product["columns"]]
    bits, multiplier, slots = make_hash(names)
    out.add()
    write_columns(out, prefix, product)
    write_filters(out, prefix, product)
    write_passing(out, prefix, product)
    if product["lookup"]:
        places = c_bytes([names.index(name) for name in product["lookup"]])
        out.add(f"static const uint8_t {prefix}_lookup[] = {{ {places} }};")
    out.add(f"static const uint8_t {prefix}_slots[] = {{\n\t{c_bytes(slots)},\n}};")
    return product_members(prefix, product, bits, multiplier, listed_first)


def write_listed(out, products):
    out.add("const struct catalog_listed catalog_listed[] = {")
    for place, product in enumerate(products):
        for filter in listed_filters(product):
            prefix = product["name"].lower().replace("-", "_")
            out.add(f"\t{{ &catalog_products[{place}], &{prefix}_filters[{filter}] }},")
    out.add("\t{ NULL, NULL },")
    out.add("};")
    out.add(f"const size_t catalog_listed_count = {sum(len(listed_filters(p)) for p in products)};")


def write_aliases(out, products, aliases):
    places = {p["name"]: i for i, p in enumerate(products)}
    out.add("const struct catalog_alias catalog_aliases[] = {")
    for alias in aliases:
        out.add(f'\t{{ {c_str(alias["name"])}, {c_str(alias["type"])}, '
                f'&catalog_products[{places[alias["product"]]}] }},')
    if not aliases:
        out.add("\t{ { NULL, 0 }, { NULL, 0 }, NULL },")  # an array of none is no C
    out.add("};")
    out.add(f"const size_t catalog_aliases_count = {len(aliases)};")


def table(products, aliases):
    out = Writer()
    out.add("/* Made by tools/gen_catalog.py from products.json: change that. */")
    out.add('#include "catalog/catalog.h"')
    out.add()
    rows, listed = [], 0
    for product in products:
        rows.append(write_product(out, product, listed))
        listed += len(listed_filters(product))
    out.add()
    out.add("const struct catalog_product catalog_products[] = {")
    for members in rows:
        out.add("\t{")
        for name, value in members:
            out.add(f"\t\t.{name} = {value},")
        out.add("\t},")
    out.add("};")
    out.add(f"const size_t catalog_products_count = {len(products)};")
    out.add()
    write_listed(out, products)
    write_aliases(out, products, aliases)
    return "\n".join(out.lines) + "\n"


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: gen_catalog.py products.json catalog_table.c")
    text = table(*load(sys.argv[1]))
    made = sys.argv[2] + ".tmp"
    with open(made, "w", encoding="ascii") as file:
        file.write(text)
    os.replace(made, sys.argv[2])


if __name__ == "__main__":
    main()
