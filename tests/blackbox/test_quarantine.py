# SPDX-License-Identifier: ISC
"""cdrctl quarantine: rejected records are kept as they were sent, whatever was wrong with them, and can be mended."""
import json
import subprocess
import time

import harness
import msgpack
import pytest
import scraping
from samples import NOON, iso, many_sms, sms, whole_day


def stored(daemon, account):
    return daemon.records(account, product="SMS", direction="outbound", include_message="true", **whole_day())["records"]


def bodies(daemon, account):
    return sorted(record["message_body"] for record in stored(daemon, account))


def csv(records, encoding="utf-8"):
    names = list(records[0])
    lines = [names] + [["" if r[n] is None else str(r[n]) for n in names] for r in records]
    return "\r\n".join(",".join(line) for line in lines).encode(encoding) + b"\r\n"


def write(path, data):
    path.write_bytes(data)
    return str(path)


def raw(daemon, number):
    """The bytes that `show --raw` writes."""
    ended = subprocess.run([harness.program("cdrctl"), "-s", daemon.socket, "quarantine", "show", str(number), "--raw"],
                           capture_output=True, timeout=60, check=True)
    return ended.stdout


def only(daemon):
    (entry,) = daemon.ctl("quarantine", "list")
    return str(entry["number"])


# --- bytes as they were sent ---

def hopeless(account):
    """A record in each format that cannot be stored as it is, and what of the body is the record."""
    record = sms(account, message_body="odd")
    text = json.dumps(record).encode()
    line = csv([record])
    header, values = line.rstrip(b"\r\n").split(b"\r\n")
    packed = msgpack.packb(record)
    return {
        "NUL in NDJSON": ("ndjson", text.replace(b"odd", b"o\x00d"), None),
        "bad UTF-8 in NDJSON": ("ndjson", text.replace(b"odd", b"o\xffd"), None),
        "nan in NDJSON": ("ndjson", text.replace(b'"odd"', b"nan"), None),
        "a wrong escape in JSON": ("json", b"[" + text.replace(b"odd", b"\\x41") + b"]", text.replace(b"odd", b"\\x41")),
        "bad UTF-8 in CSV": ("csv", line.replace(b"odd", b"o\xffd"), values.replace(b"odd", b"o\xffd")),
        "NUL in CSV": ("csv", line.replace(b"odd", b"o\x00d"), values.replace(b"odd", b"o\x00d")),
        "bad UTF-8 in msgpack": ("msgpack", packed.replace(b"odd", b"o\xffd"), None),
        "NaN in msgpack": ("msgpack", msgpack.packb({**record, "message_body": float("nan")}), None),
    }


@pytest.mark.parametrize("case", hopeless(harness.Account("x")))
def test_a_reject_is_kept_byte_for_byte_and_mended_by_its_field(own_daemon, case):
    account = own_daemon.new_account()
    format, body, record = hopeless(account)[case]
    response = own_daemon.post_body(body, format)
    assert response.json()["rejected"] == 1, response
    number = only(own_daemon)
    assert raw(own_daemon, number) == (body if record is None else record)
    with pytest.raises(harness.CtlError):
        own_daemon.ctl("quarantine", "replay", number)
    assert own_daemon.ctl("quarantine", "replay", number, "--set", "message_body=even")["accepted"] == 1
    assert bodies(own_daemon, account) == ["even"]
    assert own_daemon.ctl("quarantine", "list") == []


@pytest.mark.parametrize("case", hopeless(harness.Account("x")))
def test_a_field_that_makes_no_sense_can_be_taken_out(own_daemon, case):
    account = own_daemon.new_account()
    format, body, _ = hopeless(account)[case]
    own_daemon.post_body(body, format)
    assert own_daemon.ctl("quarantine", "replay", only(own_daemon), "--unset", "message_body")["accepted"] == 1
    assert bodies(own_daemon, account) == [""]


