# SPDX-License-Identifier: ISC
"""Mappings: what other programs write is stored as records, each shipped mapping with a sample of its program."""
import datetime
import os
import urllib.parse

import harness
import pytest
from samples import YESTERDAY, whole_day

HERE = os.path.dirname(os.path.abspath(__file__))
MAPPINGS = os.path.join(HERE, "..", "..", "etc", "mappings")
SAMPLES = os.path.join(HERE, "data", "mappings")
SHIPPED = sorted(name[:-5] for name in os.listdir(MAPPINGS))

AFTERNOON = YESTERDAY + datetime.timedelta(hours=14, minutes=3, seconds=34)


@pytest.fixture(scope="module")
def daemon(daemons):
    return daemons(mappings_dir=MAPPINGS)


def sample(name, account):
    """The sample's text, of yesterday and of the account."""
    with open(os.path.join(SAMPLES, name + ".sample"), encoding="utf-8") as file:
        text = file.read()
    replaced = {"@DAY@": f"{AFTERNOON:%Y-%m-%d}", "@EPOCH@": str(int(AFTERNOON.timestamp())), "@ACCOUNT@": account.id}
    for mark, value in replaced.items():
        text = text.replace(mark, value)
    return text.encode()


def post(daemon, body, auth=harness.PRODUCER, headers=None, **params):
    target = "/v1/cdrs?" + urllib.parse.urlencode(params)
    return daemon.request("POST", target, body, headers or {"Content-Type": "text/plain"}, auth)


def stored(daemon, account, product, **params):
    """The stored records by id, with the values that are not empty."""
    params = {"direction": "outbound", "include_message": "true", **params} if product == "SMS" else params
    records = daemon.records(account, product=product, **whole_day(), **params)["records"]
    return {r["id"]: {k: v for k, v in r.items() if v != ""} for r in records}


def some(record, *names):
    return tuple(record.get(name) for name in names)


def counts(answer):
    return tuple(answer[name] for name in ("accepted", "updated", "rejected", "skipped"))


def ingest(daemon, name, account, **params):
    response = post(daemon, sample(name, account), mapping=name, time_zone="UTC", **params)
    assert response.status == 200, response
    return response.json()


# --- what is shipped ---


def test_every_shipped_mapping_has_a_sample():
    assert [name for name in SHIPPED if not os.path.exists(os.path.join(SAMPLES, name + ".sample"))] == []


def test_asterisk_csv_rows_are_calls_by_unique_id_and_sequence(daemon, account):
    assert counts(ingest(daemon, "asterisk-csv", account, account_id=account.id)) == (4, 0, 0, 0)
    calls = stored(daemon, account, "VOICE-CALL")
    assert sorted(calls) == ["1795529014.0-0", "1795529014.5-12", "1795529014.5-5", "1795529015.1"]
    names = ("account_id", "call_id", "direction", "from", "to", "duration", "status", "date_end")
    assert some(calls["1795529014.5-5"], *names) == (
        account.id, "1795529014.5", "outbound", "15550100001", "447700900999", "0", "busy",
        f"{AFTERNOON:%Y-%m-%d}T14:03:35+00:00")
    assert some(calls["1795529014.0-0"], "direction", "duration", "status") == ("inbound", "2", "answered")
    assert some(calls["1795529015.1"], "direction", "status") == (None, "failed")


def test_asterisk_events_of_a_channel_complete_its_record(daemon, account):
    assert counts(ingest(daemon, "asterisk-cel", account, account_id=account.id)) == (2, 2, 0, 4)
    calls = stored(daemon, account, "VOICE-CALL")
    assert some(calls["1795529014.0"], "status", "to") == ("started", "447700900123")
    names = ("call_id", "from", "date_start", "date_end", "status", "status_code", "status_description")
    assert some(calls["1795529014.1"], *names) == (
        "1795529014.0", "15550100001", f"{AFTERNOON:%Y-%m-%d}T14:03:34.571+00:00",
        f"{AFTERNOON:%Y-%m-%d}T14:03:37.575+00:00", "completed", "16", "ANSWER")


def test_freeswitch_csv_says_why_a_call_was_not_answered(daemon, account):
    assert counts(ingest(daemon, "freeswitch-csv", account)) == (2, 0, 0, 0)
    calls = stored(daemon, account, "VOICE-CALL")
    names = ("from", "to", "duration", "status", "status_description")
    assert some(calls["7a1f9e52-90b1-4b7c-9a55-0d3f6f0e0a01"], *names) == (
        "15550100001", "447700900123", "4", "answered", "NORMAL_CLEARING")
    assert some(calls["7a1f9e52-90b1-4b7c-9a55-0d3f6f0e0a02"], "status") == ("timeout",)


