# SPDX-License-Identifier: ISC
# shellcheck shell=bash disable=SC2034,SC2154 # names are shared with the other parts
# cdrd.sh: the daemon of a run: its start and end, its records, its rest, its loop's lag.
#
# Settings are the defaults, but for limits of accounts and of load, which would answer 429 and 503 instead of showing
# how fast it is. With PINNED it keeps to one core and its clients to another. Figures are kept under the name OWN.

cdrd_pid=
PINNED=
OWN=cdrd
SERVER= # the build whose cdrd runs, if it is not BUILD

# cdrd_start [KEY=VALUE...]: with an empty store.
cdrd_start() {
	cdrd_stop
	rm -rf "$WORK/cdrd"
	mkdir -p "$WORK/cdrd"
	cdrd_open "$@"
	cdrd_ctl account add "$ACCOUNT" --secret "$SECRET" >/dev/null
	cdrd_ctl producer add "$PRODUCER" --secret "$SECRET" >/dev/null
}

# cdrd_open [KEY=VALUE...]: on the store that is there.
cdrd_open() {
	cdrd_launch "$@"
	wait_until cdrd_ctl status
}

# Sets the number of measuring from zero: the loop's lag, ingest's counts.
cdrd_restart() {
	cdrd_stop
	cdrd_open "$@"
}

# cdrd_time_start JOB [KEY=VALUE...]: the milliseconds from the daemon's start on the store that is there until it answers
# that it is ready.
cdrd_time_start() {
	local ended job=$1

	shift
	cdrd_stop
	cdrd_launch "$@"
	until (exec 3<>"/dev/tcp/127.0.0.1/$cdrd_metrics_port") 2>/dev/null; do
		kill -0 "$cdrd_pid" || die "cdrd did not start, see its log: $(tail -n 3 "$WORK/cdrd/log")"
	done
	curl -sf "http://127.0.0.1:$cdrd_metrics_port/readyz" >/dev/null || die "cdrd is not ready"
	ended=$(now)
	awk -v begun="$cdrd_launched" -v ended="$ended" 'BEGIN { print "start_ms", (ended - begun) * 1000 }' | measured "$OWN" "$job"
}

cdrd_launch() {
	local setting settings=() core=()

	for setting in "$@"; do
		settings+=(-o "$setting")
	done
	[ -z "$PINNED" ] || core=("${on_server[@]}")
	# What was written before, samples above all, is on its way to disk for long: the kernel would hold the daemon's own
	# writes back for it, up to 200 ms at once.
	sync
	cdrd_port=$(free_port)
	cdrd_metrics_port=$(free_port)
	cdrd_launched=$(now)
	"${core[@]}" "${SERVER:-$BUILD}/cdrd" -o listen="127.0.0.1:$cdrd_port" -o metrics_listen="127.0.0.1:$cdrd_metrics_port" \
		-o data_dir="$WORK/cdrd/data" -o admin_socket="$WORK/cdrd/admin.sock" -o log_level=warn \
		-o sync_rate_max=0 -o async_rate_max=0 -o downloads_max=0 -o shed_lag=0 -o shed_memory=0 \
		"${settings[@]}" 2>>"$WORK/cdrd/log" &
	cdrd_pid=$!
}

cdrd_ctl() {
	"$BUILD/cdrctl" -s "$WORK/cdrd/admin.sock" "$@"
}

cdrd_stop() {
	[ -n "$cdrd_pid" ] || return 0
	kill "$cdrd_pid" 2>/dev/null
	wait "$cdrd_pid" 2>/dev/null || true
	cdrd_pid=
}

cdrd_client() {
	if [ -n "$PINNED" ]; then
		"${on_client[@]}" "$@"
	else
		"$@"
	fi
}

# cdrd_post JOB CONNECTIONS BATCH FORMAT [FILE]: every record of a file.
cdrd_post() {
	cdrd_client "$BUILD/bench/load" post "$cdrd_port" "$PRODUCER:$SECRET" "$2" "$3" "$4" "${5:-$WORK/records.$4}" \
		>"$WORK/out"
	measured "$OWN" "$1" <"$WORK/out"
}