def test_what_makes_no_sense_is_shown_escaped(own_daemon):
    account = own_daemon.new_account()
    own_daemon.post_body(json.dumps(sms(account, message_body="odd\\")).encode().replace(b"odd", b"o\x00\xffd"), "ndjson")
    shown = own_daemon.ctl("quarantine", "show", only(own_daemon))
    assert r"o\x00\xffd\\\\" in shown["record"], shown
    assert shown["format"] == "ndjson"


@pytest.mark.parametrize("case", hopeless(harness.Account("x")))
def test_account_id_and_product_are_known_of_what_no_reader_takes(own_daemon, case):
    account = own_daemon.new_account()
    format, body, _ = hopeless(account)[case]
    own_daemon.post_body(body, format)
    (entry,) = own_daemon.ctl("quarantine", "list", "--account", account.id, "--product", "SMS")
    assert len(entry["id"]) == 36 and entry["id"].encode() in body, entry


def test_an_id_from_another_column_is_the_id(own_daemon):
    account = own_daemon.new_account()
    record = sms(account, id=None, smell="nice")
    own_daemon.post_cdrs([record])
    own_daemon.post_body(json.dumps(record).encode().replace(b"nice", b"\xff"), "ndjson")
    assert numbers(own_daemon, "--id", record["message_id"]) == [1, 2]


def test_a_line_of_csv_is_shown_with_its_header_and_as_it_is_read(own_daemon):
    account = own_daemon.new_account()
    body = csv([sms(account, smell="nice", message_body="x")])
    own_daemon.post_body(body, "csv")
    shown = own_daemon.ctl("quarantine", "show", only(own_daemon))
    header, line = body.decode().rstrip("\r\n").split("\r\n")
    assert (shown["header"], shown["sent"], shown["record"]["smell"]) == (header, line, "nice"), shown


@pytest.mark.parametrize("replacement", ["ndjson", "pretty", "msgpack", "csv"])
def test_what_cannot_be_taken_apart_is_replaced_whole(own_daemon, tmp_path, replacement):
    account = own_daemon.new_account()
    record = sms(account, message_body="whole")
    own_daemon.post_body(json.dumps(record).encode()[:-9], "ndjson")
    number = only(own_daemon)
    with pytest.raises(harness.CtlError, match="--replace-with"):
        own_daemon.ctl("quarantine", "replay", number, "--set", "status=failed")
    data = {"ndjson": json.dumps(record).encode() + b"\n", "pretty": json.dumps(record, indent=4).encode(),
            "msgpack": msgpack.packb(record), "csv": csv([record])}[replacement]
    result = own_daemon.ctl("quarantine", "replay", number, "--replace-with", write(tmp_path / "record", data))
    assert result["accepted"] == 1
    assert bodies(own_daemon, account) == ["whole"]
    assert own_daemon.ctl("quarantine", "list") == []


def test_a_line_of_csv_is_replaced_under_its_header(own_daemon):
    account = own_daemon.new_account()
    header, line = csv([sms(account, message_body="odd")]).rstrip(b"\r\n").split(b"\r\n")
    own_daemon.post_body(header + b"\n" + line.replace(b"odd", b'"o"dd') + b"\n", "csv")
    number = only(own_daemon)
    assert own_daemon.ctl("quarantine", "replay", number, "--replace-with", "-",
                          stdin=line.replace(b"odd", b'"o""dd"') + b"\n")["accepted"] == 1
    assert bodies(own_daemon, account) == ['o"dd']


def test_a_replacement_that_is_wrong_or_nothing_keeps_the_entry(own_daemon):
    own_daemon.post_body(b"nonsense\n", "ndjson")
    number = only(own_daemon)
    for replacement in (b"", b"\n", b"{}", b"nonsense", b"a,b\n", b"x" * (2 << 20)):
        with pytest.raises(harness.CtlError):
            own_daemon.ctl("quarantine", "replay", number, "--replace-with", "-", stdin=replacement)
        assert only(own_daemon) == number, replacement[:10]
    with pytest.raises(harness.CtlError, match="NUMBER"):
        own_daemon.ctl("quarantine", "replay", "all", "--replace-with", "-", stdin=b"{}")