FREESWITCH_NAMES = ("from", "to", "date_start", "duration", "status", "status_code")


def test_freeswitch_json_is_read_with_its_nans_and_encoded_values(daemon, account):
    assert counts(ingest(daemon, "freeswitch-json", account)) == (2, 0, 0, 0)
    calls = stored(daemon, account, "VOICE-CALL")
    start = f"{AFTERNOON:%Y-%m-%d}T14:03:34.123456+00:00"
    assert some(calls["7a1f9e52-90b1-4b7c-9a55-0d3f6f0e0b01"], *FREESWITCH_NAMES) == (
        "15550100001", "447700900123", start, "4", "answered", "16")
    assert some(calls["7a1f9e52-90b1-4b7c-9a55-0d3f6f0e0b02"], *FREESWITCH_NAMES) == (
        "+15550100001", "447700900124", start, "0", "busy", "17")


def test_kannel_texts_may_hold_the_delimiter_and_reports_update_their_message(daemon, account):
    answer = ingest(daemon, "kannel-access", account)
    assert counts(answer) == (3, 1, 1, 1)
    assert [(e["line"], e["field"]) for e in answer["errors"]] == [(6, "id")]
    sent = stored(daemon, account, "SMS")
    names = ("from", "to", "message_body", "client_ref", "status", "date_finalized")
    moment = f"{AFTERNOON:%Y-%m-%d}T14:03:34+00:00"
    assert some(sent["2fd9af6f-fbb0-4210-acf4-733e0d3a1b40"], *names) == (
        "12345", "+447700900123", "Hello | world.line2", "ref-1", "delivered", moment)
    assert some(sent["8dc042f6-89ce-461b-b7a4-0a6fb584a4c0"], "message_body", "status") == ("00480069", "submitted")
    received = stored(daemon, account, "SMS", direction="inbound")
    assert some(received["02be5e7b-a01b-4ff7-8d5e-261dbd62f308"], "from", "to", "message_body") == (
        "447700900555", "789", "nop")


@pytest.mark.parametrize("days, found", [(0, True), (1, True), (6, True), (9, False)])
def test_a_report_finds_its_message_up_to_a_week_before_and_keeps_its_time(daemon, account, days, found):
    sent, report = (int((YESTERDAY + datetime.timedelta(days=-day, hours=12)).timestamp()) for day in (days, 0))
    body = (f"{sent}|Sent SMS|late-{days}||FAKE|{account.id}|||12345|447700900123|0|31|2|Hi|\n"
            f"{report}|Receive DLR|x|late-{days}|FAKE|{account.id}|||12345|447700900123|-1|1|0||\n")
    answer = post(daemon, body.encode(), mapping="kannel-access").json()
    assert counts(answer) == ((1, 1, 0, 0) if found else (1, 0, 1, 0)), answer
    [record] = daemon.records(account, product="SMS", id=f"late-{days}")["records"]
    assert record["status"] == ("delivered" if found else "submitted")
    assert datetime.datetime.fromisoformat(record["date_received"]).timestamp() == sent


def test_a_report_that_is_late_itself_changes_nothing_that_is_final(daemon, account):
    body = sample("kannel-access", account).split(b"\n")
    again = body[3].replace(b"|-1|1|0||", b"|-1|8|0||")  # accepted, after delivered
    answer = post(daemon, b"\n".join([body[1], body[3], again]), mapping="kannel-access").json()
    assert (answer["accepted"], answer["updated"], answer["outdated"]) == (1, 1, 1)
    assert stored(daemon, account, "SMS")["2fd9af6f-fbb0-4210-acf4-733e0d3a1b40"]["status"] == "delivered"


def test_kamailio_transaction_and_call_are_one_record(daemon, account):
    assert counts(ingest(daemon, "kamailio-acc-json", account)) == (2, 1, 0, 2)
    calls = stored(daemon, account, "VOICE-CALL")
    names = ("from", "to", "date_start", "duration", "status", "status_code", "status_description")
    assert some(calls["1-28564@127.0.0.1"], *names) == (
        account.id, "447700900123", f"{AFTERNOON:%Y-%m-%d}T14:03:34.206+00:00", "0.511", "answered", "200", "OK")
    assert some(calls["2-28564@127.0.0.1"], "status", "status_code") == ("busy", "486")


