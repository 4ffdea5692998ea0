# SPDX-License-Identifier: ISC
# shellcheck shell=bash disable=SC2034,SC2154 # names are shared with the other parts
# postgres.sh: PostgreSQL at the same jobs, in a cluster of its own that is removed afterwards.
#
# Tuned as one would for this: a quarter of the memory as shared buffers, checkpoints that do not interrupt, COPY for
# ingest, prepared statements for queries. Commits are durable, as cdrd's are. It finds no duplicates and checks nothing.

pg_bin=
pg_user=postgres

# As an unprivileged user: the server refuses root.
pg_as() {
	if [ "$(id -u)" -eq 0 ]; then
		runuser -u "$pg_user" -- "$@"
	else
		"$@"
	fi
}

pg_sql() {
	PGOPTIONS=--client-min-messages=warning pg_as "$pg_bin/psql" -h "$WORK/postgres" -U bench -d postgres -qAtX -v ON_ERROR_STOP=1 "$@"
}

# pg_start [KEY=VALUE...]: a new cluster with these settings. With PINNED its server keeps to one core.
pg_start() {
	local setting core=()

	[ -z "$PINNED" ] || core=("${on_server[@]}")
	pg_bin=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -1)
	mkdir -p "$WORK/postgres"
	[ "$(id -u)" -ne 0 ] || chown "$pg_user" "$WORK/postgres"
	pg_as "$pg_bin/initdb" -D "$WORK/postgres/data" -U bench -A trust -E UTF8 --locale=C >/dev/null
	pg_as tee -a "$WORK/postgres/data/postgresql.conf" >/dev/null <<-END
		listen_addresses = ''
		unix_socket_directories = '$WORK/postgres'
		shared_buffers = $(awk '/MemTotal/ { print int($2 / 4096) }' /proc/meminfo)MB
		max_wal_size = 16GB
		checkpoint_timeout = 1h
		wal_compression = off
		fsync = on
		synchronous_commit = on
		full_page_writes = on
	END
	for setting in "$@"; do
		echo "${setting/=/ = }" | pg_as tee -a "$WORK/postgres/data/postgresql.conf" >/dev/null
	done
	pg_as "${core[@]}" "$pg_bin/pg_ctl" -D "$WORK/postgres/data" -l "$WORK/postgres/log" -w start >/dev/null
}

pg_stop() {
	[ -z "$pg_bin" ] || [ ! -f "$WORK/postgres/data/postmaster.pid" ] ||
		pg_as "$pg_bin/pg_ctl" -D "$WORK/postgres/data" -m immediate -w stop >/dev/null 2>&1
	rm -rf "$WORK/postgres"
}

# pg_columns_of HEADER: columns of a table from a CSV's header line: text, but for the time.
pg_columns_of() {
	sed 's/,/ text,/g; s/$/ text/; s/"date_received" text/"date_received" timestamptz/' <<<"$1"
}

# pg_table HEADER: an empty table.
pg_table() {
	pg_sql -c "DROP TABLE IF EXISTS cdr" \
		-c "CREATE TABLE cdr ($(pg_columns_of "$1"), product text NOT NULL DEFAULT 'SMS')"
	pg_columns=$1
}

pg_index() {
	pg_sql -c "CREATE INDEX cdr_id ON cdr (id)" \
		-c "CREATE INDEX cdr_time ON cdr (account_id, product, direction, date_received)"
}

# One script of COPY blocks for each connection; each block is a transaction of its own.
pg_scripts() {
	rm -f "$WORK"/copy.*
	tail -n +2 "$WORK/records.csv" | awk -v batch="$1" -v connections="$2" -v prefix="$WORK/copy." -v columns="$pg_columns" '
		(NR - 1) % batch == 0 {
			if (file)
				print "\\." >file
			file = prefix (int((NR - 1) / batch) % connections)
			print "COPY cdr (" columns ") FROM STDIN (FORMAT csv);" >file
		}
		{ print >file }
		END { print "\\." >file }'
}

# pg_ingest JOB CONNECTIONS BATCH, into an empty table.
pg_ingest() {
	local begun script pids=()

	pg_table "$(head -1 "$WORK/records.csv")"
	pg_index
	pg_scripts "$3" "$2"
	begun=$(date +%s.%N)
	for script in "$WORK"/copy.*; do
		pg_sql -f "$script" &
		pids+=($!)
	done
	wait "${pids[@]}" || die "PostgreSQL: COPY failed"
	awk -v begun="$begun" -v ended="$(date +%s.%N)" -v records="$RECORDS" \
		'BEGIN { print "records_per_s", records / (ended - begun) }' | measured postgres "$1"
	rm -f "$WORK"/copy.*
}

# The questions as tables, so that a script of pgbench can draw from them.
pg_questions() {
	pg_sql -c "VACUUM ANALYZE cdr" -c "CREATE TABLE ids (n serial PRIMARY KEY, id text)" \
		-c "CREATE TABLE starts (n serial PRIMARY KEY, start timestamptz)"
	pg_sql -c "COPY ids (id) FROM STDIN" <"$WORK/ids"
	pg_sql -c "COPY starts (start) FROM STDIN" <"$WORK/starts"
	pg_sql -c "VACUUM ANALYZE ids" -c "VACUUM ANALYZE starts" -c CHECKPOINT
}

# pg_query JOB TABLE SQL, in which :n is the number of a question.
pg_query() {
	local rows core=()

	[ -z "$PINNED" ] || core=("${on_client[@]}")
	rows=$(pg_sql -c "SELECT count(*) FROM $2")
	printf '\\set n random(1, %s)\n%s\n' "$rows" "$3" >"$WORK/postgres/script"
	chmod a+r "$WORK/postgres/script"
	(cd "$WORK/postgres" && pg_as "${core[@]}" "$pg_bin/pgbench" -h "$WORK/postgres" -U bench -n -M prepared -c "$CONNECTIONS" -j 1 \
		-T "$SECONDS_EACH" --random-seed=1 -l --log-prefix="$WORK/postgres/latency" -f "$WORK/postgres/script" \
		postgres >"$WORK/out")
	awk '/^tps/ { print "requests_per_s", $3 }' "$WORK/out" | measured postgres "$1"
	awk '{ print $3 }' "$WORK"/postgres/latency.* | sort -n |
		awk '{ v[NR] = $1 } END { print "p50_ms", v[int(NR / 2) + 1] / 1000; print "p99_ms", v[int(NR * 0.99) + 1] / 1000 }' |
		measured postgres "$1"
	rm -f "$WORK"/postgres/latency.*
}

# pg_pages JOB
pg_pages() {
	pg_query "$1" starts "SELECT json_agg(page) FROM (SELECT * FROM cdr WHERE account_id = '$ACCOUNT' AND product = 'SMS'
		AND direction = 'outbound' AND date_received >= (SELECT start FROM starts WHERE n = :n)
		ORDER BY date_received LIMIT 1000) page;"
}

postgres_run() {
	pg_start
	say "PostgreSQL: ingest in one COPY"
	pg_ingest ingest_stream 1 "$RECORDS"
	say "PostgreSQL: ingest on four connections, COPY of $BATCH a transaction"
	pg_ingest ingest 4 "$BATCH"
	pg_questions
	say "PostgreSQL: pages and ids"
	pg_pages pages
	pg_query ids ids "SELECT row_to_json(cdr) FROM cdr WHERE id = (SELECT id FROM ids WHERE n = :n);"
	pg_sql -c "SELECT 'disk_mib ' || pg_total_relation_size('cdr') / 1048576.0" | measured postgres store
	pg_stop
}