def test_a_record_over_the_limit_is_not_replayed_from_its_beginning(daemons):
    daemon = daemons(line_max="4K")
    account = daemon.new_account()
    header, line = csv([sms(account, message_body="odd", client_ref="c" * 3000)]).rstrip(b"\r\n").split(b"\r\n")
    daemon.post_body(header + b"\n" + line + b"d" * 5000 + b"\n", "csv")
    with pytest.raises(harness.CtlError, match="line_max"):
        daemon.ctl("quarantine", "replay", only(daemon))
    assert stored(daemon, account) == []


def test_a_replay_reads_with_the_default_product_of_the_import(own_daemon, tmp_path):
    account = harness.Account("later000")
    record = sms(account, message_body="x")
    del record["product"]
    path = write(tmp_path / "report_SMS_later000_20260101.csv", csv([record]))
    own_daemon.ctl("import", "--allow-rejects", path)
    (entry,) = own_daemon.ctl("quarantine", "list")
    assert (entry["account"], entry["id"], entry["product"], entry["producer"]) == ("later000", record["id"], "SMS", "import")
    own_daemon.ctl("account", "add", account.id, "--secret", account.secret)
    assert own_daemon.ctl("quarantine", "replay", "all")["accepted"] == 1
    assert [r["id"] for r in stored(own_daemon, account)] == [record["id"]]


def test_a_replay_that_is_outdated_by_now_is_settled(own_daemon):
    account = own_daemon.new_account()
    own_daemon.ctl("producer", "set", harness.PRODUCER[0], "--version", "latency")
    record = sms(account, latency="7", message_body="newer")
    own_daemon.post_cdrs([{**record, "latency": "3", "message_body": "older", "smell": "nice"}])
    own_daemon.post_cdrs([record])
    assert own_daemon.ctl("quarantine", "replay", "all", "--unset", "smell")["outdated"] == 1
    assert own_daemon.ctl("quarantine", "list") == []
    assert bodies(own_daemon, account) == ["newer"]


# --- encodings ---

def test_a_latin1_line_is_kept_as_its_bytes_and_stored_right_with_its_encoding(own_daemon, tmp_path):
    account = own_daemon.new_account()
    body = csv([sms(account, message_body="Grüße, Zoë".replace(",", ";")), sms(account, message_body="plain")], "latin-1")
    path = write(tmp_path / "latin1.csv", body)
    assert own_daemon.ctl("import", "--allow-rejects", path)["rejected"] == 1
    number = only(own_daemon)
    assert raw(own_daemon, number) == body.split(b"\r\n")[1]
    assert own_daemon.ctl("quarantine", "replay", "all")["rejected"] == 1
    assert bodies(own_daemon, account) == ["plain"], "a plain replay stores no damaged text"
    assert own_daemon.ctl("quarantine", "replay", number, "--encoding", "latin1")["accepted"] == 1
    assert bodies(own_daemon, account) == ["Grüße; Zoë", "plain"]


@pytest.mark.parametrize("format", ["ndjson", "json", "csv"])
@pytest.mark.parametrize("encoding", ["WINDOWS-1252", "ISO-8859-1", "UTF-16", "SHIFT_JIS"])
def test_import_reads_the_encoding_it_is_told(daemon, account, tmp_path, format, encoding):
    text = "日本語" if encoding == "SHIFT_JIS" else "Zoë" if encoding == "ISO-8859-1" else "5 € “ö”"
    records = [sms(account, message_body=f"{i} {text}") for i in range(50)]
    body = csv(records) if format == "csv" else "\n".join(json.dumps(r, ensure_ascii=False) for r in records).encode()
    if format == "json":
        body = json.dumps(records, ensure_ascii=False).encode()
    path = write(tmp_path / "records", body.decode().encode(encoding))
    assert daemon.ctl("import", "--encoding", encoding, path)["accepted"] == 50
    assert bodies(daemon, account) == sorted(record["message_body"] for record in records)


