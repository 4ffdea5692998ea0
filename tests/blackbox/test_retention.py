# SPDX-License-Identifier: ISC
"""Days older than retention_months are deleted; the others are not."""
import datetime
import os
import time

from samples import sms


def make_day(daemon, day):
    """An empty day, as an older daemon could have left it."""
    os.makedirs(os.path.join(daemon.data_dir, "days", day.isoformat()))


def days(daemon):
    return sorted(os.listdir(os.path.join(daemon.data_dir, "days")))


def test_days_beyond_retention_go_and_the_rest_stays(daemons):
    today = datetime.datetime.now(datetime.timezone.utc).date()
    daemon = daemons(retention_months=1)
    account = daemon.new_account()
    assert daemon.post_cdrs([sms(account)])["accepted"] == 1
    kept = days(daemon)
    daemon.stop()
    old = [today - datetime.timedelta(days=age) for age in range(33, 60)]
    young = today - datetime.timedelta(days=27)
    for day in [*old, young]:
        make_day(daemon, day)
    daemon.start()
    deadline = time.monotonic() + 20
    while any(day.isoformat() in days(daemon) for day in old):
        assert time.monotonic() < deadline, days(daemon)
        time.sleep(0.05)
    assert set(days(daemon)) == {young.isoformat(), *kept}