def test_jasmin_messages_are_named_by_the_id_of_their_reports(daemon, account):
    assert counts(ingest(daemon, "jasmin", account)) == (3, 1, 0, 2)
    sent = stored(daemon, account, "SMS")
    names = ("from", "to", "message_body", "status", "client_ref", "error_code")
    assert some(sent["07033084"], *names) == (
        "ACME", "447700900123", "It's [here], \u00e9", "delivered", "9e5c0c1e-b1d1-4a8e-9f0e-1d9a6f0e0c01", "000")
    assert some(sent["9e5c0c1e-b1d1-4a8e-9f0e-1d9a6f0e0c02"], "status", "error_code_description") == (
        "failed", "ESME_RINVDSTADR")
    received = stored(daemon, account, "SMS", direction="inbound")
    assert some(received["9e5c0c1e-b1d1-4a8e-9f0e-1d9a6f0e0c03"], "message_body") == ("STOP [now]",)


def test_generic_csv_takes_columns_by_their_names(daemon, account):
    assert counts(ingest(daemon, "generic-csv", account)) == (2, 0, 0, 0)
    calls = stored(daemon, account, "VOICE-CALL")
    assert some(calls["call-1"], "from", "duration", "status", "total_price", "currency") == (
        "15550100001", "6", "answered", "0.0120", "EUR")
    assert some(calls["call-2"], "status", "date_end") == ("busy", None)


def test_rows_that_end_in_carriage_returns_alone_are_told_and_not_taken_for_a_header(daemon, account, tmp_path):
    file = tmp_path / "mac.csv"
    file.write_bytes(b"id,from,to,start,duration,status\rx,15550100001,447700900123,2026-11-24T14:03:34Z,4,answered\r")
    tried = daemon.ctl_run("mapping", "try", "generic-csv", str(file), "--account-id", account.id)
    assert tried.returncode == 1 and b"carriage return" in tried.stderr, tried
    answer = post(daemon, file.read_bytes(), mapping="generic-csv", account_id=account.id)
    assert answer.status == 400 and b"lines must end in a line feed" in answer.body


@pytest.mark.parametrize("name", SHIPPED)
def test_a_mapped_body_in_small_pieces_is_stored_as_a_whole_one_is(daemon, name):
    whole, pieces = harness.Account(f"whole-{name}"), harness.Account(f"pieces-{name}")
    for account in (whole, pieces):
        daemon.ctl("account", "add", account.id, "--secret", account.secret)
    ingest(daemon, name, whole, account_id=whole.id)
    body = sample(name, pieces)
    cut = [body[at:at + 7] for at in range(0, len(body), 7)]
    response = daemon.request(
        "POST", f"/v1/cdrs?mapping={name}&time_zone=UTC&account_id={pieces.id}", iter(cut),
        {"Content-Type": "text/plain"}, harness.PRODUCER)
    assert response.status == 200, response
    product = "SMS" if name in ("kannel-access", "jasmin") else "VOICE-CALL"
    seen = [{id: {name: "its id" if value == account.id else value for name, value in record.items()}
             for id, record in stored(daemon, account, product).items()} for account in (whole, pieces)]
    assert seen[0] == seen[1]


# --- accounts ---


def test_rows_of_no_known_account_go_to_the_one_of_the_request(daemon, account):
    other = daemon.new_account()
    body = sample("freeswitch-csv", other).replace(f'"{other.id}"'.encode(), b'"nobody00"', 1)
    assert counts(post(daemon, body, mapping="freeswitch-csv", time_zone="UTC", account_id=account.id).json()) == (
        2, 0, 0, 0)
    assert len(stored(daemon, account, "VOICE-CALL")) == 1
    assert len(stored(daemon, other, "VOICE-CALL")) == 1


def test_an_account_that_no_row_names_and_none_is_given_is_a_fault_of_the_row(daemon, account):
    body = sample("freeswitch-csv", account).replace(f'"{account.id}"'.encode(), b'"nobody00"', 1)
    answer = post(daemon, body, mapping="freeswitch-csv", time_zone="UTC").json()
    assert answer["accepted"] == 1
    assert [(e["line"], e["field"], e["reason"]) for e in answer["errors"]] == [
        (1, "account_id", 'Unknown account "nobody00"')]


# --- what is refused ---


