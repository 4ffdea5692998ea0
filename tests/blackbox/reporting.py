# SPDX-License-Identifier: ISC
"""Reports from the client's side: asking, waiting, downloading, and reading what is in the file."""
import csv
import gzip
import io
import json
import time
import urllib.parse
import zipfile

import zstandard

ENDED = ("SUCCESS", "TRUNCATED", "FAILED", "ABORTED")
WAIT_SECONDS = 180


def post(daemon, account, body, headers=None, path="/v2/reports"):
    """POST /v2/reports; `body` is a dict or bytes."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", **(headers or {})}
    return daemon.request("POST", path, raw, headers, (account.id, account.secret))


def create(daemon, account, expect=200, headers=None, **params):
    """Asks for a report over the account's own records; the answer as JSON."""
    response = post(daemon, account, {"account_id": account.id, **params}, headers)
    assert response.status == expect, f"status {response.status}, not {expect}, for {params}: {response}"
    return response.json()


def status(daemon, account, id):
    response = daemon.get("/v2/reports/" + id, account=account)
    assert response.status == 200, response
    return response.json()


def wait(daemon, account, id, until=ENDED, seconds=WAIT_SECONDS):
    """The status as soon as it is one of `until`. What lasts is looked for less often the longer it takes."""
    begun = time.monotonic()
    while True:
        seen = status(daemon, account, id)
        if seen["request_status"] in until:
            return seen
        waited = time.monotonic() - begun
        assert waited < seconds, f"still {seen} after {seconds} s"
        time.sleep(min(0.01 + waited / 20, 0.1) if until is ENDED else 0.01)


def make(daemon, account, **params):
    """Asks for a report and waits for its end, which must be a good one."""
    ended = wait(daemon, account, create(daemon, account, **params)["request_id"])
    assert ended["request_status"] == "SUCCESS", ended
    return ended


def cancel(daemon, account, id):
    return daemon.request("DELETE", "/v2/reports/" + id, auth=(account.id, account.secret))


def media_path(ended):
    return urllib.parse.urlsplit(ended["_links"]["download_report"]["href"]).path


def download(daemon, account, ended, headers=None):
    response = daemon.get(media_path(ended), account=account, headers=headers)
    assert response.status == 200, response
    return response.body


def unzip(body):
    """The name and the content of the one file in a zip."""
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert archive.testzip() is None
        (name,) = archive.namelist()
        return name, archive.read(name)


def unpack(body, compression="zip"):
    if compression == "gzip":
        return gzip.decompress(body)
    if compression == "zstd":
        return zstandard.ZstdDecompressor().stream_reader(io.BytesIO(body), read_across_frames=True).read()
    return unzip(body)[1]


def read_csv(text):
    """The header and the rows as dicts; every value must be quoted and lines must end with LF."""
    text = text.decode()
    assert text.endswith('"\n') and "\r\n" not in text.split('"')[0::2]
    header, *lines = csv.reader(io.StringIO(text, newline=""))
    return header, [dict(zip(header, line, strict=True)) for line in lines]


def rows(daemon, account, ended):
    return read_csv(unzip(download(daemon, account, ended))[1])[1]