# Whether a question finds records: an empty answer would be a fast one.
cdrd_try() {
	local answer

	answer=$(head -1 "$1" | xargs -I{} curl -sS -u "$ACCOUNT:$SECRET" "http://127.0.0.1:$cdrd_port{}")
	[[ $answer == *'"items_count":'[1-9]* ]] || die "$(head -1 "$1") answered: ${answer:0:400}"
}

# cdrd_get JOB [CONNECTIONS [TARGETS]], for SECONDS_EACH.
cdrd_get() {
	cdrd_try "$WORK/targets.${3:-$1}"
	cdrd_client "$BUILD/bench/load" get "$cdrd_port" "$ACCOUNT:$SECRET" "${2:-$CONNECTIONS}" "$SECONDS_EACH" \
		"$WORK/targets.${3:-$1}" >"$WORK/out"
	measured "$OWN" "$1" <"$WORK/out"
}

# cdrd_stream COUNT: msgpack of standard input in one body, as it is made; all COUNT records must be new.
cdrd_stream() {
	local answer

	answer=$(cdrd_client curl -sS -u "$PRODUCER:$SECRET" -H 'Content-Type: application/msgpack' -H 'Expect:' -X POST -T - \
		"http://127.0.0.1:$cdrd_port/v1/cdrs")
	[[ $answer == "{\"accepted\":$1,"* ]] || die "ingest of $1 records answered: $answer"
}

# Seals what is hot, waits until sealing and merging have nothing more to do, and prints when they last had. A daemon on a
# busy machine may do nothing for as long as cdrd_rest takes for rest: so nothing may be hot then.
cdrd_sealed() {
	local ended n

	for ((n = 0; n < 30; n++)); do
		cdrd_ctl seal >/dev/null
		ended=$(cdrd_rest)
		cdrd_disk sealed
		if [ "$(figure "$OWN.sealed.hot")" = 0 ]; then
			echo "$ended"
			return
		fi
		say "$(figure "$OWN.sealed.hot") records are still hot"
	done
	die "records stay hot, see the daemon's log: $(tail -n 3 "$WORK/cdrd/log")"
}

cdrd_seal() {
	cdrd_sealed >/dev/null
}

# When maintenance last had something to do; waits for that.
cdrd_rest() {
	cdrd_client python3 "$TOP/bench/api.py" rest "$cdrd_metrics_port"
}

# cdrd_cpu: nanoseconds that the daemon has used.
cdrd_cpu() {
	awk '{ sum += $1 } END { printf "%.0f\n", sum }' /proc/"$cdrd_pid"/task/*/schedstat
}

# cdrd_memory JOB: what it holds besides the page cache.
cdrd_memory() {
	awk '$1 == "RssAnon:" { print "rss_anon_mib", $2 / 1024 }' "/proc/$cdrd_pid/status" | measured "$OWN" "$1"
}

# cdrd_lag JOB: the loop's lag since the start.
cdrd_lag() {
	cdrd_ctl --json status | python3 "$TOP/bench/api.py" lag | measured "$OWN" "$1"
}

# cdrd_disk JOB: bytes a record of all days, from `cdrctl storage`.
cdrd_disk() {
	cdrd_ctl --json storage | python3 -c 'import json, sys
total = json.load(sys.stdin)[-1]
print("bytes_a_record", total["disk_bytes"] / total["records"])
print("records", total["records"])
print("hot", total["hot"])
print("hot_percent", 100 * total["hot"] / total["records"])
print("blocks", total["blocks"])' | measured "$OWN" "$1"
}

# cdrd_report JOB RECORDS EXPECTED BODY: one report REPEATS times; EXPECTED rows, or - for any number.
cdrd_report() {
	local expected=()

	[ "$3" = - ] || expected=("$3")
	cdrd_client python3 "$TOP/bench/reports.py" "$cdrd_port" "$ACCOUNT:$SECRET" "$cdrd_pid" "$WORK/cdrd/data" "$REPEATS" \
		"$2" "$4" "${expected[@]}" >"$WORK/out"
	measured "$OWN" "$1" <"$WORK/out"
}
