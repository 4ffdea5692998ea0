# SPDX-License-Identifier: ISC
"""`cdrctl summary`: what accounts' records cost in a month, as JSON, as CSV and as a page for printing."""
import collections
import csv
import datetime
import decimal
import html.parser
import io
import subprocess
import zoneinfo

import pytest

import harness
from samples import HOUR, SECOND, UTC, YESTERDAY, iso, moment, sms

D = decimal.Decimal
RANGE = ("--from", iso(YESTERDAY), "--to", iso(YESTERDAY + 24 * HOUR))
NAMES = ('<script>alert("1")</script> & Söhne', "Smith's </table>", "")
PRICES = (("EUR", "0.04010"), ("EUR", "0.000000000001"), ("USD", "17.3"), ("GBP", "999999999999.999999999999"))


def summary(daemon, *arguments, product="SMS"):
    return daemon.ctl("summary", "--product", product, *arguments)


def traffic(accounts, count=40):
    """Records of several currencies, countries and hours, every seventh without a price."""
    records = []
    for number, account in enumerate(accounts):
        for i in range(count + number):
            currency, price = PRICES[i % len(PRICES)]
            if i % 7 == 6:
                price = None
            records.append(sms(account, YESTERDAY + (i % 24) * HOUR, country=("GB", "DE", "FR")[i % 3],
                               currency=currency, total_price=price))
    return records


def shown(daemon, *arguments):
    """What cdrctl prints for people."""
    return subprocess.run([harness.program("cdrctl"), "-s", daemon.socket, "summary", "--product", "SMS", *arguments],
                          capture_output=True, text=True, check=False)


def added_up(records, *columns):
    """(account, values of columns, currency) to (records, unpriced, sum)."""
    sums = collections.defaultdict(lambda: [0, 0, D(0)])
    with decimal.localcontext(decimal.Context(prec=60)):
        for record in records:
            found = sums[(record["account_id"], *(record[name] for name in columns), record["currency"])]
            found[0] += 1
            found[1] += "total_price" not in record
            found[2] += D(record.get("total_price", "0"))
    return {key: tuple(sum) for key, sum in sums.items()}


def as_sums(lines, *columns):
    sums = {(line["account"], *(line[name] for name in columns), line["currency"]):
            (line["records"], line["unpriced"], D(line["total_price"])) for line in lines}
    assert len(sums) == len(lines), "a line is there twice"
    return sums


def totals_of(records):
    return added_up([{**record, "account_id": ""} for record in records])


def as_totals(totals):
    return as_sums([{**total, "account": ""} for total in totals])


@pytest.fixture(scope="module")
def daemon(daemons):
    """Seals soon and small, so that there are blocks as well as hot rows."""
    return daemons(seal_rows="64", seal_age="1d")


@pytest.fixture(scope="module")
def customers(daemon):
    """An account with two subaccounts, and another account; and their records."""
    parent = daemon.new_account()
    accounts = [parent, daemon.new_account(parent), daemon.new_account(parent), daemon.new_account()]
    for account, name in zip(accounts, NAMES):
        daemon.ctl("account", "rename", account.id, name)
    records = traffic(accounts)
    assert daemon.post_cdrs(records)["accepted"] == len(records)
    return accounts, records


@pytest.mark.parametrize("columns", [(), ("country",), ("status", "country")])
def test_sums_of_all_accounts_are_those_of_their_records(daemon, customers, columns):
    _, records = customers
    result = summary(daemon, *RANGE, *(("--group-by", ",".join(columns)) if columns else ()))
    assert as_sums(result["lines"], *columns) == added_up(records, *columns)
    assert as_totals(result["totals"]) == totals_of(records)
    keys = [(line["account"], *(line[name] for name in columns), line["currency"]) for line in result["lines"]]
    assert keys == sorted(keys)


