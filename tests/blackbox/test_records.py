# SPDX-License-Identifier: ISC
"""GET /v2/reports/records: every product, filter, time form, and error; paging has its own file, test_paging.py."""
import datetime
import json
import uuid

import pytest

import harness
import samples
from samples import DAY, HOUR, NOON, SECOND, YESTERDAY, around_noon, iso, many_sms, moment, sms, whole_day

PER_PRODUCT = 300
PRODUCT_NAMES = samples.product_names()
OWN = "REPORTS-USAGE"
MADE_PRODUCTS = [name for name in PRODUCT_NAMES if name != OWN]


class Loaded:
    """An account with sample records of every product, on one day; the generator is the oracle."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.account = daemon.new_account()
        self.products = {p.name: p for p in map(samples.Product, daemon.products())}
        self.sent = {}
        for name in MADE_PRODUCTS:
            self.sent[name] = harness.generate(name, self.account, PER_PRODUCT, iso(YESTERDAY), iso(YESTERDAY + DAY))
            answer = daemon.post_cdrs(self.sent[name])
            assert answer["accepted"] == PER_PRODUCT, f"{name}: {answer}"

    def expected(self, product, **columns):
        """The sent records whose columns have these values, as an answer orders them."""
        matching = (r for r in self.sent[product.name] if all(r.get(c, "") == v for c, v in columns.items()))
        return samples.by_time(matching, product)


@pytest.fixture(scope="module")
def loaded(daemon):
    return Loaded(daemon)


def problem(response, status, title):
    """The body of a problem answer, checked for what all of them have."""
    body = response.json()
    assert (response.status, body.get("title")) == (status, title), response
    assert response.headers.get_content_type() == "application/problem+json"
    assert body["type"].startswith("http") and body["detail"] and body["instance"], body
    return body


def invalid(daemon, account, params=None, raw_query=None):
    """The invalid_parameters of a 422, as name: reason."""
    response = daemon.get("/v2/reports/records", params, account, raw_query=raw_query)
    body = problem(response, 422, "Unprocessable entity")
    return {p["name"]: p["reason"] for p in body["invalid_parameters"]}


# --- every product ---

def test_the_daemon_knows_the_products_of_the_data_file(loaded):
    assert sorted(loaded.products) == sorted(PRODUCT_NAMES)
    assert len(loaded.products) == 19


@pytest.mark.parametrize("direction", ["outbound", "inbound"])
@pytest.mark.parametrize("name", MADE_PRODUCTS)
def test_every_record_of_the_day_in_time_order_with_its_columns(loaded, name, direction):
    product = loaded.products[name]
    if direction == "inbound" and not product.partition_direction:
        pytest.skip("directions are not kept apart")
    page = loaded.daemon.records(loaded.account, product=name, **product.required(direction), **whole_day())
    expected = [product.shown(r, direction=direction) for r in loaded.expected(product, **product.required(direction))]
    assert page["items_count"] == len(expected) > 0
    assert page["records"] == expected
    assert [list(r) for r in page["records"][:1]] == [product.shown_columns(direction=direction)]
    assert page["request_status"] == "SUCCESS"


@pytest.mark.parametrize("name", MADE_PRODUCTS)
def test_message_and_concatenated_only_when_asked_for(loaded, name):
    product = loaded.products[name]
    switches = {switch: True for switch, taken in (("include_message", product.has_message),
                                                   ("show_concatenated", product.has_concatenated)) if taken}
    refused = {"include_message", "show_concatenated"} - set(switches)
    query = {"product": name, **product.required(), **whole_day()}
    page = loaded.daemon.records(loaded.account, **query, **{s: "true" for s in switches})
    expected = [product.shown(r, direction="outbound", **switches)
                for r in loaded.expected(product, **product.required())]
    assert page["records"] == expected
    for switch in refused:
        reasons = invalid(loaded.daemon, loaded.account,
                          {"account_id": loaded.account.id, **query, switch: "true"})
        assert list(reasons) == [switch]


def test_an_inbound_message_has_no_concatenated_even_when_asked_for(loaded):
    page = loaded.daemon.records(loaded.account, product="SMS", direction="inbound", show_concatenated="true",
                                 **whole_day())
    assert "concatenated" not in page["records"][0]


def test_reports_usage_is_empty_until_the_daemon_writes_it(loaded):
    page = loaded.daemon.records(loaded.account, product=OWN, **whole_day())
    assert (page["records"], page["items_count"], page["request_status"]) == ([], 0, "SUCCESS")


# --- every filter ---

def values_of(loaded, product, column):
    """Up to three different values of a column, the most common first."""
    values = [r[column] for r in loaded.expected(product, **product.required()) if r.get(column)]
    return sorted(set(values), key=lambda v: (-values.count(v), v))[:3]


@pytest.mark.parametrize("name", MADE_PRODUCTS)
def test_every_filter_selects_the_records_that_have_the_value(loaded, name):
    product = loaded.products[name]
    for filter in product.filters:
        if filter["name"] in product.required():
            continue
        values = values_of(loaded, product, filter["column"])
        assert values, f"{name}: sample records have nothing in {filter['column']}"
        for value in values:
            page = loaded.daemon.records(loaded.account, product=name, **whole_day(),
                                         **{**product.required(), filter["name"]: value})
            expected = loaded.expected(product, **product.required(), **{filter["column"]: value})
            assert [r["id"] for r in page["records"]] == [r["id"] for r in expected], (filter["name"], value)


@pytest.mark.parametrize("name", MADE_PRODUCTS)
def test_two_filters_select_what_passes_both(loaded, name):
    product = loaded.products[name]
    filters = [f for f in product.filters if f["name"] not in product.required()][:2]
    if len(filters) < 2:
        pytest.skip("has no two filters")
    example = next(r for r in loaded.expected(product, **product.required())
                   if all(r.get(f["column"]) for f in filters))
    columns = {f["column"]: example[f["column"]] for f in filters}
    page = loaded.daemon.records(loaded.account, product=name, **whole_day(), **product.required(),
                                 **{f["name"]: columns[f["column"]] for f in filters})
    expected = loaded.expected(product, **product.required(), **columns)
    assert [r["id"] for r in page["records"]] == [r["id"] for r in expected]


@pytest.mark.parametrize("name", PRODUCT_NAMES)
def test_filters_that_a_product_does_not_take_are_refused_by_name(loaded, name):
    product = loaded.products[name]
    every = {f["name"] for p in loaded.products.values() for f in p.filters}
    foreign = sorted(every - {f["name"] for f in product.filters})
    for at in range(0, len(foreign), 20):  # an answer names only so many
        some = foreign[at:at + 20]
        reasons = invalid(loaded.daemon, loaded.account, {
            "account_id": loaded.account.id, "product": name, **product.required(), **whole_day(),
            **{filter: "x" for filter in some}})
        assert sorted(reasons) == some
        assert all(name in reason for reason in reasons.values()), reasons


def test_values_of_an_enumerated_filter_are_checked(loaded):
    reasons = invalid(loaded.daemon, loaded.account, {
        "account_id": loaded.account.id, "product": "SMS", "direction": "outbound", "status": "lost", **whole_day()})
    assert "lost" in reasons["status"] and "delivered" in reasons["status"]


@pytest.mark.parametrize("status", ["answered", "ANSWERED", "Answered"])
def test_voice_status_matches_without_regard_to_case(loaded, status):
    product = loaded.products["VOICE-CALL"]
    page = loaded.daemon.records(loaded.account, product="VOICE-CALL", status=status, **whole_day())
    expected = [r["id"] for r in loaded.expected(product) if r["status"].upper() == "ANSWERED"]
    assert [r["id"] for r in page["records"]] == expected != []


@pytest.mark.parametrize("name", MADE_PRODUCTS)
def test_a_word_in_another_case_finds_the_same_or_is_refused(loaded, name):
    """It never finds nothing in silence. The path of a URL is no word."""
    product = loaded.products[name]
    words = {c["name"] for c in product.columns if c["kind"] == "enum"} - {"product_path"} | {"country", "country_code", "locale"}
    for filter in product.filters:
        if filter["column"] not in words or filter["name"] in product.required():
            continue
        for value in values_of(loaded, product, filter["column"]):
            query = {"account_id": loaded.account.id, "product": name, **whole_day(), **product.required(),
                     filter["name"]: value.swapcase()}
            response = loaded.daemon.get("/v2/reports/records", query, loaded.account)
            if response.status == 422:
                assert f"'{value.swapcase()}' is not one of: " in response.json()["detail"]
                continue
            found = [r for r in loaded.expected(product, **product.required()) if r.get(filter["column"], "").lower() == value.lower()]
            assert [r["id"] for r in response.json()["records"]] == [r["id"] for r in found], (filter["name"], value)


@pytest.mark.parametrize("name", ["VOICE-TTS", "WEBSOCKET-CALL"])
def test_direction_is_refused_where_the_live_service_refuses_it(loaded, name):
    reasons = invalid(loaded.daemon, loaded.account, {
        "account_id": loaded.account.id, "product": name, "direction": "outbound", **whole_day()})
    assert list(reasons) == ["direction"]


@pytest.mark.parametrize("type, name", [("ip-voice", "IN-APP-VOICE"), ("cs-custom-event", "CONVERSATION-EVENT")])
def test_the_deprecated_conversations_names_another_product_by_type(loaded, type, name):
    page = loaded.daemon.records(loaded.account, product="CONVERSATIONS", type=type, **whole_day())
    assert page["product"] == "CONVERSATIONS"
    assert [r["id"] for r in page["records"]] == [r["id"] for r in loaded.expected(loaded.products[name])]


def test_type_is_needed_with_conversations_and_refused_without(loaded):
    query = {"account_id": loaded.account.id, **whole_day()}
    assert "type" in invalid(loaded.daemon, loaded.account, {**query, "product": "CONVERSATIONS"})
    assert "type" in invalid(loaded.daemon, loaded.account, {**query, "product": "AMD", "type": "ip-voice"})
    assert "type" in invalid(loaded.daemon, loaded.account, {**query, "product": "CONVERSATIONS", "type": "x"})


# --- the answer ---

def test_the_answer_echoes_what_was_asked(loaded):
    day = whole_day()
    asked = {"product": "SMS", "direction": "outbound", "status": "delivered", "include_message": "true",
             "show_concatenated": "true"}
    page = loaded.daemon.records(loaded.account, **asked, **day)
    assert {k: str(page[k]).lower() for k in asked} == {k: v.lower() for k, v in asked.items()}
    assert page["account_id"] == loaded.account.id
    assert [moment(page[k]) for k in day] == [moment(v) for v in day.values()]
    assert uuid.UUID(page["request_id"]).version == 4
    assert abs(moment(page["received_at"]) - datetime.datetime.now(samples.UTC)) < 60 * SECOND
    assert page["_links"]["self"]["href"].startswith(f"http://127.0.0.1:{loaded.daemon.port}/v2/reports/records?")
    assert not {"cursor", "iv", "ids_not_found"} & {k for k, v in page.items() if v}


def test_price_is_the_items_times_the_price_of_a_record(daemon, account):
    daemon.post_cdrs(many_sms(account, 300))
    page = daemon.records(account, product="SMS", direction="outbound", **whole_day())
    assert (page["items_count"], page["price"], page["currency"]) == (300, 0.12, "EUR")


def test_every_value_in_records_is_a_string(loaded):
    page = loaded.daemon.records(loaded.account, product="SMS", direction="outbound", **whole_day())
    assert {type(v) for r in page["records"] for v in r.values()} == {str}


def test_a_trailing_slash_makes_no_difference(loaded):
    response = loaded.daemon.get("/v2/reports/records/", {"account_id": loaded.account.id, "product": "AMD"},
                                 loaded.account)
    assert response.status == 200, response


def test_head_is_get_without_a_body(loaded):
    target = "/v2/reports/records?" + harness.query_string({"account_id": loaded.account.id, "product": "AMD"})
    response = loaded.daemon.request("HEAD", target, auth=(loaded.account.id, loaded.account.secret))
    assert (response.status, response.body) == (200, b"")
    assert int(response.headers["Content-Length"]) > 0


def test_head_has_the_length_of_get(loaded):
    """RFC 9110, 8.6: also where the price is a part of the answer."""
    account = loaded.daemon.new_account()
    loaded.daemon.post_cdrs(many_sms(account, 30))
    day = {"account_id": account.id, **whole_day()}
    for path, query in (("records", {"product": "SMS", "direction": "outbound", **day}),
                        ("changes", {"account_id": account.id, "product": "SMS"})):
        target = f"/v2/reports/{path}?" + harness.query_string(query)
        head, get = (loaded.daemon.request(method, target, auth=(account.id, account.secret)) for method in ("HEAD", "GET"))
        assert head.headers["Content-Length"] == get.headers["Content-Length"] == str(len(get.body)), path
        assert get.json()["price"] == 0.012


# --- ranges and times ---

def test_date_start_is_inclusive_and_date_end_exclusive(daemon, account):
    records = many_sms(account, 4)
    daemon.post_cdrs(records)
    page = daemon.records(account, product="SMS", direction="outbound", date_start=iso(NOON + SECOND),
                          date_end=iso(NOON + 3 * SECOND))
    assert [r["id"] for r in page["records"]] == [r["id"] for r in records[1:3]]


def test_a_range_may_cross_midnight(daemon, account):
    records = many_sms(account, 6, YESTERDAY - 3 * SECOND)
    daemon.post_cdrs(records)
    page = daemon.records(account, product="SMS", direction="outbound", date_start=iso(YESTERDAY - HOUR),
                          date_end=iso(YESTERDAY + HOUR))
    assert [r["id"] for r in page["records"]] == [r["id"] for r in records]


FORMS = {
    "Z": "%Y-%m-%dT12:00:00Z",
    "fraction": "%Y-%m-%dT12:00:00.000Z",
    "colon offset": "%Y-%m-%dT14:00:00+02:00",
    "plain offset": "%Y-%m-%dT14:00:00+0200",
    "negative offset": "%Y-%m-%dT07:30:00-04:30",
    "plus zero": "%Y-%m-%dT12:00:00+0000",
    "minus zero": "%Y-%m-%dT12:00:00-0000",
}


@pytest.mark.parametrize("encoded", [True, False], ids=["encoded", "plus as it is"])
@pytest.mark.parametrize("form", FORMS)
def test_times_of_every_form(daemon, account, form, encoded):
    records = many_sms(account, 3, NOON - SECOND)
    daemon.post_cdrs(records)
    params = {"account_id": account.id, "product": "SMS", "direction": "outbound",
              "date_start": NOON.strftime(FORMS[form]), "date_end": (NOON + HOUR).strftime("%Y-%m-%dT%H:%M:%S+00:00")}
    raw = harness.query_string(params) if encoded else "&".join(f"{k}={v}" for k, v in params.items())
    response = daemon.get("/v2/reports/records", account=account, raw_query=raw)
    assert response.status == 200, response
    assert [r["id"] for r in response.json()["records"]] == [r["id"] for r in records[1:]]


@pytest.mark.parametrize("text", ["yesterday", "2025-02-30T00:00:00Z", "2025-02-30", "2025-01-01T00:00:00", "1743500000",
                                  "2025-01-01T25:00:00Z", "2025-01-01T00:00:00+99:00"])
def test_a_time_that_is_none_is_named(daemon, account, text):
    reasons = invalid(daemon, account, {"account_id": account.id, "product": "AMD", "date_start": text,
                                        "date_end": iso(NOON)})
    assert text in reasons["date_start"]


def test_24_hours_are_allowed_and_more_are_not(daemon, account):
    query = {"account_id": account.id, "product": "AMD", "date_start": iso(YESTERDAY)}
    assert daemon.get("/v2/reports/records", {**query, "date_end": iso(YESTERDAY + DAY)}, account).status == 200
    reasons = invalid(daemon, account, {**query, "date_end": iso(YESTERDAY + DAY + 2 * HOUR)})
    assert "26 hours after date_start, at most 24 hours allowed: ask for a report" in reasons["date_end"], reasons
    assert list(invalid(daemon, account, {**query, "date_end": iso(YESTERDAY + DAY + SECOND)})) == ["date_end"]


def test_an_end_before_the_start_is_refused(daemon, account):
    reasons = invalid(daemon, account, {"account_id": account.id, "product": "AMD", "date_start": iso(NOON),
                                        "date_end": iso(NOON - SECOND)})
    assert list(reasons) == ["date_end"]


def test_without_dates_or_ids_the_window_is_the_last_24_hours(daemon, account):
    now = datetime.datetime.now(samples.UTC).replace(microsecond=0)
    records = [sms(account, now - DAY - HOUR), sms(account, now - DAY + HOUR), sms(account, now - SECOND),
               sms(account, now + HOUR)]
    daemon.post_cdrs(records)
    page = daemon.records(account, product="SMS", direction="outbound")
    assert [r["id"] for r in page["records"]] == [r["id"] for r in records[1:3]]
    assert moment(page["date_end"]) - moment(page["date_start"]) == DAY


def test_sync_window_max_is_a_setting(daemons):
    daemon = daemons(sync_window_max="48h")
    account = daemon.new_account()
    query = {"account_id": account.id, "product": "AMD", "date_start": iso(YESTERDAY - DAY)}
    assert daemon.get("/v2/reports/records", {**query, "date_end": iso(YESTERDAY + DAY)}, account).status == 200
    assert "date_end" in invalid(daemon, account, {**query, "date_end": iso(YESTERDAY + DAY + HOUR)})


# --- by id ---

@pytest.mark.parametrize("name", MADE_PRODUCTS)
def test_every_lookup_column_finds_the_record(loaded, name):
    product = loaded.products[name]
    record = loaded.sent[name][7]
    for column in product.lookup:
        page = loaded.daemon.records(loaded.account, product=name, id=record[column])
        found = [r["id"] for r in page["records"]]
        expected = [r["id"] for r in loaded.expected(product, **{column: record[column]})]
        assert sorted(found) == sorted(expected), column
        assert page.get("ids_not_found", "") == ""


def test_twenty_ids_and_those_not_found(loaded):
    ids = [r["id"] for r in loaded.sent["AMD"][:18]]
    missing = [str(uuid.uuid4()), "no-such-thing"]
    page = loaded.daemon.records(loaded.account, product="AMD", id=",".join(ids[:9] + missing + ids[9:]))
    assert sorted(r["id"] for r in page["records"]) == sorted(ids)
    assert page["ids_not_found"] == ",".join(missing)
    assert (page["items_count"], page["request_status"]) == (18, "SUCCESS")


def test_21_ids_are_too_many(loaded):
    reasons = invalid(loaded.daemon, loaded.account, {
        "account_id": loaded.account.id, "product": "AMD", "id": ",".join(str(uuid.uuid4()) for _ in range(21))})
    assert "21" in reasons["id"] and "20" in reasons["id"], reasons


def test_an_id_query_finds_both_directions_unless_one_is_named(loaded):
    outbound, inbound = (next(r["id"] for r in loaded.sent["SMS"] if r["direction"] == d)
                         for d in ("outbound", "inbound"))
    both = f"{outbound},{inbound}"
    page = loaded.daemon.records(loaded.account, product="SMS", id=both)
    assert sorted(r["id"] for r in page["records"]) == sorted([outbound, inbound])
    page = loaded.daemon.records(loaded.account, product="SMS", id=both, direction="inbound")
    assert [r["id"] for r in page["records"]] == [inbound]
    assert page["ids_not_found"] == outbound


def test_an_id_query_is_not_bounded_in_time(daemon, account):
    old = sms(account, NOON - 300 * DAY)
    daemon.post_cdrs([old])
    assert [r["id"] for r in daemon.records(account, product="SMS", id=old["id"])["records"]] == [old["id"]]


def test_an_id_query_takes_include_message_and_show_concatenated(loaded):
    record = next(r for r in loaded.sent["SMS"] if r["direction"] == "outbound")
    page = loaded.daemon.records(loaded.account, product="SMS", id=record["id"], include_message="true",
                                 show_concatenated="true")
    answered = page["records"][0]
    assert (answered["message_body"], answered["concatenated"]) == (record["message_body"], record["concatenated"])


@pytest.mark.parametrize("beside", [["date_start", "date_end"], ["status"], ["cursor", "iv"], ["whatever"]])
def test_other_parameters_beside_id_are_an_invalid_filter(daemon, account, beside):
    response = daemon.get("/v2/reports/records", {
        "account_id": account.id, "product": "SMS", "id": str(uuid.uuid4()), **{name: "x" for name in beside}}, account)
    body = problem(response, 422, "Invalid filter")
    assert body["detail"] == f"When using id, the following parameters are not supported: [{', '.join(beside)}]"
    assert "invalid_parameters" not in body


def test_what_else_is_wrong_beside_an_invalid_filter_is_listed(daemon, account):
    response = daemon.get("/v2/reports/records", {"product": "SNS", "id": "x", "status": "delivered"}, account)
    body = problem(response, 422, "Invalid filter")
    assert body["detail"].endswith("[status]")
    assert [p["name"] for p in body["invalid_parameters"]] == ["product", "account_id"]


# --- errors ---

def test_all_problems_are_listed_at_once(daemon, account):
    reasons = invalid(daemon, account, {"product": "SMS", "status": "lost", "smell": "nice", "date_start": "x",
                                        "include_message": "perhaps"})
    assert sorted(reasons) == ["account_id", "date_start", "direction", "include_message", "smell", "status"]
    assert reasons["account_id"] == reasons["direction"] == "Missing required parameter"


def test_an_unknown_product_lists_the_known_ones(daemon, account):
    reason = invalid(daemon, account, {"account_id": account.id, "product": "SMOKE"})["product"]
    assert all(name in reason for name in PRODUCT_NAMES), reason


def test_a_query_without_anything_names_what_is_needed(daemon, account):
    reasons = invalid(daemon, account, {})
    assert reasons == {name: "Missing required parameter" for name in ("product", "account_id")}


@pytest.mark.parametrize("query", ["product=%zz", "product=%", "product=SMS%00", "product=%ff%fe"])
def test_a_broken_query_string_is_a_clear_error(daemon, account, query):
    response = daemon.get("/v2/reports/records", account=account, raw_query=query)
    assert response.status in (400, 422), response
    assert response.json()["detail"]


def test_wrong_credentials_are_401_without_saying_which(daemon, account):
    target = "/v2/reports/records?product=AMD&account_id=" + account.id
    bodies = []
    for auth in (None, (account.id, "wrong-secret"), ("nobody00", account.secret), ("", "")):
        response = daemon.request("GET", target, auth=auth)
        body = problem(response, 401, "Unauthorized")
        assert response.headers["WWW-Authenticate"].startswith("Basic")
        bodies.append({k: v for k, v in body.items() if k != "instance"})
    assert all(body == bodies[0] for body in bodies), bodies
    assert bodies[0]["detail"] == "You did not provide correct credentials."


@pytest.mark.parametrize("header", ["Basic", "Basic !!!", "Basic Og==", "Bearer x", "Basic " + "A" * 3000])
def test_broken_authorization_headers_are_401(daemon, header):
    response = daemon.get("/v2/reports/records", headers={"Authorization": header})
    problem(response, 401, "Unauthorized")


def test_a_disabled_account_is_401_until_it_is_enabled(daemon, account):
    query = {"account_id": account.id, "product": "AMD"}
    daemon.ctl("account", "disable", account.id)
    assert daemon.get("/v2/reports/records", query, account).status == 401
    daemon.ctl("account", "enable", account.id)
    assert daemon.get("/v2/reports/records", query, account).status == 200


def test_a_second_secret_works_and_a_revoked_one_does_not(daemon, account):
    query = {"account_id": account.id, "product": "AMD"}
    daemon.ctl("secret", "add", account.id, "--secret", "rotated-secret-2")
    rotated = harness.Account(account.id, "rotated-secret-2")
    assert [daemon.get("/v2/reports/records", query, a).status for a in (account, rotated)] == [200, 200]
    daemon.ctl("secret", "revoke", account.id, "1")
    assert [daemon.get("/v2/reports/records", query, a).status for a in (account, rotated)] == [401, 200]


def test_another_accounts_data_is_403(daemon, account):
    other = daemon.new_account()
    for wanted in (other.id, "nobody00"):
        response = daemon.get("/v2/reports/records", {"account_id": wanted, "product": "AMD"}, account)
        body = problem(response, 403, "Forbidden")
        assert body["detail"] == "User not authorized to query the requested data"


def test_a_primary_reads_its_subaccounts_and_not_the_reverse(daemon, account):
    child = daemon.new_account(parent=account)
    sibling = daemon.new_account(parent=account)
    record = sms(child)
    daemon.post_cdrs([record, sms(account)])
    query = {"product": "SMS", "direction": "outbound", **around_noon()}

    def status_and_ids(reader, owner):
        response = daemon.get("/v2/reports/records", {"account_id": owner.id, **query}, reader)
        return response.status, [r["id"] for r in response.json().get("records", [])]

    assert status_and_ids(account, child) == (200, [record["id"]])
    assert status_and_ids(child, child) == (200, [record["id"]])
    assert status_and_ids(child, account) == (403, [])
    assert status_and_ids(sibling, child) == (403, [])


def test_an_id_of_another_account_is_answered_like_one_that_does_not_exist(daemon, account):
    other = daemon.new_account()
    foreign = sms(other)
    daemon.post_cdrs([foreign])
    answers = []
    for id in (foreign["id"], str(uuid.uuid4())):
        page = daemon.records(account, product="SMS", id=id)
        assert page["ids_not_found"] == id
        answers.append({k: v for k, v in page.items()
                        if k not in ("request_id", "received_at", "ids_not_found", "_links", "id")})
    assert answers[0] == answers[1]
    assert answers[0]["records"] == []


# --- values beside the known ones ---

def test_an_unknown_status_is_taken_and_can_be_asked_for_where_that_is_set(daemons):
    daemon = daemons(filter_values="any")
    account = daemon.new_account()
    parked = sms(account, status="parked")
    daemon.post_cdrs([parked, sms(account)])
    query = {"product": "SMS", "direction": "outbound", **whole_day()}
    assert [r["id"] for r in daemon.records(account, status="parked", **query)["records"]] == [parked["id"]]
    body = json.dumps({"account_id": account.id, "status": "parked", **query})
    report = daemon.request("POST", "/v2/reports", body, {"Content-Type": "application/json"},
                            (account.id, account.secret))
    assert report.status == 200, report


def test_an_unknown_status_is_refused_in_a_query_as_ever_where_nothing_is_set(daemon, account):
    daemon.post_cdrs([sms(account, status="parked")])
    problem = daemon.records(account, 422, product="SMS", direction="outbound", status="parked", **whole_day())
    assert "parked" in problem["invalid_parameters"][0]["reason"], problem
