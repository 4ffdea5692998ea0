# SPDX-License-Identifier: ISC
"""cdrctl find: all that is kept of a number or an id, over all accounts."""
import csv
import io
import json
import subprocess
import threading
import time

import pytest

import harness
import reporting
from samples import DAY, HOUR, NOON, SECOND, YESTERDAY, many_sms, sms, whole_day
from harness import wait_for
from test_erase import MESSAGE, PERSON, erase, of_person


@pytest.fixture
def quiet(daemons):
    """Seals when it is told to, as what is sealed while a search runs may be found twice."""
    return daemons(usage_records="no", callbacks="no", callback_allow="127.0.0.0/8", seal_rows="65536", seal_age="1d")


def seal(daemon):
    """Until nothing is hot."""
    daemon.ctl("seal")
    wait_for(lambda: all(day["hot"] == 0 for day in daemon.ctl("storage") if day["day"] != "total"))


def find(daemon, *arguments):
    found = daemon.ctl("find", *arguments)
    assert found["count"] == len(found["found"])
    return found["found"]


def kinds(found):
    return sorted((item["kind"], item["account"]) for item in found)


def test_a_number_is_found_wherever_it_is_kept(quiet):
    one, two = quiet.new_account(), quiet.new_account()
    quiet.post_cdrs(many_sms(one, 500, YESTERDAY + HOUR) + [
        of_person(one), of_person(one, NOON - DAY, to="+" + PERSON), of_person(two, **{"from": PERSON}),
        sms(one, to=PERSON + "0"), of_person(one, direction="inbound", to="12015550100", **{"from": "+" + PERSON})])
    seal(quiet)
    hot = of_person(two, NOON + HOUR)
    replaced = of_person(two, NOON + HOUR)
    quiet.post_cdrs([hot, replaced, {**replaced, "to": "447700900123"},
                     {**of_person(two, NOON), "date_received": "never"}])
    query = {"product": "SMS", "direction": "outbound", **whole_day()}
    file = reporting.make(quiet, one, callback_url="http://127.0.0.1:9/" + PERSON, **query)["request_id"]
    asking = reporting.make(quiet, two, to=PERSON, **query)["request_id"]
    other = reporting.make(quiet, one, product="SMS", direction="inbound", **whole_day(NOON - 2 * DAY))["request_id"]
    messages = reporting.make(quiet, two, columns="message_id,message_body", include_message="true",
                              **query)["request_id"]
    found = find(quiet, "--number", PERSON)
    assert kinds([item for item in found if item["kind"] == "record"]) == \
        sorted([("record", one.id)] * 3 + [("record", two.id)] * 2), found
    assert {(item["where"], item["account"]) for item in found if item["kind"] == "record"} == \
        {("to", one.id), ("from", one.id), ("from, to", two.id), ("to", two.id)}
    reports = {item["id"]: item["where"] for item in found if item["kind"] == "report"}
    assert set(reports) == {file, asking, messages} and other not in reports
    assert reports[asking] == "parameters" and reports[messages].startswith("file, perhaps")
    assert [item["account"] for item in found if item["kind"] == "quarantine"] == [two.id]
    assert [item["account"] for item in found if item["kind"] == "callback"] == [one.id]
    # the same with a plus, and of one account
    assert kinds(find(quiet, "--number", "+" + PERSON)) == kinds(found)
    assert kinds(find(quiet, "--number", PERSON, "--account", two.id)) == \
        [item for item in kinds(found) if item[1] == two.id]
    assert [item["id"] for item in find(quiet, "--number", "447700900997")] == [messages]


def test_what_was_erased_is_found_as_an_erasure_alone(quiet):
    account = quiet.new_account()
    quiet.post_cdrs([of_person(account), *many_sms(account, 5)])
    query = {"product": "SMS", "direction": "outbound", **whole_day()}
    id = reporting.make(quiet, account, **query)["request_id"]
    erase(quiet, account)
    reporting.wait(quiet, account, id)
    (item,) = find(quiet, "--number", "+" + PERSON)
    assert (item["kind"], item["account"], item["where"]) == ("erasure", account.id, "up to then")