def test_sums_are_those_of_the_api(daemon, customers):
    accounts, _ = customers
    result = summary(daemon, *RANGE, "--account", accounts[0].id, "--subaccounts", "--group-by", "country")
    answer = daemon.get("/v2/reports/summary", {
        "product": "SMS", "account_id": accounts[0].id, "include_subaccounts": "true", "group_by": "account_id,country",
        "date_start": RANGE[1], "date_end": RANGE[3]}, accounts[0]).json()
    of_api = {(group["account_id"], group["country"], amount["currency"]): (amount["count"], amount["total_price"])
              for group in answer["groups"] for amount in group["amounts"]}
    assert {(line["account"], line["country"], line["currency"]): (line["records"], line["total_price"])
            for line in result["lines"]} == of_api
    assert sum(line["unpriced"] for line in result["lines"]) == answer["total"]["unpriced"]
    assert {total["currency"]: total["total_price"] for total in result["totals"]} == {
        amount["currency"]: amount["total_price"] for amount in answer["total"]["amounts"]}


def test_a_statement_has_an_account_and_its_subaccounts_if_these_are_asked_for(daemon, customers):
    accounts, records = customers
    family = [account.id for account in accounts[:3]]
    result = summary(daemon, *RANGE, "--account", family[0], "--subaccounts")
    assert as_sums(result["lines"]) == added_up(r for r in records if r["account_id"] in family)
    assert result["lines"][0]["account"] == family[0] == result["account"]
    assert {(line["account"], line["parent"], line["name"]) for line in result["lines"]} == {
        (family[0], "", NAMES[0]), (family[1], family[0], NAMES[1]), (family[2], family[0], NAMES[2])}
    alone = summary(daemon, *RANGE, "--account", family[0])
    assert as_sums(alone["lines"]) == added_up(r for r in records if r["account_id"] == family[0])


def test_calls_have_durations(daemon):
    account = daemon.new_account()
    body = harness.generate_bytes("VOICE-CALL", [account], 200, iso(YESTERDAY), iso(YESTERDAY + HOUR))
    assert daemon.post_body(body).json()["accepted"] == 200
    answer = daemon.get("/v2/reports/summary", {"product": "VOICE-CALL", "account_id": account.id,
                                                "date_start": RANGE[1], "date_end": RANGE[3]}, account).json()
    lines = summary(daemon, *RANGE, product="VOICE-CALL")["lines"]
    assert sum(D(line["duration"]) for line in lines) == D(answer["total"]["duration"])
    assert sum(line["records"] for line in lines) == 200


@pytest.mark.parametrize("product, price", [("VERIFY-API", "price"), ("SMS-TRAFFIC-CONTROL", None)])
def test_products_without_total_prices_have_prices_or_counts_alone(daemon, product, price):
    account = daemon.new_account()
    records = harness.generate(product, account, 100, iso(YESTERDAY), iso(YESTERDAY + HOUR))
    assert daemon.post_cdrs(records)["accepted"] == 100
    result = summary(daemon, *RANGE, "--account", account.id, product=product)
    for sums in (result["lines"], result["totals"]):
        assert sum(line["records"] for line in sums) == 100
        assert sum(D(line[price]) for line in sums) == sum(D(r.get(price) or "0") for r in records) if price else (
            all("currency" not in line and "unpriced" not in line for line in sums))


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York"])
def test_a_month_is_that_of_its_time_zone(daemon, zone):
    account = daemon.new_account()
    last_month = (datetime.datetime.now(zoneinfo.ZoneInfo(zone)).replace(day=1) - datetime.timedelta(days=1))
    start = last_month.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    end = (start + datetime.timedelta(days=32)).replace(day=1)
    records = [sms(account, time) for time in (start - SECOND, start, end - SECOND, end)]
    assert daemon.post_cdrs(records)["accepted"] == 4
    result = summary(daemon, "--month", start.strftime("%Y-%m"), "--time-zone", zone, "--account", account.id)
    assert [(line["records"], line["total_price"]) for line in result["lines"]] == [(2, "0.0802")]
    assert (moment(result["from"]), moment(result["until"])) == (start, end)


