# SPDX-License-Identifier: ISC
# shellcheck shell=bash disable=SC2034,SC2154 # names are shared with the other parts
# store.sh: the store's rates: ingest with its sealing, pages, disk, and ids and the start with 400 days.

STORE_DAYS=400
STORE_PEER_RECORDS_MAX=1000000

# store_ingest_once JOB FORMAT CONNECTIONS BATCH: durable ingest of a month into an empty store. Two rates: until all is
# acknowledged, and until maintenance has no more to seal or merge.
store_ingest_once() {
	local begun

	cdrd_start
	begun=$(now)
	cdrd_post "$1" "$3" "$4" "$2"
	rate "$RECORDS" "$begun" "$(cdrd_rest)" | sed 's/^/sealed_/' | measured cdrd "$1"
	cdrd_lag "$1"
}

# store_ingest FORMAT
store_ingest() {
	say "cdrd: ingest of $RECORDS records of a month, $1"
	generate_month "$RECORDS" "$1" >"$WORK/records.$1"
	store_ingest_once "store_stream_$1" "$1" 1 0
	store_ingest_once "store_$1" "$1" "$CONNECTIONS" "$BATCH"
	rm -f "$WORK/records.$1"
}

# Pages on one core, from the sealed month that ingest left.
store_pages() {
	cdrd_seal
	cdrd_disk store_month
	sample_starts "$(day "-$MONTH_DAYS")" "$MONTH_DAYS" "$1"
	say "cdrd: pages"
	cdrd_get store_pages "$CONNECTIONS" pages
	cdrd_stop
}

store_pages_peer() {
	local records=$((RECORDS < STORE_PEER_RECORDS_MAX ? RECORDS : STORE_PEER_RECORDS_MAX))

	say "PostgreSQL: pages of $records records"
	pg_start autovacuum=off wal_level=minimal max_wal_senders=0
	generate_month "$records" csv | pg_load
	pg_index
	: >"$WORK/ids"
	pg_questions
	pg_pages store_pages
	pg_stop
}

store_days() {
	local settings=(retention_months=14) # the default, 13, may be shorter than 400 days

	say "cdrd: loading and sealing $RECORDS records of $STORE_DAYS days"
	cdrd_start "${settings[@]}"
	generate "$RECORDS" "$(day "-$STORE_DAYS")" "$(day 0)" msgpack | cdrd_stream "$RECORDS"
	cdrd_seal
	cdrd_disk store_days
	generate "$RECORDS" "$(day "-$STORE_DAYS")" "$(day 0)" csv | sample_ids "$RECORDS"
	say "cdrd: start and ids with $STORE_DAYS days"
	cdrd_time_start store_days "${settings[@]}"
	cdrd_get store_ids_cold "$CONNECTIONS" ids
	cdrd_get store_ids "$CONNECTIONS" ids
	cdrd_stop
	rm -rf "$WORK/cdrd"
}

store_run() {
	PINNED=yes
	store_ingest ndjson
	store_ingest msgpack
	store_pages 18
	store_pages_peer
	ratio store_pages_postgres cdrd.store_pages.requests_per_s postgres.store_pages.requests_per_s
	store_days
}

store_report() {
	GOALS=yes
	echo
	echo "The store with $RECORDS SMS records of a month, and of $STORE_DAYS days; each server on one core; $(machine)"
	echo
	table_head postgres
	row "ingest, NDJSON, one body" records/s store_stream_ndjson.records_per_s
	row "  until all that is due is sealed, too" records/s store_stream_ndjson.sealed_records_per_s - higher 150000
	row "ingest, NDJSON, $CONNECTIONS connections of $BATCH" records/s store_ndjson.records_per_s
	row "  until all that is due is sealed, too" records/s store_ndjson.sealed_records_per_s - higher 150000
	row "ingest, msgpack, one body" records/s store_stream_msgpack.records_per_s
	row "  until all that is due is sealed, too" records/s store_stream_msgpack.sealed_records_per_s - higher 300000
	row "ingest, msgpack, $CONNECTIONS connections of $BATCH" records/s store_msgpack.records_per_s
	row "  until all that is due is sealed, too" records/s store_msgpack.sealed_records_per_s - higher 300000
	row "loop lag meanwhile, NDJSON, 99.9th percentile" ms store_ndjson.lag_p999_ms - lower 15
	row "loop lag meanwhile, msgpack, 99.9th percentile" ms store_msgpack.lag_p999_ms - lower 15
	row "on disk, a month, sealed" bytes/record store_month.bytes_a_record - lower 110
	row "on disk, $STORE_DAYS days, sealed" bytes/record store_days.bytes_a_record - lower
	row "page of 1000, $CONNECTIONS connections" pages/s store_pages.requests_per_s "" higher 1000
	row "page of 1000, 99th percentile" ms store_pages.p99_ms "" lower
	row "pages, over PostgreSQL's json_agg" times store_pages_postgres - higher 5
	row "start with $STORE_DAYS days" ms store_days.start_ms - lower 1000
	row "record by id, $STORE_DAYS days, just started" requests/s store_ids_cold.requests_per_s
	row "record by id, $STORE_DAYS days" requests/s store_ids.requests_per_s - higher 15000
	row "record by id, $STORE_DAYS days, 99th percentile" ms store_ids.p99_ms - lower 2
}