@pytest.mark.parametrize("params, field, status", [
    ({"mapping": "nothing"}, "mapping", 400),
    ({"mapping": "a/b"}, "mapping", 422),
    ({"account_id": "abcd1234"}, "account_id", 422),
])
def test_a_wrong_parameter_is_told(daemon, params, field, status):
    response = post(daemon, b"{}", headers={"Content-Type": "application/json"}, **params)
    assert response.status == status, response
    assert field in response.body.decode()


def test_local_times_without_a_zone_are_refused_not_guessed(daemon, account):
    answer = post(daemon, sample("freeswitch-csv", account), mapping="freeswitch-csv").json()
    assert answer["accepted"] == 0
    assert "time_zone" in answer["errors"][0]["reason"]


def test_a_rejected_row_is_in_quarantine_and_can_be_replayed(daemon):
    account = harness.Account("late0001")
    answer = post(daemon, sample("freeswitch-csv", account), mapping="freeswitch-csv", time_zone="UTC").json()
    assert answer["rejected"] == 2
    entries = daemon.ctl("quarantine", "list", "--account", account.id)
    assert [e["field"] for e in entries] == ["account_id", "account_id"]
    shown = daemon.ctl("quarantine", "show", str(entries[0]["number"]))
    assert (shown["format"], shown["mapping"], shown["time_zone"]) == ("mapped", "freeswitch-csv", "UTC")
    assert account.id in shown["record"]
    daemon.ctl("account", "add", account.id, "--secret", account.secret)
    daemon.ctl("quarantine", "replay", "all", "--account", account.id)
    assert len(stored(daemon, account, "VOICE-CALL")) == 2
    assert daemon.ctl("quarantine", "list", "--account", account.id) == []


# --- FreeSWITCH's posts ---


def encoded_form(body):
    return b"cdr=" + urllib.parse.quote_from_bytes(body).encode()


def base64_form(body):
    import base64
    return b"cdr=" + base64.b64encode(body)


POSTS = {
    "json": ("application/json", lambda body: body),
    "form": ("application/x-www-form-urlencoded", encoded_form),
    "base64": ("application/x-www-form-base64-encoded", base64_form),
}


@pytest.mark.parametrize("kind", POSTS)
def test_what_mod_json_cdr_posts_is_stored(daemon, account, kind):
    media_type, pack = POSTS[kind]
    body = pack(sample("freeswitch-json", account).split(b"\n", maxsplit=1)[0])
    # As it does: "?uuid=" after the URL of its configuration, whatever that has.
    target = "/v1/cdrs?mapping=freeswitch-json?uuid=a_7a1f9e52-90b1-4b7c-9a55-0d3f6f0e0b01"
    response = daemon.request("POST", target, body, {"Content-Type": media_type}, harness.PRODUCER)
    assert response.status == 200, response
    assert len(stored(daemon, account, "VOICE-CALL")) == 1


def test_a_producer_may_have_a_mapping_of_its_own(daemon, account):
    daemon.ctl("producer", "add", "switch1", "--secret", harness.SECRET, "--mapping", "freeswitch-json",
               "--account-id", account.id)
    body = sample("freeswitch-json", harness.Account("nobody00"))
    response = daemon.request("POST", "/v1/cdrs?uuid=1", body, {"Content-Type": "application/json"},
                              ("switch1", harness.SECRET))
    assert response.json()["accepted"] == 2, response
    assert len(stored(daemon, account, "VOICE-CALL")) == 2


def test_a_form_that_is_not_base64_is_refused(daemon):
    response = daemon.request("POST", "/v1/cdrs?mapping=freeswitch-json", b"cdr=***",
                              {"Content-Type": "application/x-www-form-base64-encoded"}, harness.PRODUCER)
    assert response.status == 400, response
    assert "base64" in response.json()["detail"]


# --- cdrctl ---


def test_import_takes_a_mapping(daemon, account, tmp_path):
    path = tmp_path / "Master.csv"
    path.write_bytes(sample("asterisk-csv", account))
    result = daemon.ctl("import", "--mapping", "asterisk-csv", "--time-zone", "UTC", "--account-id", account.id, str(path))
    assert result["accepted"] == 4
    assert len(stored(daemon, account, "VOICE-CALL")) == 4


def test_mapping_list_names_the_shipped_ones(daemon):
    assert [m["name"] for m in daemon.ctl("mapping", "list")] == SHIPPED


