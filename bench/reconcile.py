# SPDX-License-Identifier: ISC
"""reconcile.py COUNT ACCOUNT FOLDER: calls as NDJSON, and as a carrier bills them, in another order.

Of yesterday. Of a hundred calls one has another price, one is not billed, and one was never made; clocks are off by a
second.
"""
import datetime
import json
import os
import random
import sys

DAY = (datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)


def main():
    count, account, folder = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    rows = []
    with open(os.path.join(folder, "calls.ndjson"), "w", encoding="utf-8") as records:
        for number in range(count):
            start = DAY + datetime.timedelta(seconds=86000 * number // count)
            id, to, seconds = f"1795529014.{number}", f"4477{number * 7919 % 100000000:08}", str(number % 300)
            price = f"0.{number % 900 + 100}"
            records.write(json.dumps({
                "product": "VOICE-CALL", "account_id": account, "id": id, "call_id": id, "direction": "outbound",
                "from": "15550100001", "to": to, "country": "GB", "date_start": start.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "duration": seconds, "status": "answered", "currency": "EUR", "total_price": price,
            }, separators=(",", ":")) + "\n")
            if number % 100 == 1:
                id, to = "none-" + id, "49" + to
            billed = start + datetime.timedelta(seconds=1)
            rows.append(f"{id},15550100001,+{to},{billed:%Y-%m-%dT%H:%M:%SZ},{seconds},ANSWERED,"
                        f"{'0.05' if number % 100 == 2 else price},EUR\n")
    random.Random(1).shuffle(rows)
    with open(os.path.join(folder, "bill.csv"), "w", encoding="utf-8") as bill:
        bill.write("id,from,to,start,duration,status,price,currency\n")
        bill.writelines(rows)


main()
