# SPDX-License-Identifier: ISC
# shellcheck shell=bash disable=SC2034,SC2154 # names are shared with the other parts
# sync.sh: the synchronous part: durable ingest, pages, ids, beside SQLite and PostgreSQL.

sync_run() {
	PINNED=
	say "making $RECORDS records"
	make_samples
	sync_ids_once
	sync_cdrd
	sqlite_run
	postgres_run
	rm -f "$WORK"/records.*
}

# Queries for every id once, beside those for some that are asked again and again: cdrd keeps the rows that it found last.
sync_ids_once() {
	QUESTIONS_IDS=$RECORDS sample_ids "$RECORDS" <"$WORK/records.csv"
	mv "$WORK/targets.ids" "$WORK/targets.ids_once"
	sample_ids "$RECORDS" <"$WORK/records.csv"
}

# sync_ingest JOB CONNECTIONS BATCH FORMAT, into an empty store.
sync_ingest() {
	cdrd_start
	cdrd_post "$@"
}

sync_cdrd() {
	say "cdrd: ingest of NDJSON and msgpack, four connections and one"
	sync_ingest ingest_stream_msgpack 1 0 msgpack
	sync_ingest ingest_stream_ndjson 1 0 ndjson
	sync_ingest ingest_msgpack 4 "$BATCH" msgpack
	sync_ingest ingest_ndjson 4 "$BATCH" ndjson
	say "cdrd: pages and ids"
	cdrd_get pages
	cdrd_get ids_once
	cdrd_get ids
	du -sk "$WORK/cdrd/data" | awk '{ print "disk_mib", $1 / 1024 }' | measured cdrd store
	cdrd_stop
	rm -rf "$WORK/cdrd"
}

sync_report() {
	GOALS=
	echo
	echo "$RECORDS SMS records, $(machine)"
	echo "Commits are on disk before they are acknowledged. Ratios say how many times better cdrd is."
	echo
	table_head sqlite postgres
	row "ingest, NDJSON, 4 connections of $BATCH" records/s ingest_ndjson.records_per_s ingest.records_per_s
	row "ingest, msgpack, 4 connections of $BATCH" records/s ingest_msgpack.records_per_s ingest.records_per_s
	row "ingest, NDJSON, one body" records/s ingest_stream_ndjson.records_per_s ingest_stream.records_per_s
	row "ingest, msgpack, one body" records/s ingest_stream_msgpack.records_per_s ingest_stream.records_per_s
	row "page of 1000, $CONNECTIONS connections" pages/s pages.requests_per_s
	row "page of 1000, median" ms pages.p50_ms pages.p50_ms lower
	row "page of 1000, 99th percentile" ms pages.p99_ms pages.p99_ms lower
	row "record by id, $CONNECTIONS connections" requests/s ids.requests_per_s
	row "record by id, median" ms ids.p50_ms ids.p50_ms lower
	row "record by id, 99th percentile" ms ids.p99_ms ids.p99_ms lower
	row "record by id, each asked for once" requests/s ids_once.requests_per_s ids.requests_per_s
	row "record by id, each asked for once, 99th percentile" ms ids_once.p99_ms ids.p99_ms lower
	row "on disk" MiB store.disk_mib store.disk_mib lower
	echo
	echo "cdrd and PostgreSQL answer over a socket, $CONNECTIONS connections at once; SQLite runs in the caller's process,"
	echo "one query at a time. Peers take CSV (COPY; prepared INSERTs) in transactions of $BATCH, or one transaction."
}