def test_the_present_month_is_the_default(daemon, account):
    assert daemon.post_cdrs([sms(account, datetime.datetime.now(UTC))])["accepted"] == 1
    while True:  # a month may end meanwhile
        before = datetime.datetime.now(UTC).strftime("%Y-%m")
        default = summary(daemon, "--account", account.id)
        named = summary(daemon, "--account", account.id, "--month", before)
        if before == datetime.datetime.now(UTC).strftime("%Y-%m"):
            break
    assert default["lines"] == named["lines"] and default["from"] == named["from"]


def test_an_empty_month_has_no_lines(daemon, account):
    result = summary(daemon, "--month", "2020-02", "--account", account.id)
    assert (result["lines"], result["totals"]) == ([], [])
    assert summary(daemon, "--month", "2020-02")["lines"] == []
    page = read_page(daemon, "--month", "2020-02", "--account", account.id, "--html", "-")
    assert "No records." in page.text and page.rows == []


def test_csv_has_the_lines(daemon, customers):
    result = summary(daemon, *RANGE, "--group-by", "country")
    rows = list(csv.DictReader(io.StringIO(shown(daemon, *RANGE, "--group-by", "country", "--csv").stdout)))
    assert rows == [{key: str(value) for key, value in line.items()} for line in result["lines"]]


@pytest.mark.parametrize("arguments, message", [
    (("--product", "FAX"), "--product: 'FAX' is not one of: "),
    (("--product", "SMS", "--month", "2026-13"), "--month 2026-13: must be a month"),
    (("--product", "SMS", "--from", "2026-11-01"), "--to is missing"),
    (("--product", "SMS", "--from", "soon", "--to", "2026-11-01"), "--from: 'soon' is not a time"),
    (("--product", "SMS", "--from", "2026-11-02", "--to", "2026-11-01"), "--to: Before"),
    (("--product", "SMS", "--from", "2016-11-02", "--to", "2026-11-01"), "at most 397 days"),
    (("--product", "SMS", "--from", "2026-11-01", "--to", "2026-11-02", "--month", "2026-11"), "only one of them"),
    (("--product", "SMS", "--group-by", "to"), "--group-by: 'to' is not one of: "),
    (("--product", "SMS", "--time-zone", "Europe/Atlantis"), "--time-zone Europe/Atlantis"),
    (("--product", "SMS", "--account", "nobody"), "nobody"),
    (("--product", "SMS", "--subaccounts"), "--subaccounts: only with --account"),
    (("--product", "SMS", "--csv", "--html", "-"), "--html: cannot be given with"),
])
def test_wrong_arguments_are_named(daemon, arguments, message):
    ended = daemon.ctl_run("summary", *arguments)
    assert ended.returncode == 1 and message in ended.stderr.decode(), ended


# --- the page ---

