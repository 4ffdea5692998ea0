# SPDX-License-Identifier: ISC
"""cdrctl import: what a file is, is found out; what was rejected is told, once for all that are alike."""
import concurrent.futures
import gzip
import io
import json
import os
import subprocess
import zipfile

import harness
import pytest
import zstandard
from samples import many_sms, sms, whole_day


def stored(daemon, account):
    return daemon.records(account, product="SMS", direction="outbound", **whole_day())["records"]


def write(path, data):
    path.write_bytes(data)
    return str(path)


def zipped(*files, method=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in files:
            archive.writestr(name, data)
    return out.getvalue()


def counts(result):
    return {name: result[name] for name in ("accepted", "updated", "duplicates", "rejected") if result[name]}


PACKINGS = {
    "plain": lambda data: data,
    "gzip": gzip.compress,
    "two gzips in a row": lambda data: gzip.compress(data[:1000]) + gzip.compress(data[1000:]),
    "zstd": zstandard.ZstdCompressor().compress,
    "zip": lambda data: zipped(("records", data)),
    "zip, stored": lambda data: zipped(("folder/", b""), ("folder/records", data), method=zipfile.ZIP_STORED),
}


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("format", ["ndjson", "json", "msgpack", "csv"])
def test_import_knows_a_file_by_its_beginning_whatever_its_name(daemon, account, tmp_path, format, packing):
    body = harness.encode(many_sms(account, 300), format)
    path = write(tmp_path / "noname", PACKINGS[packing](body))
    assert counts(daemon.ctl("import", path)) == {"accepted": 300}
    assert len(stored(daemon, account)) == 300


@pytest.mark.slow
def test_a_large_file_is_read_as_fast_as_its_records_are_stored(daemon, account, tmp_path):
    body = harness.generate_bytes("SMS", [account], 200_000, *whole_day().values(), "--direction", "outbound")
    assert counts(daemon.ctl("import", write(tmp_path / "records", body))) == {"accepted": 200_000}


def test_import_from_a_pipe_knows_what_it_gets(daemon, account):
    body = zipped(("a", harness.encode(many_sms(account, 20), "csv")), ("b", harness.encode([sms(account)], "msgpack")))
    assert counts(daemon.ctl("import", "-", stdin=body)) == {"accepted": 21}


def test_import_from_a_named_pipe_takes_all_that_is_written_into_it(daemon, account, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    body = harness.encode(many_sms(account, 2000), "ndjson")
    with concurrent.futures.ThreadPoolExecutor() as pool:
        writing = pool.submit(pipe.write_bytes, body)
        assert counts(daemon.ctl("import", str(pipe))) == {"accepted": 2000}
        assert writing.result() == len(body)


@pytest.mark.parametrize("beginning", [b"\xef\xbb\xbf", b" \r\n\t", b"\n\n"])
def test_a_byte_order_mark_or_white_space_hides_nothing(daemon, account, tmp_path, beginning):
    path = write(tmp_path / "records", beginning + harness.encode([sms(account)], "json"))
    assert counts(daemon.ctl("import", path)) == {"accepted": 1}


@pytest.mark.parametrize("cut", [1, 9, 30])
@pytest.mark.parametrize("packing", ["gzip", "zstd", "zip"])
def test_a_file_that_was_cut_is_an_error_that_names_it(daemon, account, tmp_path, packing, cut):
    data = PACKINGS[packing](harness.encode(many_sms(account, 300), "ndjson"))
    path = write(tmp_path / "cut", data[:-cut - (150 if packing == "zip" else 0)])
    with pytest.raises(harness.CtlError, match="/cut.*ends in the middle"):
        daemon.ctl("import", path)


def test_a_zip_with_a_wrong_checksum_is_an_error(daemon, account, tmp_path):
    data = bytearray(zipped(("records", harness.encode([sms(account)], "ndjson"))))
    data[14] ^= 1
    with pytest.raises(harness.CtlError, match="CRC"):
        daemon.ctl("import", write(tmp_path / "zip", bytes(data)))


@pytest.mark.parametrize("name, pack", [("report_SMS_{}_20260101.csv", PACKINGS["plain"]),
                                        ("SMS_0f8fad5b-d9cb-469f-a165-70867728950e.csv.gz", gzip.compress)])
def test_the_product_of_a_report_is_in_its_name(daemon, account, tmp_path, name, pack):
    records = many_sms(account, 30)
    for record in records:
        del record["product"]
    path = write(tmp_path / name.format(account.id), pack(harness.encode(records, "csv")))
    assert counts(daemon.ctl("import", path)) == {"accepted": 30}


def test_the_product_of_a_report_in_a_zip_is_in_the_name_inside(daemon, account, tmp_path):
    record = sms(account)
    del record["product"]
    path = write(tmp_path / "download.zip", zipped((f"report_SMS_{account.id}_20260101.csv", harness.encode([record], "csv"))))
    assert counts(daemon.ctl("import", path)) == {"accepted": 1}


def test_a_report_in_parquet_is_recognized_and_refused(daemon, tmp_path):
    path = write(tmp_path / "SMS_report.parquet", b"PAR1" + bytes(100) + b"PAR1")
    ended = daemon.ctl_run("import", path)
    assert ended.returncode != 0 and b"is Parquet, which cannot be imported" in ended.stderr, ended


def test_an_import_with_rejects_fails_unless_they_are_allowed(daemon, account, tmp_path):
    path = write(tmp_path / "records", harness.encode([sms(account), sms(account, smell="nice")], "ndjson"))
    ended = daemon.ctl_run("import", path)
    assert ended.returncode == 1 and b"1 record was rejected" in ended.stderr, ended
    assert counts(json.loads(ended.stdout)) == {"accepted": 1, "rejected": 1}, "the result is printed all the same"
    assert counts(daemon.ctl("import", "--allow-rejects", path)) == {"duplicates": 1, "rejected": 1}


def test_equal_errors_are_told_once_with_their_number(daemon, account, tmp_path):
    records = many_sms(account, 3)
    for i in range(500):
        records += [sms(account, smell="nice"), sms(account, direction="up")]
    path = write(tmp_path / "records", harness.encode(records, "ndjson"))
    result = daemon.ctl("import", "--allow-rejects", path)
    assert [(e["field"], e["line"], e["times"]) for e in result["errors"]] == [("smell", 4, 500), ("direction", 5, 500)]
    text = harness.subprocess.run([harness.program("cdrctl"), "-s", daemon.socket, "import", path],
                                  capture_output=True, text=True, timeout=60)
    assert "smell: " in text.stdout and ": 500 times, first in line 4\n" in text.stdout, text.stdout
    assert text.stdout.count("\n") == 4, text.stdout


def test_errors_beyond_the_list_are_counted(daemon, account, tmp_path):
    records = [sms(account, direction=f"way-{i}") for i in range(130)]
    path = write(tmp_path / "records", harness.encode(records, "ndjson"))
    text = harness.subprocess.run([harness.program("cdrctl"), "-s", daemon.socket, "import", path],
                                  capture_output=True, text=True, timeout=60)
    assert "  and 30 more\n" in text.stdout, text.stdout


# --- many files ---

def small_files(directory, account, count, size=5):
    """So many files of so many records, and their ids."""
    records = many_sms(account, count * size)
    paths = []
    for number in range(count):
        body = harness.encode(records[number * size:(number + 1) * size], "ndjson")
        paths.append(write(directory / f"{number:04d}.ndjson", body))
    return paths, [record["id"] for record in records]


def begin_import(daemon, *arguments):
    return subprocess.Popen([harness.program("cdrctl"), "-s", daemon.socket, "import", *arguments], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)


def import_text(daemon, *arguments):
    with begin_import(daemon, *arguments) as importing:
        out, err = importing.communicate(timeout=120)
    return subprocess.CompletedProcess(importing.args, importing.returncode, out, err)


def test_small_files_are_committed_together_and_each_is_told(daemon, account, tmp_path):
    count = 200
    paths, ids = small_files(tmp_path, account, count)
    with open(paths[77], "a", encoding="utf-8") as file:
        file.write(json.dumps(sms(account, smell="nice")) + "\n")
    before = daemon.ctl("status")["ingest"]["commits"]
    ended = import_text(daemon, *paths)
    assert ended.returncode == 1 and "1 record was rejected" in ended.stderr, ended
    assert daemon.ctl("status")["ingest"]["commits"] - before < count / 4
    told = [line for line in ended.stdout.splitlines() if line.startswith(str(tmp_path))]
    assert [line.split(": ")[0] for line in told] == paths
    assert all(": 5 accepted, 0 updated, 0 duplicates, 0 outdated, 0 rejected" in line for line in told[:77] + told[78:])
    assert ": 6 records in" in told[77] and "5 accepted" in told[77] and "1 rejected" in told[77], told[77]
    lines = ended.stdout.splitlines()
    assert lines[lines.index(told[77]) + 1].startswith("  line 6: smell: "), lines
    assert f"all: {count * 5 + 1:,} records in" in ended.stdout
    pages = daemon.pages(account, product="SMS", direction="outbound", **whole_day())
    assert sorted(r["id"] for page in pages for r in page["records"]) == sorted(ids)


def test_the_newest_version_is_that_of_the_last_file(daemon, account, tmp_path):
    record = sms(account)
    paths = [write(tmp_path / f"{n:03d}", harness.encode([{**record, "latency": str(n)}], "ndjson")) for n in range(100)]
    assert counts(daemon.ctl("import", *paths)) == {"accepted": 1, "updated": 99}
    assert [each["latency"] for each in stored(daemon, account)] == ["99"]


@pytest.mark.parametrize("broken, word", [(b"what,is,this\n1,2,3\n", "header"), (gzip.compress(b"{}" * 100, mtime=0)[:-9], "ends in the middle")])
def test_files_before_one_that_cannot_be_read_are_told_and_those_after_it_not_begun(daemon, account, tmp_path, broken, word):
    paths, ids = small_files(tmp_path, account, 20)
    write(tmp_path / "0012.ndjson", broken)
    ended = import_text(daemon, *paths)
    assert ended.returncode == 1 and "0012.ndjson: " in ended.stderr and word in ended.stderr, ended
    assert [line.split(": ")[0] for line in ended.stdout.splitlines()] == paths[:12]
    assert sorted(record["id"] for record in stored(daemon, account)) == sorted(ids[:60])


def test_what_is_told_of_many_files_is_stored_whenever_the_daemon_is_killed(daemons, tmp_path):
    daemon = daemons()
    account = daemon.new_account()
    paths, ids = small_files(tmp_path, account, 1500)
    importing = begin_import(daemon, *paths)
    told = [importing.stdout.readline()]
    daemon.kill9()
    rest, error = importing.communicate(timeout=60)
    told += rest.splitlines()
    assert importing.returncode == 1 and "cdrd" in error, (importing.returncode, error)
    assert 0 < len(told) < 1500
    daemon.start()
    pages = daemon.pages(account, product="SMS", direction="outbound", **whole_day())
    assert {r["id"] for page in pages for r in page["records"]} >= set(ids[:5 * len(told)])


def test_files_before_a_pipe_are_told_before_it_is_written_to(daemon, account, tmp_path):
    paths, _ = small_files(tmp_path, account, 3)
    os.mkfifo(tmp_path / "pipe")
    importing = begin_import(daemon, *paths, str(tmp_path / "pipe"))
    assert [importing.stdout.readline().split(": ")[0] for _ in paths] == paths
    (tmp_path / "pipe").write_bytes(harness.encode([sms(account)], "ndjson"))
    rest, _ = importing.communicate(timeout=60)
    assert importing.returncode == 0 and "all: 16 records" in rest, rest


# --- a header that does not fit ---

ROWS = 120_000


def wrong(account):
    """Headers that fit no row, and a word of the error about each."""
    row = f"SMS,{account.id},1,outbound,2026-11-27T00:00:00Z"
    header = "product,account_id,id,direction,date_received"
    return {
        "semicolons": (header.replace(",", ";"), row.replace(",", ";"), "", "semicolons"),
        "tabs": (header.replace(",", "\t"), row.replace(",", "\t"), "", "tabs"),
        "capitals": (header.upper(), row, "", "product"),
        "another language": ("Produkt,Konto,Kennung,Richtung,Zeit", row, "", "header"),
        "none": (row, row, "", "header"),
        "no product": (header.split(",", 1)[1], row.split(",", 1)[1], "", "product"),
        "another product": ("account_id,id,direction,date_received", row.split(",", 1)[1], "VOICE-CALL", "date_start"),
        "no account": ("id,direction,date_received", row.split(",", 2)[2], "SMS", "account_id"),
        "UTF-16": (header, row, "", "UTF-16"),
    }


@pytest.mark.parametrize("case", wrong(harness.Account("x")))
def test_a_header_that_does_not_fit_is_one_error_and_fills_no_quarantine(daemons, tmp_path, case):
    daemon = daemons()
    header, row, product, word = wrong(daemon.new_account())[case]
    body = (header + "\n" + (row + "\n") * ROWS).encode("utf-16" if case == "UTF-16" else "utf-8")
    with pytest.raises(harness.CtlError, match="/wrong.csv: .*" + word):
        daemon.ctl("import", *(["--product", product] if product else []), write(tmp_path / "wrong.csv", body))
    status = daemon.ctl("status")
    assert (status["quarantine"]["records"], status["ingest"]["rejected"]) == (0, 0), status
