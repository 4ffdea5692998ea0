# SPDX-License-Identifier: ISC
# shellcheck shell=bash disable=SC2034,SC2154 # names are shared with the other parts
# busy.sh: how others fare while four reports over the month of reports.sh are made.
#
# First id queries, one after another; then ingest with its sealing, of another account and other days. Each begins with
# a restart, so that the loop's lag is that of the mix.

BUSY_ACCOUNT=bench004
BUSY_RECORDS_MAX=2000000
busy_pid=

busy_begin() {
	cdrd_restart
	"${on_client[@]}" python3 "$TOP/bench/busy.py" "$cdrd_port" "$ACCOUNT:$SECRET" "$WORK/cdrd/data" "$(month_body)" \
		>"$WORK/busy" &
	busy_pid=$!
	sleep 1
}

# busy_end JOB: keeps the lag, and how many reports there were. Fails if not all four were running to the end.
busy_end() {
	cdrd_lag "$1"
	kill "$busy_pid" || die "the reports did not last"
	wait "$busy_pid"
	busy_pid=
	measured cdrd "$1" <"$WORK/busy"
}

busy_stop() {
	[ -z "$busy_pid" ] || kill "$busy_pid" 2>/dev/null || true
	busy_pid=
}

# busy_ingest COUNT
busy_ingest() {
	local begun

	begun=$(now)
	generate "$1" "$(day -$((MONTH_DAYS + 10)))" "$(day "-$MONTH_DAYS")" msgpack | cdrd_stream "$1"
	rate "$1" "$begun" "$(now)" | measured cdrd busy_ingest
}

busy_run() {
	local more=$((RECORDS / 5 < BUSY_RECORDS_MAX ? RECORDS / 5 : BUSY_RECORDS_MAX))

	reports_load
	say "cdrd: ids while four reports are made"
	busy_begin
	cdrd_get busy_ids 1 ids
	busy_end busy_ids
	say "cdrd: ingest and sealing while four reports are made"
	cdrd_ctl account add $BUSY_ACCOUNT --secret "$SECRET" >/dev/null
	busy_begin
	for_account $BUSY_ACCOUNT busy_ingest "$more"
	busy_end busy_ingest
	cdrd_stop
	rm -rf "$WORK/cdrd"
}

busy_report() {
	GOALS=yes
	echo
	echo "While four reports over $RECORDS SMS records are made (three of them filtered, so that every block is inflated"
	echo "and compressed again); $(machine)"
	echo
	table_head
	row "record by id meanwhile, one connection" requests/s busy_ids.requests_per_s
	row "record by id meanwhile, 99th percentile" ms busy_ids.p99_ms - lower 20
	row "loop lag, reports and ids, 99.9th percentile" ms busy_ids.lag_p999_ms - lower 15
	row "ingest meanwhile, msgpack, one body" records/s busy_ingest.records_per_s
	row "loop lag, reports, ingest, sealing, 99.9th pct." ms busy_ingest.lag_p999_ms - lower 15
	row "loop lag, reports, ingest, sealing, longest" ms busy_ingest.lag_longest_ms - lower
	row "reports that ended during ingest" reports busy_ingest.reports_ended
}