def test_an_id_is_found_in_every_account_and_product(quiet):
    accounts = [quiet.new_account() for _ in range(3)]
    records = [sms(account, NOON - i * DAY) for i, account in enumerate(accounts)]
    quiet.post_cdrs(records)
    seal(quiet)
    shared = records[1]["id"]
    quiet.post_cdrs([{**sms(accounts[0]), "id": shared, "message_id": shared},
                     {**sms(accounts[0]), "id": shared, "message_id": shared, "date_received": "never"}])
    found = find(quiet, "--id", shared)
    assert kinds(found) == sorted([("quarantine", accounts[0].id), ("record", accounts[0].id),
                                   ("record", accounts[1].id)])
    assert kinds(find(quiet, "--id", shared.upper())) == sorted(("record", account.id) for account in accounts[:2])
    query = {"product": "SMS", "direction": "outbound", **whole_day(YESTERDAY)}
    report = reporting.make(quiet, accounts[0], **query)
    assert ("report", accounts[0].id) in kinds(find(quiet, "--id", report["request_id"]))
    held = {item["id"]: item["where"] for item in find(quiet, "--id", shared) if item["kind"] == "report"}
    assert held == {report["request_id"]: "file"}
    assert find(quiet, "--id", "nothing-like-it") == []


def test_records_can_be_handed_out_whole(quiet):
    account = quiet.new_account()
    quiet.post_cdrs([of_person(account), {**of_person(account), "date_received": "never"}])
    record, rejected = find(quiet, "--number", PERSON, "--whole")
    assert record["record"]["to"] == PERSON and record["record"]["message_body"] == MESSAGE
    assert json.loads(rejected["record"])["to"] == PERSON
    run = subprocess.run([harness.program("cdrctl"), "-s", quiet.socket, "find", "--number", PERSON, "--whole", "--csv"],
                         capture_output=True, text=True)
    assert run.returncode == 0, run
    rows = list(csv.DictReader(io.StringIO(run.stdout)))
    assert [row["kind"] for row in rows] == ["record", "quarantine"]
    assert json.loads(rows[0]["record"])["message_body"] == MESSAGE
    table = subprocess.run([harness.program("cdrctl"), "-s", quiet.socket, "find", "--number", PERSON],
                           capture_output=True, text=True)
    assert account.id in table.stdout and "quarantine" in table.stdout and MESSAGE not in table.stdout


def test_it_is_bounded_and_says_so(quiet):
    account = quiet.new_account()
    quiet.post_cdrs([of_person(account, NOON + i * SECOND) for i in range(50)])
    seal(quiet)
    answer = quiet.ctl("find", "--number", PERSON, "--limit", "20")
    assert (answer["count"], answer["truncated"]) == (20, True)
    answer = quiet.ctl("find", "--number", PERSON, "--limit", "50")
    assert (answer["count"], answer["truncated"]) == (50, False)


def test_wrong_arguments_are_refused(quiet):
    for arguments, said in (((), "either --number or --id"), (("--number", "44770", "--id", "x"), "either"),
                            (("--number", "12"), "must have 3"), (("--number", PERSON, "--account", "nobody00"), "nobody00")):
        ended = quiet.ctl_run("find", *arguments)
        assert ended.returncode == 1 and said in ended.stderr.decode(), ended


def test_who_searched_is_in_the_audit_log_and_the_number_is_not(daemons, tmp_path):
    daemon = daemons(audit_log=str(tmp_path / "audit"))
    account = daemon.new_account()
    daemon.post_cdrs([of_person(account)])
    find(daemon, "--number", PERSON)
    find(daemon, "--id", PERSON)
    line, _ = [line for line in map(json.loads, (tmp_path / "audit").read_text().splitlines())
               if line["action"] == "find"]
    assert "1 found" in line["text"]
    assert PERSON not in (tmp_path / "audit").read_text() and PERSON not in daemon.log()


def test_requests_are_answered_while_it_searches(quiet):
    account = quiet.new_account()
    record = of_person(account)
    quiet.post_body(harness.generate_bytes("SMS", [account], 20000, YESTERDAY.isoformat(),
                                           (YESTERDAY + DAY).isoformat()))
    quiet.post_cdrs([record])
    seal(quiet)
    times, stop = [], threading.Event()

    def read():
        while not stop.is_set():
            begin = time.monotonic()
            quiet.records(account, product="SMS", id=record["id"])
            times.append(time.monotonic() - begin)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for _ in range(3):
            assert len(find(quiet, "--number", PERSON)) == 1
    finally:
        stop.set()
        reader.join()
    assert max(times) < 30, f"a request took {max(times)} s"