def test_a_producers_encoding_and_a_requests_hold(own_daemon):
    account = own_daemon.new_account()
    own_daemon.ctl("producer", "set", harness.PRODUCER[0], "--encoding", "WINDOWS-1252")

    def post(text, encoding, query=""):
        return own_daemon.request("POST", "/v1/cdrs" + query,
                                  json.dumps(sms(account, message_body=text), ensure_ascii=False).encode(encoding),
                                  {"Content-Type": "application/x-ndjson"}, harness.PRODUCER).json()["accepted"]
    assert post("1 €", "cp1252") == 1
    assert post("2 €", "iso-8859-15", "?encoding=ISO-8859-15") == 1
    assert bodies(own_daemon, account) == ["1 €", "2 €"]


def test_a_byte_without_meaning_rejects_its_record_alone_and_is_kept(own_daemon, tmp_path):
    account = own_daemon.new_account()
    body = csv([sms(account, message_body=text) for text in ("a", "odd", "ü")], "cp1252").replace(b"odd", b"o\x81d")
    assert own_daemon.ctl("import", "--allow-rejects", "--encoding", "WINDOWS-1252", write(tmp_path / "a", body))["accepted"] == 2
    number = only(own_daemon)
    assert raw(own_daemon, number) == body.split(b"\r\n")[2]
    assert own_daemon.ctl("quarantine", "show", number)["encoding"] == "WINDOWS-1252"
    with pytest.raises(harness.CtlError):
        own_daemon.ctl("quarantine", "replay", number)
    assert own_daemon.ctl("quarantine", "replay", number, "--set", "message_body=€")["accepted"] == 1
    assert bodies(own_daemon, account) == ["a", "ü", "€"]


@pytest.mark.parametrize("encoding", ["WINDOWS-1252", "UTF-16LE", "SHIFT_JIS"])
def test_a_replay_reads_with_the_encoding_that_it_was_sent_in(own_daemon, tmp_path, encoding):
    account = harness.Account("later000")
    text = "日本語" if encoding == "SHIFT_JIS" else "5 €"
    body = (json.dumps(sms(account, message_body=text), ensure_ascii=False) + "\n").encode(encoding)
    own_daemon.ctl("import", "--allow-rejects", "--encoding", encoding, write(tmp_path / "a", body))
    own_daemon.ctl("account", "add", account.id, "--secret", account.secret)
    if encoding == "WINDOWS-1252":
        assert raw(own_daemon, only(own_daemon)) == body.rstrip(b"\n")
    assert own_daemon.ctl("quarantine", "replay", "all")["accepted"] == 1
    assert bodies(own_daemon, account) == [text]


def test_msgpack_with_an_encoding_is_refused(daemon, account, tmp_path):
    path = write(tmp_path / "a", msgpack.packb(sms(account)))
    with pytest.raises(harness.CtlError, match="msgpack"):
        daemon.ctl("import", "--format", "msgpack", "--encoding", "latin1", path)
    response = daemon.request("POST", "/v1/cdrs?encoding=latin1", msgpack.packb(sms(account)),
                              {"Content-Type": "application/msgpack"}, harness.PRODUCER)
    assert 400 <= response.status < 500 and "msgpack" in response.body.decode(), response


# --- which entries ---

@pytest.fixture
def many(own_daemon, tmp_path):
    """40 records of two unknown accounts, by two producers: 1-20 of the first, 21-40 of the other."""
    accounts = harness.Account("later000"), harness.Account("other000")
    own_daemon.post_cdrs(many_sms(accounts[0], 20))
    path = write(tmp_path / "other", harness.encode(many_sms(accounts[1], 20), "ndjson"))
    own_daemon.ctl("import", "--allow-rejects", path)
    return own_daemon, accounts


def numbers(daemon, *arguments):
    return [entry["number"] for entry in daemon.ctl("quarantine", "list", *arguments)]