class Page(html.parser.HTMLParser):
    """Its elements, the cells of its table's rows, and its whole text."""

    VOID = {"meta"}

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.rows, self.text, self.head_rows = collections.Counter(), [], [], "", []
        self.feed(text)
        self.close()
        assert self.open == [], "elements are left open"

    def handle_starttag(self, tag, attrs):
        self.tags[tag] += 1
        for name, value in attrs:
            assert not name.startswith("on") and name not in ("src", "href"), (name, value)
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "tr":
            (self.head_rows if "thead" in self.open else self.rows).append([])
        elif tag in ("td", "th"):
            (self.head_rows if "thead" in self.open else self.rows)[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag

    def handle_data(self, data):
        self.text += data
        if self.open and self.open[-1] in ("td", "th"):
            (self.head_rows if "thead" in self.open else self.rows)[-1][-1] += data


def read_page(daemon, *arguments):
    ended = shown(daemon, *arguments)
    assert ended.returncode == 0, ended.stderr
    return Page(ended.stdout)


def test_the_page_shows_every_line_and_total(daemon, customers):
    accounts, _ = customers
    arguments = (*RANGE, "--account", accounts[0].id, "--subaccounts", "--group-by", "country")
    result, page = summary(daemon, *arguments), read_page(daemon, *arguments, "--html", "-")
    assert page.head_rows[1] == ["Account", "Parent", "Name", "Country", "Records", "Unpriced", "Currency", "Total price"]
    names = ("account", "parent", "name", "country", "records", "unpriced", "currency", "total_price")
    assert page.rows == [[str(line[name]) for name in names] for line in result["lines"]] + [
        ["Total", "", "", "", *(str(total[name]) for name in names[4:])] for total in result["totals"]]


def test_the_page_is_one_file_without_scripts_that_prints(daemon, customers, tmp_path):
    accounts, _ = customers
    path = tmp_path / "statement.html"
    ended = shown(daemon, *RANGE, "--account", accounts[0].id, "--html", str(path))
    text = path.read_text(encoding="utf-8")
    page = Page(text)
    assert ended.stdout == "" and text.startswith("<!DOCTYPE html>")
    assert page.tags["script"] == page.tags["link"] == page.tags["img"] == 0 and page.tags["table"] == 1
    assert "size: A4" in text and "table-header-group" in text and "url(" not in text
    assert page.head_rows[0] == [f"Statement for {NAMES[0]}: SMS, {RANGE[1]} to {RANGE[3]}"]


def test_a_page_that_cannot_be_written_fails(daemon, customers, tmp_path):
    path = tmp_path / "missing" / "statement.html"
    ended = shown(daemon, *RANGE, "--html", str(path))
    assert ended.returncode == 1 and str(path) in ended.stderr


# --- many accounts ---

ACCOUNTS = 3000


@pytest.fixture(scope="module")
def crowd(daemons):
    """3,000 accounts, and two records of each in two currencies, with fewer groups allowed than they have."""
    daemon = daemons(start=False, summary_groups_max=50)
    daemon.start({"ASAN_OPTIONS": "detect_leaks=1:quarantine_size_mb=1"})  # what is freed is free
    daemon.add_producer()
    lines = ["id,name", *(f"c{number:07},Customer {number}" for number in range(ACCOUNTS))]
    daemon.ctl("account", "import", "-", stdin="\n".join(lines).encode() + b"\n")
    accounts = [harness.Account(f"c{number:07}") for number in range(ACCOUNTS)]
    records = [sms(account, currency=currency, total_price=price, message_body="Hello")
               for account in accounts for currency, price in PRICES[1:3]]
    assert daemon.post_cdrs(records)["accepted"] == len(records)
    return daemon, records


def test_3000_accounts_have_their_lines_with_fewer_groups_in_memory(crowd):
    daemon, records = crowd
    summary(daemon, *RANGE)
    before_kib = daemon.memory_kib("RssAnon")
    result = summary(daemon, *RANGE)
    assert as_sums(result["lines"]) == added_up(records)
    assert as_totals(result["totals"]) == totals_of(records)
    assert (daemon.memory_kib("RssAnon") - before_kib) / 1024 < 16


def test_an_account_with_too_many_groups_is_named(crowd):
    daemon, _ = crowd
    account = daemon.new_account()
    records = [sms(account, YESTERDAY - 30 * 24 * HOUR, network=f"{number:05}") for number in range(60)]
    assert daemon.post_cdrs(records)["accepted"] == 60
    ended = daemon.ctl_run("summary", "--product", "SMS", "--group-by", "network", "--from",
                           iso(YESTERDAY - 31 * 24 * HOUR), "--to", iso(YESTERDAY - 29 * 24 * HOUR))
    assert ended.returncode == 1
    assert f"account {account.id}: more than 50 groups (summary_groups_max)" in ended.stderr.decode()
