# SPDX-License-Identifier: ISC
# shellcheck shell=bash disable=SC2034,SC2154 # names are shared with the other parts
# peers.sh: databases that write the same report: every record of a CSV they have loaded, as compressed CSV with every
# value in quotes, on one core.
#
# DuckDB and ClickHouse come from npm and run in node's process; what CPU time it uses is theirs. PostgreSQL's COPY
# pipes into zstd; both are children of the postmaster, whose times of ended children count them.

peers_install() {
	local folder=$BUILD/bench/peers

	mkdir -p "$folder"
	cp "$TOP"/bench/peers/*.mjs "$TOP"/bench/peers/*.json "$TOP/bench/peers/.npmrc" "$folder"
	# Not `npm ci`: it wants chdb's libraries of other systems in the lock, which a registry need not have.
	npm_packages "$folder" install || die "npm install failed, see $folder/npm.log"
}

# peer_export PEER JOB CSV RECORDS REPEATS
peer_export() {
	say "$1: loading $4 records and writing the report $5 times"
	mkdir -p "$WORK/$1"
	"${on_server[@]}" node "$BUILD/bench/peers/$1.mjs" "$3" "$WORK/$1" "$4" "$5" >"$WORK/out"
	measured "$1" "$2" <"$WORK/out"
	rm -rf "${WORK:?}/$1"
}

# Makes the table and loads it from the CSV of standard input, in one transaction.
pg_load() {
	local header columns

	IFS= read -r header
	columns=$(pg_columns_of "$header")
	{
		printf '%s\n' 'BEGIN;' 'DROP TABLE IF EXISTS cdr;' "CREATE TABLE cdr ($columns, product text NOT NULL DEFAULT 'SMS');" \
			"COPY cdr ($header) FROM STDIN (FORMAT csv, FREEZE);"
		cat
		printf '%s\n' '\.' 'COMMIT;' 'CHECKPOINT;'
	} | pg_sql -f -
	pg_columns=${header/\"concatenated\",/} # which a report without options does not have
}

# CPU seconds of the postmaster's children that have ended.
pg_children_cpu() {
	awk -v ticks="$(getconf CLK_TCK)" '{ sub(/.*\) /, ""); print ($14 + $15) / ticks }' \
		"/proc/$(head -1 "$WORK/postgres/data/postmaster.pid")/stat"
}

# pg_export_once: "seconds cpu_seconds" of one export.
pg_export_once() {
	local cpu begun ended

	cpu=$(pg_children_cpu)
	begun=$(now)
	pg_sql -c "COPY cdr ($pg_columns) TO PROGRAM 'zstd -1 -q -f -o $WORK/postgres/report.zst' (FORMAT csv, HEADER, FORCE_QUOTE *)"
	ended=$(now)
	sleep 0.3 # the postmaster must have seen its child end
	awk -v begun="$begun" -v ended="$ended" -v before="$cpu" -v after="$(pg_children_cpu)" \
		'BEGIN { print ended - begun, after - before }'
}

# postgres_export JOB CSV RECORDS REPEATS
postgres_export() {
	local n

	say "PostgreSQL: loading $3 records and writing the report $4 times"
	# Without workers of its own making, whose time would be added.
	pg_start autovacuum=off wal_level=minimal max_wal_senders=0
	pg_load <"$2"
	for ((n = 0; n < $4; n++)); do
		pg_export_once
	done | sort -n -k 2 | awk -v records="$3" '
		{ seconds[NR] = $1; cpu[NR] = $2 }
		END {
			middle = int((NR + 1) / 2)
			print "zstd.cpu_s_per_million", cpu[middle] / records * 1e6
			print "zstd.rows_per_s", records / seconds[middle]
		}' | measured postgres "$1"
	du -k --apparent-size "$WORK/postgres/report.zst" | awk '{ print "zstd.mib", $1 / 1024 }' | measured postgres "$1"
	pg_stop
}

# peers_reports JOB CSV RECORDS REPEATS
peers_reports() {
	postgres_export "$@"
	peer_export duckdb "$@"
	peer_export clickhouse "$@"
}