def test_list_takes_ranges_and_filters(many):
    daemon, accounts = many
    assert numbers(daemon, "3", "12-14", "13-15", "900") == [3, 12, 13, 14, 15]
    assert numbers(daemon, "39-99") == [39, 40]
    assert numbers(daemon, "--producer", "import") == list(range(21, 41))
    assert numbers(daemon, "18-23", "--account", "later000") == [18, 19, 20]
    assert numbers(daemon, "--reason", "other000", "--limit", "2") == [21, 22]
    assert numbers(daemon, "--reason", "account_id") == list(range(1, 41))
    assert numbers(daemon, "--product", "VOICE-CALL") == []
    assert numbers(daemon, "--since", iso(NOON), "--product", "SMS", "1-2") == [1, 2]
    assert numbers(daemon, "--until", "2020-01-01") == []
    entry = daemon.ctl("quarantine", "list", "7")[0]
    assert numbers(daemon, "--id", entry["id"]) == [7]
    for wrong in ("0", "7-3", "x", "1-", "-5", "1-2-3"):
        with pytest.raises(harness.CtlError):
            daemon.ctl("quarantine", "list", "--", wrong)
    with pytest.raises(harness.CtlError, match="since"):
        daemon.ctl("quarantine", "list", "--since", "yesterday")


def test_drop_takes_ranges_and_filters(many):
    daemon, _ = many
    assert daemon.ctl("quarantine", "drop", "1-5", "30-35", "--producer", "carrier") == {"dropped": 5}
    assert daemon.ctl("quarantine", "drop", "1-5") == {"dropped": 0}
    assert daemon.ctl("quarantine", "drop", "all", "--account", "other000") == {"dropped": 20}
    assert numbers(daemon) == list(range(6, 21))


def test_replay_takes_ranges_and_filters(many):
    daemon, accounts = many
    for account in accounts:
        daemon.ctl("account", "add", account.id, "--secret", account.secret)
    assert daemon.ctl("quarantine", "replay", "15-25", "--account", "other000")["accepted"] == 5
    assert daemon.ctl("quarantine", "replay", "1", "3-4", "--set", "status=failed")["accepted"] == 3
    assert numbers(daemon) == [2, *range(5, 21), *range(26, 41)]
    assert {record["status"] for record in stored(daemon, accounts[0])} == {"failed"}


def test_many_entries_are_looked_through_in_slices(own_daemon):
    daemon = own_daemon
    daemon.post_body(b"".join(b'{"product":"SMS","account_id":"nobody00","id":"%d"}\n' % i for i in range(30_000)))
    assert numbers(daemon, "--id", "29999") == [30_000]
    assert daemon.ctl("quarantine", "drop", "all", "--id", "no such") == {"dropped": 0}
    assert daemon.ctl("quarantine", "drop", "all", "--account", "nobody00") == {"dropped": 30_000}


# --- what is no longer there ---

def test_what_was_not_kept_is_counted_and_the_age_of_the_oldest_told(daemons):
    daemon = scraping.start(daemons, quarantine_max="1M")
    assert scraping.scrape(daemon).get("cdrd_quarantine_oldest_age_seconds") == 0
    begun = time.monotonic()
    daemon.post_body(b"".join(b'{"product":"SMS","id":"%d","smell":"%s"}\n' % (i, b"s" * 900) for i in range(1800)))
    status = daemon.ctl("status")["quarantine"]
    assert status["not_kept"] > 0 and status["records"] + status["not_kept"] == 1800, status
    assert 0 <= status["oldest_age_seconds"] <= time.monotonic() - begun + 1, status
    metrics = scraping.scrape(daemon)
    assert metrics.get("cdrd_quarantine_lost_total", reason="not_kept") == status["not_kept"]
    assert metrics.get("cdrd_quarantine_lost_total", reason="expired") == 0
    assert metrics.get("cdrd_quarantine_lost_total", reason="pushed_out") == 0
    assert 0 < metrics.get("cdrd_quarantine_oldest_age_seconds") <= time.monotonic() - begun + 1
