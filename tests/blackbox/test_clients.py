# SPDX-License-Identifier: ISC
"""What public clients of the Reports API send, as they send it, and what they must get.

Each row of RECORDS and REPORTS is the request of a client whose code is public, named by repository and path; the words
in braces are filled in. Where no client is known to the test, it says what it is that clients do.
"""
import base64
import datetime
import json
import time
import urllib.parse

import pytest

import harness
import reporting
from samples import DAY, HOUR, NOON, SECOND, UTC, YESTERDAY, iso, many_sms, moment, sms, whole_day
from test_callbacks import Receiver

NOW = datetime.datetime.now(UTC).replace(microsecond=0)
RECENT = NOW - datetime.timedelta(minutes=10)
ID = "9F3C2A10-77B4-4E0C-9B0E-0D6F0F0A7A11"  # as some clients write UUIDs

WORDS = {
    "day": YESTERDAY.strftime("%Y-%m-%d"),
    "next_day": (YESTERDAY + DAY).strftime("%Y-%m-%d"),
    "micros": YESTERDAY.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    "millis": (NOW - HOUR).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
    "week_ago": (NOW - 7 * DAY).strftime("%Y-%m-%dT%H:%M:%SZ"),
    "day_ago": urllib.parse.quote((NOW - DAY).isoformat()),
    "two_days_ago": urllib.parse.quote((NOW - 2 * DAY).isoformat()),
    "now": urllib.parse.quote(NOW.isoformat()),
    "java_day": YESTERDAY.strftime("%Y-%m-%dT%H:%MZ"),
    "java_next_day": (YESTERDAY + DAY).astimezone(datetime.timezone(2 * HOUR)).strftime("%Y-%m-%dT%H:%M%%2B02:00"),
    "now_z": NOW.strftime("%Y-%m-%dT%H:%M:%SZ"),
    "minute_ago": (NOW - datetime.timedelta(minutes=60)).strftime("%Y-%m-%dT%H:%M:%S.123Z"),
    "in_a_minute": (NOW + datetime.timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M:%S.123Z"),
    "ticks": YESTERDAY.strftime("%Y-%m-%dT%H%%3A%M%%3A%S.0000000Z"),
    "ticks_end": (YESTERDAY + DAY).strftime("%Y-%m-%dT%H%%3A%M%%3A%S.0000000Z"),
    "id": ID.lower(),
}

RECORDS = [
    ("airbytehq/airbyte: airbyte-integrations/connectors/source-vonage/source_vonage/manifest.yaml",
     "limit=100&account_id={account}&product=SMS&direction=outbound&date_start={micros}"),
    ("zatosource/zato: code/zato-server/src/zato/server/connection/sms/vonage.py, build_ping_request",
     "account_id={account}&product=SMS&direction=outbound&date_start={now}&date_end={now}"),
    ("zatosource/zato: code/zato-server/src/zato/server/connection/sms/vonage.py, build_poll_requests",
     "account_id={account}&product=SMS&direction=inbound&date_start={now}&date_end={now}&include_message=true"),
    ("directus/directus: docs/guides/extensions/panels-display-data-vonage.md, past day",
     "account_id={account}&product=SMS&direction=outbound&include_message=false&date_start={day_ago}&status=any"),
    ("directus/directus: docs/guides/extensions/panels-display-data-vonage.md, past two days",
     "account_id={account}&product=MESSAGES&direction=inbound&include_message=true&date_start={two_days_ago}&status=any"),
    ("Nexmo/nexmo-developer: blog, Introducing the Vonage Reports API, Python with both dates equal",
     "account_id={account}&product=SMS&direction=outbound&date_start={day}T00%3A00%3A00Z&date_end={day}T00%3A00%3A00Z"),
    ("Vonage/vonage-curl-code-snippets: reports/load-records-sync-dates.sh",
     "account_id={account}&product=SMS&direction=outbound&date_start={day}T00%3A00%3A00Z&date_end={next_day}T00%3A00%3A00Z"),
    ("Vonage/vonage-curl-code-snippets: reports/load-records-sync-id.sh",
     "account_id={account}&product=SMS&direction=outbound&id={id}"),
    ("Vonage/vonage-java-sdk: src/main/java/com/vonage/client/reports/RecordsFilter.java, dateStart alone",
     "product=SMS&account_id={account}&date_start={day}T00%3A00%3A00%2B00%3A00&direction=outbound&include_message=true"),
    ("Vonage/vonage-java-sdk: src/main/java/com/vonage/client/reports/RecordsFilter.java, dateEnd alone",
     "product=SMS&account_id={account}&date_end={next_day}T00%3A00%3A00%2B00%3A00&direction=outbound"),
    ("Vonage/vonage-dotnet-sdk: Vonage/Reports/LoadRecords/LoadRecordsRequest.cs",
     "product=SMS&account_id={account}&date_start={day}T02%3A00%3A00%2B02%3A00&date_end={next_day}T02%3A00%3A00%2B02%3A00"
     "&direction=outbound&status=delivered&include_message=false&show_concatenated=true"),
    ("Vonage/vonage-ruby-sdk: test/vonage/reports_test.rb, dates alone",
     "account_id={account}&product=SMS&direction=outbound&date_start={day}&date_end={next_day}"),
    ("Vonage-Community/vonage-mcp-server-api-bindings: src/index.ts",
     "product=SMS&account_id={account}&date_start={day}T00%3A00%3A00Z&to=447700900123&direction=outbound"
     "&include_message=true"),
    ("paragonsean/openapi-directory: APIs/nexmo.com/reports/2.2.2, Python: True and False, the default status",
     "account_id={account}&product=SMS&direction=outbound&date_start={day}T00:00:00%2B0000&date_end={next_day}T00:00:00"
     "%2B0000&include_message=False&show_concatenated=True&status=none"),
    ("a dashboard of messages (Express, getRecords): limit and date_start of a week ago",
     "account_id={account}&limit=100&product=MESSAGES&include_message=true&date_start={week_ago}&direction=outbound"
     "&to=447700900123"),
    ("a sender that polls for the final status (Node, pollFinalStatus): an end in the future",
     "account_id={account}&product=SMS&direction=outbound&date_start={minute_ago}&date_end={in_a_minute}"
     "&include_message=true"),
    ("a CRM (ASP.NET, ToString(\"o\")): seven digits of fraction",
     "account_id={account}&product=SMS&direction=outbound&date_start={ticks}&date_end={ticks_end}"),
    ("Java's OffsetDateTime.toString(): no seconds where they are zero",
     "account_id={account}&product=SMS&direction=outbound&date_start={java_day}&date_end={java_next_day}"),
    ("clients of PHP's http_build_query: true and false are 1 and 0",
     "account_id={account}&product=SMS&direction=outbound&date_start={day}&include_message=1&show_concatenated=0"),
    ("clients that send what they have not: empty values",
     "account_id={account}&product=SMS&direction=outbound&date_start={day}&date_end=&id=&status=&to=&cursor=&iv=&limit="),
    ("tools generated from the API's specification: every switch, off",
     "account_id={account}&product=VOICE-CALL&date_start={day}&include_message=false&show_concatenated=false"
     "&include_subaccounts=false"),
    ("a reseller's portal (Express): include_subaccounts beside records",
     "account_id={account}&product=SMS&direction=outbound&date_start={day}&include_subaccounts=false"),
]

REPORTS = [
    ("walter-vonage/reports-api: src/work/download_report.ts",
     {"product": "SMS", "direction": "outbound", "date_start": "{day}T00:00:00+00:00", "date_end": "{day}T23:59:59+00:00",
      "include_subaccounts": "false", "include_message": "false"}),
    ("Vonage/vonage-curl-code-snippets: reports/messages/create-async-report.sh",
     {"product": "MESSAGES", "direction": "outbound", "status": "delivered", "date_start": "{day}T00:00:00Z",
      "date_end": "{now_z}", "include_message": "true"}),
    ("a reseller's portal (Express): include_subaccounts as text, +0000",
     {"product": "SMS", "include_subaccounts": "true", "direction": "outbound", "date_start": "{day}T00:00:00+0000",
      "date_end": "{day}T23:59:59+0000"}),
    ("Vonage/vonage-php-code-snippets: reports/create-async-report.php", {"product": "SMS", "direction": "outbound"}),
    ("clients that send null and empty text for what they have not",
     {"product": "SMS", "direction": "outbound", "date_start": "{day}", "date_end": None, "status": "", "to": None,
      "callback_url": "", "include_subaccounts": None}),
    ("Python's True in text, any status, one date alone",
     {"product": "SMS", "direction": "outbound", "date_end": "{next_day}", "status": "any", "include_message": "True"}),
    ("a local day of 25 hours", {"product": "SMS", "direction": "outbound", "date_start": "{day}T00:00:00+02:00",
                                 "date_end": "{next_day}T00:00:00+01:00"}),
    ("an empty range", {"product": "SMS", "direction": "outbound", "date_start": "{day}", "date_end": "{day}"}),
]


def message(account, time, direction="outbound", **changes):
    return sms(account, time, product="MESSAGES", direction=direction, provider="whatsapp", **changes)


class Loaded:
    def __init__(self, daemon):
        self.daemon = daemon
        self.account = daemon.new_account()
        self.sent = [sms(self.account, NOON - SECOND, id=ID.lower(), message_id=ID.lower())]
        self.sent += many_sms(self.account, 150) + many_sms(self.account, 3, RECENT)
        self.sent += [sms(self.account, NOON, direction="inbound"), sms(self.account, RECENT, direction="inbound")]
        for time_us in (NOON, RECENT, NOW - 7 * DAY + HOUR, NOW - 2 * DAY + HOUR):
            self.sent += [message(self.account, time_us), message(self.account, time_us, "inbound")]
        self.sent += [{"product": "VOICE-CALL", "account_id": self.account.id, "id": f"call-{i}", "call_id": f"call-{i}",
                       "direction": "outbound", "date_start": iso(NOON + i * SECOND)} for i in range(3)]
        answer = daemon.post_cdrs(self.sent)
        assert answer["accepted"] == len(self.sent), answer

    def within(self, product, direction, start, end):
        """Ids of what was sent in the range that an answer echoes."""
        time_column = "date_start" if product == "VOICE-CALL" else "date_received"
        found = [r for r in self.sent if r["product"] == product and r["direction"] == direction and
                 moment(start) <= moment(r[time_column]) < moment(end)]
        return [r["id"] for r in sorted(found, key=lambda r: r[time_column])]


@pytest.fixture(scope="module")
def loaded(daemon):
    return Loaded(daemon)


def records(daemon, account, query, status=200, headers=None):
    response = daemon.get("/v2/reports/records", account=account, raw_query=query, headers=headers)
    assert response.status == status, f"{query}: {response}"
    return response.json()


def fill(text, account):
    return text.format(account=account.id, **WORDS) if isinstance(text, str) else text


# --- requests of clients ---

@pytest.mark.parametrize("source, query", RECORDS, ids=[source for source, _ in RECORDS])
def test_records_of_a_public_client(loaded, source, query):
    query = fill(query, loaded.account)
    params = dict(urllib.parse.parse_qsl(query))
    page = records(loaded.daemon, loaded.account, query)
    got = [r["id"] for r in page["records"]]
    if "id" in params:
        assert got == [params["id"]]
        return
    wanted = loaded.within(params["product"], params.get("direction", "outbound"), page["date_start"], page["date_end"])
    assert got == wanted[:int(params.get("limit", 1000))]
    assert page["request_status"] == ("TRUNCATED" if len(got) < len(wanted) else "SUCCESS")
    empty = params.get("date_start") == params.get("date_end")
    assert bool(got) != empty, page["date_start"] + " to " + page["date_end"]


@pytest.mark.parametrize("source, body", REPORTS, ids=[source for source, _ in REPORTS])
def test_a_report_of_a_public_client(loaded, source, body):
    body = {name: fill(value, loaded.account) for name, value in body.items()}
    ended = reporting.make(loaded.daemon, loaded.account, **body)
    wanted = loaded.within(body["product"], "outbound", ended["date_start"], ended["date_end"])
    rows = reporting.rows(loaded.daemon, loaded.account, ended)
    assert [r["id"] for r in rows] == wanted
    assert bool(wanted) != (source == "an empty range")


# --- ranges ---

def test_a_client_that_goes_on_from_the_echoed_end_gets_everything(loaded):
    """date_start alone, as in airbytehq/airbyte's source-vonage, in steps of a day."""
    start, got = iso(NOW - 8 * DAY), []
    for _ in range(20):
        page = loaded.daemon.records(loaded.account, product="MESSAGES", direction="outbound", date_start=start)
        got += [r["id"] for r in page["records"]]
        assert moment(page["date_end"]) - moment(start) <= DAY
        if moment(page["date_end"]) >= NOW:
            break
        assert moment(page["date_end"]) > moment(start)
        start = page["date_end"]
    assert got == loaded.within("MESSAGES", "outbound", iso(NOW - 8 * DAY), iso(NOW))


@pytest.mark.parametrize("path", ["records", "summary"])
def test_the_end_alone_reaches_back(loaded, path):
    response = loaded.daemon.get("/v2/reports/" + path, {"account_id": loaded.account.id, "product": "SMS",
                                                         "direction": "outbound", "date_end": iso(YESTERDAY + DAY)},
                                 loaded.account)
    assert response.status == 200, response
    answer = response.json()
    assert moment(answer["date_end"]) - moment(answer["date_start"]) == (DAY if path == "records" else 7 * DAY)


def test_an_empty_range_is_free(daemon, account):
    daemon.post_cdrs([sms(account, NOON)])
    noon = {"date_start": iso(NOON), "date_end": iso(NOON)}
    page = daemon.records(account, product="SMS", direction="outbound", **noon)
    assert (page["items_count"], page["records"], page["price"]) == (0, [], 0)
    estimate = reporting.post(daemon, account, {"account_id": account.id, "product": "SMS", "direction": "outbound", **noon},
                              path="/v2/reports/estimate")
    assert estimate.status == 200 and estimate.json()["items_count"] == 0, estimate
    summary = daemon.get("/v2/reports/summary", {"account_id": account.id, "product": "SMS", "interval": "day", **noon},
                         account)
    assert summary.status == 200 and summary.json()["total"]["count"] == 0, summary
    assert usage_of(daemon, account) == []


def usage_of(daemon, account):
    time.sleep(0.1)
    hour = datetime.datetime.now(UTC)
    return daemon.records(account, product="REPORTS-USAGE", date_start=iso(hour - HOUR), date_end=iso(hour + HOUR))["records"]


def last_sunday_of_october():
    """The last one that is over."""
    for year in (NOW.year, NOW.year - 1):
        day = datetime.datetime(year, 10, 31, tzinfo=UTC)
        day -= (day.weekday() + 1) % 7 * DAY
        if day + 2 * DAY < NOW:
            return day


def test_a_local_day_of_25_hours_is_a_day(daemon, account):
    """Berlin, the night in which summer time ends."""
    sunday = last_sunday_of_october()
    first = sunday - 2 * HOUR
    daemon.post_cdrs([sms(account, first), sms(account, first + 25 * HOUR - SECOND), sms(account, first + 25 * HOUR)])
    query = f"account_id={account.id}&product=SMS&direction=outbound&date_start={sunday:%Y-%m-%d}T00:00:00%2B02:00&date_end="
    monday = f"{sunday + DAY:%Y-%m-%d}"
    assert records(daemon, account, query + monday + "T00:00:00%2B01:00")["items_count"] == 2
    problem = records(daemon, account, query + monday + "T01:00:00%2B01:00", 422)
    assert "26 hours after date_start, at most 24 hours allowed" in problem["invalid_parameters"][0]["reason"]


def test_too_long_a_range_says_what_to_use(daemon, account):
    query = {"account_id": account.id, "product": "SMS", "direction": "outbound", "date_start": "2025-01-01"}
    month = daemon.get("/v2/reports/records", {**query, "date_end": "2025-01-31"}, account).json()
    assert month["invalid_parameters"] == [{"name": "date_end", "reason": "30 days after date_start, at most 24 hours allowed: "
                                            "ask for a report instead (POST /v2/reports), or for the parts one after the other"}]
    years = reporting.post(daemon, account, {**query, "date_end": "2026-11-01"}).json()
    assert years["invalid_parameters"] == [{"name": "date_end", "reason": "669 days after date_start, at most 397 days allowed: "
                                            "ask for several reports instead"}]


# --- ids, limits ---

@pytest.mark.parametrize("query", ["id=", "id=&date_start=&date_end=", "id=%20"])
def test_an_empty_id_is_refused_and_costs_nothing(daemon, account, query):
    daemon.post_cdrs([sms(account, RECENT)])
    problem = records(daemon, account, f"account_id={account.id}&product=SMS&direction=outbound&{query}", 422)
    assert [p["name"] for p in problem["invalid_parameters"]] == ["id"]
    assert usage_of(daemon, account) == []


def test_limit_is_the_size_of_all_pages(daemon, account):
    sent = many_sms(account, 25)
    daemon.post_cdrs(sent)
    query = dict(product="SMS", direction="outbound", limit=10, **whole_day())
    followed = list(daemon.pages(account, **query))
    assert [p["items_count"] for p in followed] == [10, 10, 5]
    assert [r["id"] for p in followed for r in p["records"]] == [r["id"] for r in sent]
    own = daemon.records(account, cursor=followed[0]["cursor"], iv=followed[0]["iv"], **query)
    assert own["records"] == followed[1]["records"]
    # the cursor knows it, too
    del query["limit"]
    bare = daemon.records(account, cursor=followed[0]["cursor"], iv=followed[0]["iv"], **query)
    assert bare["records"] == followed[1]["records"] and bare["price"] == 0
    usage = usage_of(daemon, account)
    assert sorted(int(u["items_written"]) for u in usage if float(u["total_price"]) > 0) == [5, 10, 10]


def test_pages_of_a_range_without_an_end_have_one(loaded):
    pages = []
    for page in loaded.daemon.pages(loaded.account, product="SMS", direction="outbound", date_start=iso(NOON), limit=60):
        pages.append(page)
        time.sleep(0.4)  # now moves, the range does not
    assert len({(p["date_start"], p["date_end"]) for p in pages}) == 1 and len(pages) >= 3
    wanted = loaded.within("SMS", "outbound", pages[0]["date_start"], pages[0]["date_end"])
    assert [r["id"] for p in pages for r in p["records"]] == wanted


def test_a_larger_limit_beside_a_cursor_is_paid(daemon, account):
    daemon.post_cdrs(many_sms(account, 25))
    query = dict(product="SMS", direction="outbound", **whole_day())
    first = daemon.records(account, limit=5, **query)
    goes_on = {"cursor": first["cursor"], "iv": first["iv"]}
    assert daemon.records(account, limit=5, **goes_on, **query)["price"] > 0
    more = daemon.records(account, limit=20, **goes_on, **query)
    assert (more["items_count"], more["request_status"]) == (20, "SUCCESS") and more["price"] > 0
    assert daemon.records(account, limit=20, **goes_on, **query)["price"] == 0


def test_a_uuid_is_found_in_either_case(daemons):
    daemon = daemons(seal_age="10ms")
    account = daemon.new_account()
    other = {"id": ID, "message_id": "0C000000ABCDEF12"}
    daemon.post_cdrs([sms(account, **other)])
    for _ in range(2):  # hot, then sealed
        for id in (ID, ID.lower(), ID[:18] + ID[18:].lower()):
            page = daemon.records(account, product="SMS", id=id)
            assert [r["id"] for r in page["records"]] == [ID], id
        assert daemon.records(account, product="SMS", id="0C000000ABCDEF12")["items_count"] == 1
        assert daemon.records(account, product="SMS", id="0c000000abcdef12")["items_count"] == 0  # no UUID
        daemon.ctl("seal")
    # the same record, whatever the case
    answer = daemon.post_cdrs([sms(account, **{**other, "id": ID.lower(), "status": "failed"})])
    assert (answer["accepted"], answer["updated"]) == (0, 1), answer
    page = daemon.records(account, product="SMS", direction="outbound", **whole_day())
    assert [(r["id"], r["status"]) for r in page["records"]] == [(ID.lower(), "failed")]


def test_reports_and_files_are_found_by_ids_in_upper_case(loaded):
    ended = reporting.make(loaded.daemon, loaded.account, product="SMS", direction="outbound")
    status = loaded.daemon.get("/v2/reports/" + ended["request_id"].upper(), account=loaded.account)
    assert status.status == 200 and status.json()["request_id"] == ended["request_id"]
    path, file = reporting.media_path(ended).rsplit("/", 1)
    assert loaded.daemon.get(f"{path}/{file.upper()}", account=loaded.account).status == 200
    assert reporting.cancel(loaded.daemon, loaded.account, ended["request_id"].upper()).status == 409


# --- numbers ---

FORMS = ["447700900555", "+447700900555"]
ASKED = ["447700900555", "%2B447700900555", "+447700900555", "%20447700900555"]


@pytest.mark.parametrize("sealed", [False, True], ids=["hot", "sealed"])
@pytest.mark.parametrize("many", [False, True], ids=["few values", "many values"])
def test_numbers_are_found_with_and_without_a_plus(daemons, many, sealed):
    daemon = daemons(seal_age="1d")
    account = daemon.new_account()
    others = [sms(account, NOON + i * SECOND, to=f"+4915112{i:06d}") for i in range(400 if many else 2)]
    wanted = [sms(account, NOON - HOUR + i * SECOND, to=form, **{"from": form}) for i, form in enumerate(FORMS)]
    daemon.post_cdrs(others + wanted)
    if sealed:
        daemon.ctl("seal")
    for name in ("to", "from"):
        for asked in ASKED:
            query = f"account_id={account.id}&product=SMS&{name}={asked}&date_start={WORDS['day']}&date_end={WORDS['next_day']}"
            page = records(daemon, account, query + "&direction=outbound")
            assert [r["id"] for r in page["records"]] == [r["id"] for r in wanted], query
            assert page[name] == urllib.parse.unquote(asked).replace(" ", "+")
            summary = daemon.get("/v2/reports/summary", account=account, raw_query=query)
            assert summary.json()["total"]["count"] == 2, query
        for form in FORMS:
            body = {"product": "SMS", "direction": "outbound", name: form, **whole_day()}
            estimate = reporting.post(daemon, account, {"account_id": account.id, **body}, path="/v2/reports/estimate")
            assert estimate.json()["items_count"] == 2, estimate
            rows = reporting.rows(daemon, account, reporting.make(daemon, account, **body))
            assert [r[name] for r in rows] == FORMS


@pytest.mark.parametrize("sealed", [False, True], ids=["hot", "sealed"])
def test_a_country_is_found_in_either_case(daemons, sealed):
    """In silence, it would be as if there were nothing."""
    daemon = daemons(seal_age="1d")
    account = daemon.new_account()
    daemon.post_cdrs([sms(account, NOON + i * SECOND, country=country) for i, country in enumerate(["GB", "DE", "gb", "FR"])])
    daemon.post_cdrs([{"product": "NETWORK-API-EVENT", "account_id": account.id, "id": ID, "event_time": iso(NOON),
                       "country_code": "GB"}])
    if sealed:
        daemon.ctl("seal")
    for country in ("GB", "gb", "Gb"):
        query = {"country": country, **whole_day()}
        page = daemon.records(account, product="SMS", direction="outbound", **query)
        assert [r["country"] for r in page["records"]] == ["GB", "gb"] and page["country"] == country
        assert daemon.records(account, product="NETWORK-API-EVENT", **query)["items_count"] == 1
        summary = daemon.get("/v2/reports/summary", {"account_id": account.id, "product": "SMS", **query}, account)
        assert summary.json()["total"]["count"] == 2
        estimate = reporting.post(daemon, account, {"account_id": account.id, "product": "SMS", "direction": "outbound", **query},
                                  path="/v2/reports/estimate")
        assert estimate.json()["items_count"] == 2, estimate


# --- lists of reports ---

def test_each_status_of_a_list_counts(loaded):
    daemon, account = loaded.daemon, loaded.daemon.new_account()
    made = reporting.make(daemon, account, product="SMS", direction="outbound")["request_id"]
    for query in ("status=SUCCESS,%20FAILED", "status=SUCCESS&status=FAILED", "status=FAILED&status=SUCCESS", "status=any",
                  "status=PENDING, PROCESSING, SUCCESS, ABORTED, FAILED, TRUNCATED".replace(" ", "+"), "status=",
                  f"status=SUCCESS&date_from={WORDS['day']}", f"date_to={(NOW + DAY).strftime('%Y-%m-%d')}"):
        response = daemon.get("/v2/reports", account=account, raw_query=f"account_id={account.id}&{query}")
        assert response.status == 200, f"{query}: {response}"
        assert [r["request_id"] for r in response.json()["reports"]] == [made], query
    response = daemon.get("/v2/reports", account=account, raw_query=f"account_id={account.id}&status=FAILED&status=ABORTED")
    assert response.json()["reports"] == []
    for name, says in (("date_start", "Not taken here, but by: GET /v2/reports/records, POST /v2/reports"),
                       ("api_key", "credentials belong in the Authorization header"), ("to", "Filters records"),
                       ("colour", "Unknown parameter")):
        other = daemon.get("/v2/reports", {"account_id": account.id, name: "x"}, account)
        assert other.status == 400 and f"{name}: " in other.json()["detail"] and says in other.json()["detail"], other
    twice = daemon.get("/v2/reports", account=account, raw_query=f"account_id={account.id}&date_from={WORDS['day']}"
                       f"&date_from={WORDS['day']}")
    assert twice.status == 400 and "date_from: Given more than once" in twice.json()["detail"], twice


# --- answers, credentials, callbacks ---

def texts_of(value):
    if isinstance(value, dict):
        return [text for item in value.values() for text in texts_of(item)]
    if isinstance(value, list):
        return [text for item in value for text in texts_of(item)]
    return [value] if isinstance(value, str) else []


def test_times_of_all_answers_have_a_colon_in_their_offset(daemons):
    receiver = Receiver()
    daemon = daemons(callback_allow="127.0.0.0/8")
    account = daemon.new_account()
    daemon.post_cdrs(many_sms(account, 3))
    query = {"account_id": account.id, "product": "SMS", "direction": "outbound", **whole_day()}
    ended = reporting.make(daemon, account, **{k: v for k, v in query.items() if k != "account_id"},
                           callback_url=receiver.url())
    harness.wait_for(lambda: receiver.requests)
    receiver.close()
    answers = [ended, json.loads(receiver.requests[0][2])]
    for path, params in (("records", query), ("summary", {**query, "interval": "day"}),
                         ("changes", {"account_id": account.id, "product": "SMS"}),
                         ("estimate", None)):
        response = daemon.get("/v2/reports/" + path, params, account) if params else \
            reporting.post(daemon, account, query, path="/v2/reports/estimate")
        assert response.status == 200, response
        answers.append(response.json())
    answers.append(daemon.get("/v2/reports", {"account_id": account.id}, account).json())
    times = [t for answer in answers for t in texts_of(answer) if len(t) > 19 and t[4:5] == t[7:8] == "-" and t[10] == "T"]
    assert len(times) > 10
    assert [t for t in times if not t.endswith("+00:00")] == []


@pytest.mark.parametrize("alphabet", [base64.b64encode, base64.urlsafe_b64encode], ids=["base64", "base64url"])
@pytest.mark.parametrize("padded", [True, False], ids=["padded", "bare"])
def test_credentials_in_both_alphabets_with_and_without_padding(daemon, alphabet, padded):
    """Go's base64.RawURLEncoding, among others."""
    for secret in ("a", "ab", "abc", "b\u00ff\u00ff\u00ff?>"):
        account = harness.Account(f"c{next(harness.Daemon.account_numbers):07d}", "secret-" + secret)
        daemon.ctl("account", "add", account.id, "--secret", account.secret)
        credentials = alphabet(f"{account.id}:{account.secret}".encode()).decode()
        headers = {"Authorization": "Basic " + (credentials if padded else credentials.rstrip("="))}
        response = daemon.request("GET", f"/v2/reports?account_id={account.id}", headers=headers)
        assert response.status == 200, (credentials, response)


def test_a_callback_url_of_16_kilobytes_is_kept_and_called(daemons):
    """walter-vonage/reports-api puts a token of several kilobytes into it."""
    receiver = Receiver()
    daemon = daemons(callback_allow="127.0.0.0/8")
    account = daemon.new_account()
    path = "/reports/callback/"
    url = receiver.url(path=path + "t" * (16384 - len(receiver.url(path=path))))
    assert len(url) == 16384
    ended = reporting.make(daemon, account, product="SMS", direction="outbound", callback_url=url)
    assert ended["callback_url"] == url
    harness.wait_for(lambda: receiver.requests)
    receiver.close()
    assert receiver.requests[0][0] == url[url.index(path):]
    refused = reporting.post(daemon, account, {"account_id": account.id, "product": "SMS", "direction": "outbound",
                                               "callback_url": url + "t"})
    assert refused.json()["invalid_parameters"] == [{"name": "callback_url",
                                                     "reason": "16385 bytes, at most 16384 allowed"}]


@pytest.mark.parametrize("name, says", [
    ("include_subaccounts=true", "Known to the Reports API, but not supported here"),
    ("api_key=a", "credentials belong in the Authorization header"),
    ("date_from=2026-01-01", "here it is date_start"),
    ("callback_url=http://example.com", "Not taken here, but by: POST /v2/reports"),
    ("colour=red", "Unknown parameter"),
])
def test_parameters_of_other_versions_are_told_from_unknown_ones(daemon, account, name, says):
    problem = records(daemon, account, f"account_id={account.id}&product=SMS&direction=outbound&{name}", 422)
    assert says in problem["invalid_parameters"][0]["reason"], problem
