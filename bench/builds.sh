# SPDX-License-Identifier: ISC
# shellcheck shell=bash disable=SC2034,SC2154 # names are shared with the other parts
# builds.sh: this build beside another one, OLD_BUILD_DIR, at the same jobs in turns, for what a change may not cost.
#
# Figures are the daemon's CPU for each record, page, look-up and report, medians of ROUNDS: what clients and the disk do
# meanwhile is not in them. The first to begin changes from round to round.

ROUNDS=${ROUNDS:-5}
BUILDS_SECONDS=${BUILDS_SECONDS:-4} # of pages and of ids, each round

# builds_ingest FORMAT: a store of all records, sealed; CPU a record.
builds_ingest() {
	local before

	cdrd_start
	before=$(cdrd_cpu)
	cdrd_post "ingest_$1" 1 0 "$1"
	cdrd_seal
	awk -v used="$(($(cdrd_cpu) - before))" -v records="$RECORDS" 'BEGIN { print "cpu_us", used / 1000 / records }' |
		measured "$OWN" "ingest_$1"
}

# builds_get JOB: pages or ids; CPU a request.
builds_get() {
	local before

	before=$(cdrd_cpu)
	SECONDS_EACH=$BUILDS_SECONDS cdrd_get "$1"
	awk -v used="$(($(cdrd_cpu) - before))" -v rate="$(figure "$OWN.$1.requests_per_s")" -v seconds="$BUILDS_SECONDS" \
		'BEGIN { print "cpu_us", used / 1000 / (rate * seconds) }' | measured "$OWN" "$1"
}

# builds_round BUILD NAME
builds_round() {
	SERVER=$1
	OWN=$2
	builds_ingest msgpack
	builds_ingest ndjson
	cdrd_get pages >/dev/null # the page cache, and what is made at first use
	builds_get pages
	builds_get ids
	cdrd_report zip "$RECORDS" "$RECORDS" "$(builds_body)"
	cdrd_report delivered "$RECORDS" - "$(builds_body '"status":"delivered",')"
	cdrd_disk disk
	cdrd_stop
}

# builds_body [FILTER,]: the report over the day of the records.
builds_body() {
	printf '{"product":"SMS","account_id":"%s","direction":"outbound",%s"date_start":"%sT00:00:00Z","date_end":"%sT00:00:00Z"}' \
		"$ACCOUNT" "${1:-}" "$(day -1)" "$(day 0)"
}

# Of each figure, the median of its rounds, which takes the place of the last one.
builds_medians() {
	sort -k1,1 -k2,2g "$WORK/figures" | awk '
		function out() { if (count) print name, values[int((count + 1) / 2)] }
		$1 != name { out(); name = $1; count = 0 }
		{ values[++count] = $2 }
		END { out() }' >"$WORK/medians"
	mv "$WORK/medians" "$WORK/figures"
}

builds_run() {
	local round

	[ -x "${OLD_BUILD_DIR:-}/cdrd" ] || die "OLD_BUILD_DIR: must name a build with a cdrd in it"
	PINNED=yes
	REPEATS=5
	say "making $RECORDS records"
	make_samples
	rm -f "$WORK/records.csv"
	for ((round = 1; round <= ROUNDS; round++)); do
		say "round $round of $ROUNDS"
		if ((round % 2)); then
			builds_round "$OLD_BUILD_DIR" before
			builds_round "$BUILD" cdrd
		else
			builds_round "$BUILD" cdrd
			builds_round "$OLD_BUILD_DIR" before
		fi
	done
	rm -rf "$WORK"/records.* "$WORK/cdrd"
	builds_medians
}

builds_report() {
	GOALS=
	OWN_NAME=now
	PEER_NAMES[before]=before
	echo
	echo "$RECORDS SMS records of a day, one core of $(machine), medians of $ROUNDS rounds in turns"
	echo
	table_head before
	row "ingest, NDJSON, one body, sealing included" "CPU us" ingest_ndjson.cpu_us ingest_ndjson.cpu_us lower
	row "ingest, msgpack, one body, sealing included" "CPU us" ingest_msgpack.cpu_us ingest_msgpack.cpu_us lower
	row "ingest, NDJSON, to the last acknowledgement" records/s ingest_ndjson.records_per_s
	row "ingest, msgpack, to the last acknowledgement" records/s ingest_msgpack.records_per_s
	row "page of 1000, $CONNECTIONS connections" "CPU us" pages.cpu_us pages.cpu_us lower
	row "record by id, $CONNECTIONS connections" "CPU us" ids.cpu_us ids.cpu_us lower
	row "report to zip" "CPU s/M" zip.cpu_s_per_million zip.cpu_s_per_million lower
	row "report, status=delivered" "CPU s/M" delivered.cpu_s_per_million delivered.cpu_s_per_million lower
	row "disk" "bytes/record" disk.bytes_a_record disk.bytes_a_record lower
}