def test_mapping_try_shows_what_would_be_stored_and_stores_nothing(daemon, account, tmp_path):
    path = tmp_path / "Master.csv"
    path.write_bytes(sample("asterisk-csv", account) + b'"x"\n')
    result = daemon.ctl("mapping", "try", "asterisk-csv", str(path), "--time-zone", "UTC", "--account-id", account.id)
    assert (result["stored"], result["rejected"], result["skipped"]) == (4, 1, 0)
    assert result["rows"][0]["record"]["id"] == "1795529014.5-5"
    assert result["rows"][4]["errors"][0]["reason"] == "1 values, but there must be at least 17"
    assert stored(daemon, account, "VOICE-CALL") == {}


# --- files of one's own ---

RATED = """
form = csv
names = id account to start seconds

[record]
product = VOICE-CALL
account_id = {account | table accounts}
id = {id}
to = {to}
date_start = {start | time "%d.%m.%Y %H:%M:%S"}
duration = {seconds}
total_price = {rate voice}
currency = EUR

[table accounts]
acme = ACCOUNT

[rates voice from voice.rates]
number = {to}
amount = {seconds}
time = {start | time "%d.%m.%Y %H:%M:%S"}
"""

RATES = """
447 = 0.0125 per 60 minimum 30
4477 = 0.003 per 1 from 2000-01-01
44770 = 0.9 until 2000-01-01
49 = 0.1
"""


@pytest.fixture
def own_mappings(daemons, tmp_path):
    directory = tmp_path / "mappings"
    directory.mkdir()
    return daemons(mappings_dir=str(directory), log_level="info"), directory


def test_prices_come_from_the_longest_prefix_per_started_interval(own_mappings):
    daemon, directory = own_mappings
    account = daemon.new_account()
    (directory / "voice.rates").write_text(RATES)
    (directory / "rated.conf").write_text(RATED.replace("ACCOUNT", account.id))
    daemon.reload()
    harness.wait_for(lambda: daemon.ctl("mapping", "list"), 120)
    rows = [("1", "447100900123", "61"), ("2", "+447700900123", "61"), ("3", "4930", "5"), ("4", "447100", "0"),
            ("5", "337", "5"), ("6", "447100", "60"), ("7", "447100", "2.5")]
    body = "".join(f"{id},acme,{to},{AFTERNOON:%d.%m.%Y %H:%M:%S},{seconds}\n" for id, to, seconds in rows)
    answer = post(daemon, body.encode(), mapping="rated", time_zone="UTC").json()
    assert [(e["line"], e["field"]) for e in answer["errors"]] == [(5, "total_price")]
    assert 'no rate for "337"' in answer["errors"][0]["reason"]
    prices = {id: call["total_price"] for id, call in stored(daemon, account, "VOICE-CALL").items()}
    assert prices == {"1": "0.025", "2": "0.183", "3": "0.1", "4": "0", "6": "0.0125", "7": "0.0125"}


def test_a_wrong_mapping_is_told_by_file_and_line_and_the_old_one_stays(own_mappings):
    daemon, directory = own_mappings
    good = "form = json\n[record]\nproduct = VOICE-CALL\nid = {id}\n"
    (directory / "mine.conf").write_text(good)
    daemon.reload()
    harness.wait_for(lambda: daemon.ctl("mapping", "list"), 120)
    (directory / "mine.conf").write_text(good + "nothing = {id}\nfrom = {a | later}\n")
    daemon.reload()
    harness.wait_for(lambda: "the settings stay as they were" in daemon.log(), 120)
    assert f"{directory}/mine.conf:5: nothing: not a column of VOICE-CALL" in daemon.log()
    assert f'{directory}/mine.conf:6: "later": must be one of' in daemon.log()
    assert [m["name"] for m in daemon.ctl("mapping", "list")] == ["mine"]


def test_local_times_over_a_change_of_the_clock(daemon, account, tmp_path):
    """A time that occurs twice is the first of the two; one that does not occur is refused."""
    del account
    path = tmp_path / "Master.csv"
    row = sample("freeswitch-csv", harness.Account("x")).split(b"\n")[0].replace(f"{AFTERNOON:%Y-%m-%d}".encode(), b"@")
    path.write_bytes(row.replace(b"@ 14:03:34", b"2026-03-29 02:30:00") + b"\n")
    result = daemon.ctl("mapping", "try", "freeswitch-csv", str(path), "--time-zone", "Europe/Berlin")
    reasons = [error["reason"] for error in result["rows"][0]["errors"] if error["field"] == "date_start"]
    assert reasons == ['"2026-03-29 02:30:00": no such time in Europe/Berlin, where clocks were set forward past it']
