# SPDX-License-Identifier: ISC
# shellcheck shell=bash disable=SC2034,SC2154 # names are shared with the other parts
# fair.sh: how an account fares beside another one that asks for all it can.
#
# One account has a sealed day of RECORDS records. FAIR_QUERIES connections ask for records of which there are none, so
# that all of its blocks are searched, four reports of the day are made, four connections ask for summaries, and a third
# account's records come in without end (fair.py). Meanwhile another account, over one connection, asks for records by id
# and for an empty page and ingests one record a request, and /healthz is asked for; first the same without the others.

FAIR_ACCOUNT=bench004
FAIR_INGESTED=bench005
FAIR_RECORDS=1000
FAIR_QUERIES=${FAIR_QUERIES:-32}
fair_pid=

fair_targets() {
	local range heavy light

	range="date_start=$(day -1)T00:00:00Z&date_end=$(day 0)T00:00:00Z"
	heavy="account_id=$ACCOUNT&product=SMS&direction=outbound&$range"
	light="account_id=$FAIR_ACCOUNT&product=SMS"
	echo "/v2/reports/records?$heavy&status=delivered&country=GB&network=334050" >"$WORK/targets.heavy"
	echo "/v2/reports/summary?$heavy&group_by=network,status" >"$WORK/targets.summary"
	echo "/v2/reports/records?$light&direction=outbound&$range&status=failed&network=334050" >"$WORK/targets.fair_page"
	echo /healthz >"$WORK/targets.fair_healthz"
	for_account $FAIR_ACCOUNT generate $FAIR_RECORDS "$(day -1)" "$(day 0)" csv >"$WORK/light.csv"
	QUERY="/v2/reports/records?$light" sample_ids $FAIR_RECORDS <"$WORK/light.csv"
	mv "$WORK/targets.ids" "$WORK/targets.fair_id"
}

fair_load() {
	PINNED=yes
	cdrd_start
	cdrd_ctl account add $FAIR_ACCOUNT --secret "$SECRET" >/dev/null
	cdrd_ctl account add $FAIR_INGESTED --secret "$SECRET" >/dev/null
	say "cdrd: loading and sealing a day of $RECORDS records"
	generate "$RECORDS" "$(day -1)" "$(day 0)" msgpack | cdrd_stream "$RECORDS"
	for_account $FAIR_ACCOUNT generate $FAIR_RECORDS "$(day -1)" "$(day 0)" msgpack | cdrd_stream $FAIR_RECORDS
	cdrd_seal
}

# fair_body: the report over the day.
fair_body() {
	printf '{"product":"SMS","account_id":"%s","direction":"outbound","date_start":"%sT00:00:00Z","date_end":"%sT00:00:00Z"}' \
		"$ACCOUNT" "$(day -1)" "$(day 0)"
}

fair_begin() {
	"${on_client[@]}" python3 "$TOP/bench/fair.py" "$BUILD" "$cdrd_port" "$ACCOUNT:$SECRET" "$WORK/cdrd/data" "$(fair_body)" \
		"$PRODUCER:$SECRET" $FAIR_INGESTED "$(day -20)" "$FAIR_QUERIES" "$WORK/targets.heavy" "$WORK/targets.summary" \
		>"$WORK/fair" &
	fair_pid=$!
	sleep 3
}

fair_end() {
	kill "$fair_pid" || die "the load did not last"
	wait "$fair_pid"
	fair_pid=
	measured cdrd fair <"$WORK/fair"
	cdrd_lag fair
}

fair_stop() {
	[ -z "$fair_pid" ] || kill "$fair_pid" 2>/dev/null || true
	fair_pid=
}

# fair_measure WHEN DAY: the four, of which ingest is of records of the day.
fair_measure() {
	local name

	for name in id page healthz; do
		cdrd_client "$BUILD/bench/load" get "$cdrd_port" "$FAIR_ACCOUNT:$SECRET" 1 "$SECONDS_EACH" \
			"$WORK/targets.fair_$name" >"$WORK/out"
		measured cdrd "$1_$name" <"$WORK/out"
	done
	for_account $FAIR_ACCOUNT generate $FAIR_RECORDS "$(day "$2")" "$(day $(($2 + 1)))" ndjson >"$WORK/records.one"
	cdrd_post "$1_one" 1 1 ndjson "$WORK/records.one"
}

fair_run() {
	fair_targets
	fair_load
	say "cdrd: another account, alone"
	fair_measure alone -5
	cdrd_restart
	say "cdrd: the same beside $FAIR_QUERIES heavy queries, four reports, four summaries and ingest"
	fair_begin
	fair_measure beside -9
	fair_end
	cdrd_stop
	rm -rf "$WORK/cdrd"
}

fair_report() {
	local name row

	GOALS=yes
	echo
	echo "An account over one connection, alone and beside another one with $FAIR_QUERIES heavy queries over $RECORDS sealed"
	echo "records, four reports and four summaries, and ingest in one body; one core of $(machine)"
	echo
	table_head
	for row in "id:record by id:10" "page:empty page:15" "one:ingest of one record:20" "healthz:/healthz:5"; do
		IFS=: read -r name text goal <<<"$row"
		row "$text, alone, median" ms "alone_$name.p50_ms" - lower
		row "$text, alone, 99th percentile" ms "alone_$name.p99_ms" - lower
		row "$text, beside them, median" ms "beside_$name.p50_ms" - lower
		row "$text, beside them, 99th percentile" ms "beside_$name.p99_ms" - lower "$goal"
	done
	row "loop lag meanwhile, 99.9th percentile" ms fair.lag_p999_ms - lower
	row "ingest meanwhile" records/s fair.ingested_per_s
	row "reports that ended meanwhile" reports/min fair.reports_per_minute
}
