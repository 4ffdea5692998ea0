# SPDX-License-Identifier: ISC
# shellcheck shell=bash disable=SC2034,SC2154 # names are shared with the other parts
# soak.sh: everything at once for a long time (soak.py), and what is left of it afterwards.
#
# SOAK_IDLE idle connections, a fifth of them by TLS, are kept open meanwhile; SOAK_RATE records a second come in.

SOAK_IDLE=${SOAK_IDLE:-10000}
SOAK_RATE=${SOAK_RATE:-1000}
SOAK_ACCOUNTS=40

soak_run() {
	local account

	# a connection is a descriptor at both of its ends
	ulimit -n "$(ulimit -Hn)"
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=localhost \
		-keyout "$WORK/key.pem" -out "$WORK/certificate.pem" 2>/dev/null
	soak_tls_port=$(free_port)
	cdrd_start connections_max=$((SOAK_IDLE + 2000)) listen_tls="127.0.0.1:$soak_tls_port" \
		tls_certificate="$WORK/certificate.pem" tls_key="$WORK/key.pem" header_timeout=5s body_timeout=10s write_timeout=20s \
		seal_age=1m # records that wait to be sealed are in memory: so many as of a minute, not of the first ten
	for account in $(seq "$SOAK_ACCOUNTS"); do
		cdrd_ctl account add "soak$account" --secret "$SECRET" >/dev/null
	done
	say "cdrd: everything at once for $RECORDS s"
	/usr/bin/python3 "$TOP/bench/soak.py" --build "$BUILD" --port "$cdrd_port" --tls-port "$soak_tls_port" --pid "$cdrd_pid" \
		--metrics-port "$cdrd_metrics_port" --accounts "$SOAK_ACCOUNTS" --producer "$PRODUCER" --secret "$SECRET" \
		--idle "$SOAK_IDLE" --rate "$SOAK_RATE" --seconds "$RECORDS" --data "$WORK/cdrd/data" >"$WORK/out" ||
		{ cat "$WORK/out" >&2; tail -n 5 "$WORK/cdrd/log" >&2; die "what is left is not what there should be"; }
	measured cdrd soak <"$WORK/out"
	cdrd_lag soak
	cdrd_stop
}

soak_report() {
	local name

	echo
	echo "$(figure cdrd.soak.seconds) s of everything at once, $(figure cdrd.soak.idle) idle connections; $(machine)"
	echo
	table_head
	row "records: ingested, stored, in the feed, in reports" records soak.records
	row "records ingested meanwhile" records/s soak.records_per_s
	for name in healthz id page summary changes ingest report; do
		row "$name, median" ms "soak.${name}_p50_ms" - lower
		row "$name, 99th percentile" ms "soak.${name}_p99_ms" - lower
		row "$name, how many" requests "soak.${name}_count"
	done
	row "reports made and downloaded" reports soak.reports
	row "slow clients served" clients soak.slow
	row "hostile clients refused" clients soak.hostile
	row "idle connections opened in all" connections soak.idle_opened
	row "memory of an idle connection" KiB soak.idle_kib - lower
	row "memory of an idle connection by TLS" KiB soak.idle_tls_kib - lower
	row "memory after five minutes" "MiB anon" soak.memory_early_mib - lower
	row "memory at the end of the load" "MiB anon" soak.memory_late_mib - lower
	row "memory's growth between them" % soak.memory_growth_percent - lower
	row "idle connections that were open after five minutes" connections soak.idle_early
	row "idle connections that were open at the end of the load" connections soak.idle_late
	row "descriptors left beyond those of the start" descriptors soak.descriptors_left - lower
	row "loop lag, 99.9th percentile" ms soak.lag_p999_ms - lower
}
