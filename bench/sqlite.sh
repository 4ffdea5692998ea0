# SPDX-License-Identifier: ISC
# shellcheck shell=bash disable=SC2034,SC2154 # names are shared with the other parts
# sqlite.sh: SQLite at the same jobs; see sqlite.c.

sqlite_run() {
	local database=$WORK/sqlite.db

	say "SQLite: ingest in transactions of $BATCH"
	rm -f "$database"*
	"$BUILD/bench/sqlite" ingest "$database" "$BATCH" "$WORK/records.csv" >"$WORK/out"
	measured sqlite ingest <"$WORK/out"
	say "SQLite: ingest in one transaction"
	mv "$database" "$WORK/sqlite-batches.db"
	rm -f "$database"*
	"$BUILD/bench/sqlite" ingest "$database" "$RECORDS" "$WORK/records.csv" >"$WORK/out"
	measured sqlite ingest_stream <"$WORK/out"
	say "SQLite: pages and ids"
	"$BUILD/bench/sqlite" pages "$database" "$SECONDS_EACH" "$WORK/starts" >"$WORK/out"
	measured sqlite pages <"$WORK/out"
	"$BUILD/bench/sqlite" ids "$database" "$SECONDS_EACH" "$WORK/ids" >"$WORK/out"
	measured sqlite ids <"$WORK/out"
	du -k "$WORK/sqlite-batches.db" | awk '{ print "disk_mib", $1 / 1024 }' | measured sqlite store
	rm -f "$database"* "$WORK/sqlite-batches.db"
}
