# SPDX-License-Identifier: ISC
"""Reports in another time zone, and CSV for a spreadsheet."""
import csv
import datetime
import io
import json
import zoneinfo

import pytest

import harness
import reporting
from samples import DAY, UTC, YESTERDAY, iso, sms

BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")


def report(daemon, account, **params):
    ended = reporting.make(daemon, account, product="SMS", direction="outbound", **{
        "date_start": iso(YESTERDAY), "date_end": iso(YESTERDAY + DAY), **params})
    assert ended["request_status"] == "SUCCESS", ended
    return ended


def lines(body):
    return list(csv.DictReader(io.StringIO(body.decode("utf-8-sig"), newline="")))


@pytest.fixture(scope="module")
def account(daemon):
    """Of sealed and hot records on both sides of a change of clocks."""
    account = daemon.new_account()
    daemon.post_cdrs([sms(account, YESTERDAY + datetime.timedelta(hours=h, milliseconds=h)) for h in range(24)])
    return account


def raw(daemon, account, ended):
    """The bytes of the file in the zip, and its name."""
    name, body = reporting.unzip(reporting.download(daemon, account, ended))
    return body, name


@pytest.mark.parametrize("name, zone", [("Europe/Berlin", BERLIN), ("America/St_Johns", zoneinfo.ZoneInfo("America/St_Johns")),
                                        ("+05:30", datetime.timezone(datetime.timedelta(hours=5, minutes=30)))])
def test_times_are_shown_in_the_zone_with_its_offset(daemon, account, name, zone):
    plain = lines(raw(daemon, account, report(daemon, account))[0])
    ended = report(daemon, account, time_zone=name)
    zoned = lines(raw(daemon, account, ended)[0])
    assert ended["time_zone"] == name and len(zoned) == len(plain) == 24
    for before, after in zip(plain, zoned):
        for column in before:
            if column not in ("date_received", "date_finalized"):
                assert before[column] == after[column]
                continue
            moment = datetime.datetime.fromisoformat(before[column])
            assert after[column] == moment.astimezone(zone).isoformat(timespec="milliseconds" if moment.microsecond else "seconds")


def test_clocks_that_change_are_followed(daemons):
    """The last change of Berlin's clocks; records are kept long enough for it."""
    daemon = daemons()
    account = daemon.new_account()
    now = datetime.datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    change = next(t for h in range(24 * 200) if (t := now - datetime.timedelta(hours=h)).astimezone(BERLIN).utcoffset()
                  != (t - datetime.timedelta(hours=1)).astimezone(BERLIN).utcoffset())
    moments = [change + datetime.timedelta(minutes=30 * n - 90) for n in range(6)]
    daemon.post_cdrs([sms(account, moment) for moment in moments])
    ended = report(daemon, account, date_start=iso(change - DAY), date_end=iso(change + DAY), time_zone="Europe/Berlin",
                   format="ndjson", columns="date_received")
    shown = [json.loads(line)["date_received"] for line in raw(daemon, account, ended)[0].splitlines()]
    assert shown == [moment.astimezone(BERLIN).isoformat() for moment in moments]
    assert len({text[-6:] for text in shown}) == 2
    daemon.stop()


def test_the_date_in_the_name_is_the_zones(daemon, account):
    ended = report(daemon, account, time_zone="+14:00")
    day = datetime.datetime.now(UTC) + datetime.timedelta(hours=14)
    assert raw(daemon, account, ended)[1] in [f"report_SMS_{account.id}_{(day - datetime.timedelta(seconds=s)):%Y%m%d}.csv"
                                              for s in (0, 60)]


def test_excel_neither_rounds_nor_guesses(daemon):
    account = daemon.new_account()
    texts = ["=1+1", "+SUM(A1)", "-cmd|' /C calc'!A0", "@SUM(1)", "\tTab", "plain", "12-11", "007", 'say "=hi"', "1e5", ""]
    daemon.post_cdrs([sms(account, YESTERDAY + datetime.timedelta(seconds=n), message_body=text, to="+447700900123",
                          network="00123", total_price="0.04010", **{"from": text[:11] or "x"})
                      for n, text in enumerate(texts)])
    ended = report(daemon, account, dialect="excel", include_message=True)
    body, _ = raw(daemon, account, ended)
    assert ended["dialect"] == "excel"
    assert body.startswith(b'\xef\xbb\xbf"account_id"') and body.count(b"\r\n") == len(texts) + 1
    assert b"\n" not in body.replace(b"\r\n", b"")
    shown = lines(body)
    assert [row["message_body"] for row in shown] == [
        "'=1+1", "'+SUM(A1)", "'-cmd|' /C calc'!A0", "'@SUM(1)", "'\tTab", "plain", '="12-11"', '="007"', 'say "=hi"',
        '="1e5"', ""]
    for row in shown:
        assert (row["to"], row["network"], row["total_price"]) == ('="+447700900123"', '="00123"', "0.04010")
        assert row["date_received"].startswith(f"{YESTERDAY:%Y-%m-%d}T")


@pytest.mark.parametrize("compression", ["zip", "gzip", "zstd"])
def test_columns_and_compressions_go_with_both(daemon, account, compression):
    ended = report(daemon, account, dialect="excel", time_zone="Europe/Berlin", columns="to,date_received", compression=compression)
    body = reporting.unpack(reporting.download(daemon, account, ended), compression)
    assert body.decode().lstrip("\ufeff").startswith('"to","date_received"\r\n"=""447700900123""",')


def test_what_cannot_be_is_refused(daemon, account):
    for params, name in (({"dialect": "excel", "format": "ndjson"}, "dialect"), ({"dialect": "lotus"}, "dialect"),
                         ({"time_zone": "Middle/Earth"}, "time_zone")):
        problem = reporting.create(daemon, account, 422, product="SMS", direction="outbound", **params)
        assert [p["name"] for p in problem["invalid_parameters"]] == [name], problem


def test_a_key_with_another_zone_is_another_request(daemon, account):
    headers = {"Idempotency-Key": "one-zone"}
    first = reporting.create(daemon, account, headers=headers, product="SMS", direction="outbound", time_zone="UTC")
    same = reporting.create(daemon, account, headers=headers, product="SMS", direction="outbound", time_zone="UTC")
    assert first["request_id"] == same["request_id"]
    reporting.create(daemon, account, 422, headers=headers, product="SMS", direction="outbound", time_zone="+01:00")


@pytest.mark.slow
def test_such_a_report_survives_a_kill(daemons):
    daemon = daemons(report_checkpoint="0", seal_age="10ms", report_pause="5ms")
    account = daemon.new_account()
    body = harness.generate_bytes("SMS", [account], 60000, iso(YESTERDAY), iso(YESTERDAY + DAY), "--direction", "outbound")
    daemon.post_body(body)
    wanted = raw(daemon, account, report(daemon, account, dialect="excel", time_zone="Europe/Berlin"))[0]
    begun = reporting.create(daemon, account, product="SMS", direction="outbound", dialect="excel", time_zone="Europe/Berlin",
                             date_start=iso(YESTERDAY), date_end=iso(YESTERDAY + DAY))
    harness.wait_for(lambda: reporting.status(daemon, account, begun["request_id"]).get("progress", {}).get("bytes", 0) > 0 or
                     reporting.status(daemon, account, begun["request_id"])["request_status"] == "SUCCESS")
    daemon.kill9()
    daemon.start()
    ended = reporting.wait(daemon, account, begun["request_id"])
    assert raw(daemon, account, ended)[0] == wanted
    daemon.stop()
