# SPDX-License-Identifier: ISC
# shellcheck shell=bash disable=SC2034,SC2154 # names are shared with the other parts
# growth.sh: the rates in a store of RECORDS records beside those in one of a tenth. They are to stay within 10%.
#
# Each store holds a month of one account, loaded and sealed. Then two more days come in, one as NDJSON and one as
# msgpack, as many records in both stores; reports are over the month.

GROWTH_MORE_MAX=1000000
PEER_NAMES[tenth]="a tenth"

# growth_ingest FORMAT DAY
growth_ingest() {
	local begun more=$((RECORDS / 10 < GROWTH_MORE_MAX ? RECORDS / 10 : GROWTH_MORE_MAX))

	generate "$more" "$(day "$2")" "$(day $(($2 + 1)))" "$1" >"$WORK/records.$1"
	begun=$(now)
	cdrd_post "growth_$1" "$CONNECTIONS" "$BATCH" "$1"
	rate "$more" "$begun" "$(cdrd_rest)" | sed 's/^/sealed_/' | measured "$OWN" "growth_$1"
	rm -f "$WORK/records.$1"
}

# growth_of OWN COUNT: figures of a store, under a name of its own so that the table shows both side by side.
growth_of() {
	local OWN=$1 begun

	say "cdrd: loading and sealing $2 records"
	cdrd_start
	begun=$(now)
	generate_month "$2" msgpack | cdrd_stream "$2"
	rate "$2" "$begun" "$(cdrd_rest)" | measured "$OWN" growth_load
	cdrd_seal
	cdrd_disk growth_disk
	generate_month "$2" csv | sample_ids "$2"
	sample_starts "$(day "-$MONTH_DAYS")" "$MONTH_DAYS" 18
	say "cdrd: pages, ids, reports"
	cdrd_get growth_pages "$CONNECTIONS" pages
	cdrd_get growth_ids "$CONNECTIONS" ids
	cdrd_report growth_zip "$2" "$2" "$(month_body)"
	cdrd_report growth_delivered "$2" - "$(month_body '"status":"delivered"')"
	say "cdrd: ingest"
	growth_ingest ndjson -$((MONTH_DAYS + 1))
	growth_ingest msgpack -$((MONTH_DAYS + 2))
	cdrd_stop
	rm -rf "$WORK/cdrd"
}

growth_run() {
	PINNED=yes
	growth_of tenth $((RECORDS / 10))
	growth_of cdrd "$RECORDS"
}

growth_report() {
	GOALS=
	echo
	echo "A store of $RECORDS SMS records beside one of $((RECORDS / 10)), a month each; one core; $(machine)"
	echo "The ratio is to be 0.9x at least."
	echo
	OWN_NAME="$((RECORDS / 1000))k" table_head tenth
	row "ingest of all, msgpack, one body, and its sealing" records/s growth_load.records_per_s
	row "ingest of a day more, NDJSON" records/s growth_ndjson.records_per_s
	row "  until it is sealed, too" records/s growth_ndjson.sealed_records_per_s
	row "ingest of a day more, msgpack" records/s growth_msgpack.records_per_s
	row "  until it is sealed, too" records/s growth_msgpack.sealed_records_per_s
	row "page of 1000, $CONNECTIONS connections" pages/s growth_pages.requests_per_s
	row "record by id, $CONNECTIONS connections" requests/s growth_ids.requests_per_s
	row "record by id, 99th percentile" ms growth_ids.p99_ms "" lower
	row "unfiltered to zip" "CPU s/M" growth_zip.cpu_s_per_million "" lower
	row "unfiltered to zip" rows/s growth_zip.rows_per_s
	row "status=delivered to zip" "CPU s/M" growth_delivered.cpu_s_per_million "" lower
	row "status=delivered to zip" rows/s growth_delivered.rows_per_s
	row "on disk, sealed" bytes/record growth_disk.bytes_a_record "" lower
}
