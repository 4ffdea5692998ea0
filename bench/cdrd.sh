# cdrd.sh: the daemon at the benchmark's jobs, over HTTP, with durable commits.

cdrd_pid=

cdrd_start() {
	rm -rf "$WORK/cdrd"
	mkdir -p "$WORK/cdrd"
	cdrd_port=$(free_port)
	"$BUILD/cdrd" -o listen="127.0.0.1:$cdrd_port" -o data_dir="$WORK/cdrd/data" \
		-o admin_socket="$WORK/cdrd/admin.sock" -o log_level=warn \
		-o sync_rate_max=0 -o async_rate_max=0 -o shed_lag=0 2>"$WORK/cdrd/log" &
	cdrd_pid=$!
	wait_until cdrd_ctl status
	cdrd_ctl account add "$ACCOUNT" --secret "$SECRET" >/dev/null
	cdrd_ctl producer add "$PRODUCER" --secret "$SECRET" >/dev/null
}

cdrd_ctl() {
	"$BUILD/cdrctl" -s "$WORK/cdrd/admin.sock" "$@"
}

cdrd_stop() {
	[ -n "$cdrd_pid" ] || return 0
	kill "$cdrd_pid" 2>/dev/null
	wait "$cdrd_pid" 2>/dev/null
	cdrd_pid=
}

# cdrd_ingest JOB CONNECTIONS BATCH FORMAT, into an empty store.
cdrd_ingest() {
	cdrd_stop
	cdrd_start
	"$BUILD/bench/load" post "$cdrd_port" "$PRODUCER:$SECRET" "$2" "$3" "$4" "$WORK/records.$4" >"$WORK/out"
	measured cdrd "$1" <"$WORK/out"
}

cdrd_get() {
	"$BUILD/bench/load" get "$cdrd_port" "$ACCOUNT:$SECRET" "$CONNECTIONS" "$SECONDS_EACH" "$WORK/targets.$1" >"$WORK/out"
	measured cdrd "$1" <"$WORK/out"
}

cdrd_run() {
	say "cdrd: ingest of NDJSON and msgpack, four connections and one"
	cdrd_ingest ingest_stream_msgpack 1 0 msgpack
	cdrd_ingest ingest_stream_ndjson 1 0 ndjson
	cdrd_ingest ingest_msgpack 4 "$BATCH" msgpack
	cdrd_ingest ingest_ndjson 4 "$BATCH" ndjson
	say "cdrd: pages and ids"
	cdrd_get pages
	cdrd_get ids
	du -sk "$WORK/cdrd/data" | awk '{ print "disk_mib", $1 / 1024 }' | measured cdrd store
	cdrd_stop
}
