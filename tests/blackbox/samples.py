# SPDX-License-Identifier: ISC
"""Records made by hand, times as the API speaks them, and what an answer must show of a record."""
import datetime
import json
import os
import uuid

UTC = datetime.timezone.utc
SECOND = datetime.timedelta(seconds=1)
HOUR = datetime.timedelta(hours=1)
DAY = datetime.timedelta(days=1)

# A whole UTC day that lies in the past for as long as the tests run.
YESTERDAY = (datetime.datetime.now(UTC) - DAY).replace(hour=0, minute=0, second=0, microsecond=0)
NOON = YESTERDAY + 12 * HOUR

# For `mapping=`: rows of calls, as a switch would write them.
CALLS_MAPPING = """
form = csv
names = id from to start seconds

[record]
product = VOICE-CALL
id = {id}
from = {from}
to = {to}
date_start = {start}
duration = {seconds}
"""

PRODUCTS_JSON = os.path.join(os.path.dirname(__file__), "..", "..", "src", "catalog", "products.json")


def iso(moment):
    """As times stand inside records: 2025-04-01T23:55:06+00:00."""
    return moment.astimezone(UTC).isoformat(timespec="seconds")


def moment(text):
    """A time of an answer, of either form."""
    if text[-5] in "+-":
        text = text[:-2] + ":" + text[-2:]
    return datetime.datetime.fromisoformat(text)


def whole_day(day=YESTERDAY):
    """The parameters of a query for one UTC day."""
    return {"date_start": iso(day), "date_end": iso(day + DAY)}


def around_noon():
    return {"date_start": iso(NOON - HOUR), "date_end": iso(NOON + HOUR)}


def sms(account, time=NOON, **changes):
    """An outbound SMS; a change to None leaves a field out."""
    id = str(uuid.uuid4())
    record = {
        "product": "SMS",
        "account_id": account.id,
        "id": id,
        "message_id": id,
        "direction": "outbound",
        "from": "AcmeCorp",
        "to": "447700900123",
        "message_body": 'Hello, "Zo\u00eb" \u2014 50% off; \u3042\u308a\u304c\u3068\u3046',
        "network": "23410",
        "country": "GB",
        "date_received": iso(time),
        "date_finalized": iso(time + 3 * SECOND),
        "latency": "2911",
        "status": "delivered",
        "currency": "EUR",
        "total_price": "0.04010",
        **changes,
    }
    return {name: value for name, value in record.items() if value is not None}


def many_sms(account, count, start=NOON, step=SECOND):
    return [sms(account, start + i * step) for i in range(count)]


class Product:
    """A product as cdrctl describes it, and what answers must show of its records."""

    def __init__(self, description):
        self.name = description["name"]
        self.own = description["own"]
        self.partition_direction = description["partition_direction"]
        self.has_message = description["has_message"]
        self.has_concatenated = description["has_concatenated"]
        self.time = description["time"]
        self.lookup = description["lookup"]
        self.columns = description["columns"]
        self.filters = description["filters"]

    def required(self, direction="outbound"):
        """The parameters without which a query by dates is refused."""
        return {"direction": direction} if self.partition_direction else {}

    def shown_columns(self, direction=None, include_message=False, show_concatenated=False):
        inbound = self.partition_direction and direction == "inbound"
        switches = {"with_message": include_message, "with_concatenated": show_concatenated and not inbound,
                    "never": False}
        return [c["name"] for c in self.columns
                if switches.get(c["shown"], True) and (c["inbound"] or not inbound)]

    def shown(self, record, **view):
        """What an answer shows of a record as it was sent."""
        kinds = {c["name"]: c["kind"] for c in self.columns}
        shown = {}
        for name in self.shown_columns(**view):
            value = record.get(name, "")
            shown[name] = json.loads(value or "{}") if kinds[name] == "json" else value
        return shown

    def __repr__(self):
        return self.name


def by_time(records, product):
    """In the order of an answer: by time, then by arrival."""
    return sorted(records, key=lambda record: record[product.time])


def product_names():
    """Of the data file, for parametrised tests, which are named before a daemon runs."""
    with open(PRODUCTS_JSON) as file:
        return [product["name"] for product in json.load(file)["products"]]
