# SPDX-License-Identifier: ISC
# shellcheck shell=bash disable=SC2034,SC2154 # names are shared with the other parts
# reconcile.sh: a carrier's file of calls beside as many records, by id and by number and time.

# The most memory besides the page cache, in MiB, until the file $WORK/reconciled is there.
reconcile_watch() {
	local most=0 now

	while [ ! -e "$WORK/reconciled" ]; do
		now=$(awk '$1 == "RssAnon:" { print $2 }' "/proc/$cdrd_pid/status")
		[ "$now" -le "$most" ] || most=$now
		sleep 0.02
	done
	awk -v kib="$most" 'BEGIN { print "rss_anon_mib", kib / 1024 }'
}

# reconcile_run_one JOB [OPTION...]: from the file's first byte until the result is there.
reconcile_run_one() {
	local begun cpu job=$1

	shift
	cdrd_restart mappings_dir="$TOP/etc/mappings"
	rm -f "$WORK/reconciled"
	reconcile_watch >"$WORK/watched" &
	cpu=$(cdrd_cpu)
	begun=$(now)
	cdrd_client "$BUILD/cdrctl" -s "$WORK/cdrd/admin.sock" reconcile --product VOICE-CALL --month "$(date -ud yesterday +%Y-%m)" \
		--mapping generic-csv "$@" "$WORK/bill.csv" >"$WORK/answer"
	awk -v begun="$begun" -v ended="$(now)" 'BEGIN { print "seconds", ended - begun }' | measured cdrd "$job"
	awk -v before="$cpu" -v after="$(cdrd_cpu)" 'BEGIN { print "cpu_s", (after - before) / 1e9 }' | measured cdrd "$job"
	touch "$WORK/reconciled"
	wait $!
	measured cdrd "$job" <"$WORK/watched"
	cdrd_lag "$job"
	[ "$(grep -cE "^(matched|different|only_ours|only_theirs): [1-9]" "$WORK/answer")" = 4 ] || die "$job: $(cat "$WORK/answer")"
}

reconcile_run() {
	PINNED=yes
	python3 "$TOP/bench/reconcile.py" "$RECORDS" "$ACCOUNT" "$WORK"
	say "cdrd: $RECORDS calls beside a carrier's $RECORDS"
	cdrd_start
	"${on_client[@]}" curl -sSf -o "$WORK/answer" -u "$PRODUCER:$SECRET" -T "$WORK/calls.ndjson" -X POST \
		-H 'Content-Type: application/x-ndjson' "http://127.0.0.1:$cdrd_port/v1/cdrs"
	cdrd_seal
	reconcile_run_one reconcile_id
	reconcile_run_one reconcile_number --match number --time-tolerance 5
	cdrd_stop
	rm -f "$WORK/calls.ndjson" "$WORK/bill.csv" "$WORK/reconciled" "$WORK/watched"
}

reconcile_report() {
	GOALS=yes
	echo
	echo "$RECORDS calls beside $RECORDS of a carrier's, from the first byte of the file to the result; $(machine)"
	echo
	table_head
	row "by id" s reconcile_id.seconds "" lower 10
	row "  CPU of the daemon" s reconcile_id.cpu_s "" lower
	row "  peak memory" "MiB anon" reconcile_id.rss_anon_mib "" lower 128
	row "  loop lag meanwhile, 99.9th percentile" ms reconcile_id.lag_p999_ms "" lower 15
	row "by number and time" s reconcile_number.seconds "" lower 10
	row "  CPU of the daemon" s reconcile_number.cpu_s "" lower
	row "  peak memory" "MiB anon" reconcile_number.rss_anon_mib "" lower 128
	row "  loop lag meanwhile, 99.9th percentile" ms reconcile_number.lag_p999_ms "" lower 15
}
