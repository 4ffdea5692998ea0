# SPDX-License-Identifier: ISC
# shellcheck shell=bash disable=SC2034,SC2154 # names are shared with the other parts
# cluster.sh: store = clickhouse beside LMDB: ingest, pages, ids, reports and summaries of a month of one account.
#
# The servers (Debian's ClickHouse 18.16, CLUSTER_SHARDS shards of CLUSTER_REPLICAS) run on the same cores as the daemon and
# its clients, none of which is bound to one. A record is acknowledged when all replicas have it. Files of both are in
# memory or on disk as TMPDIR and /tmp are.

CLUSTER_SHARDS=${CLUSTER_SHARDS:-1}
CLUSTER_REPLICAS=${CLUSTER_REPLICAS:-1}
CLUSTER_BATCH=5000 # records of a request: the engine gathers those that come at one time
cluster_pid=
cluster_settings=()

cluster_up() {
	coproc cluster_servers { exec /usr/bin/python3 "$TOP/bench/cluster.py" "$CLUSTER_SHARDS" "$CLUSTER_REPLICAS"; }
	cluster_pid=$!
	cluster_stdin=${cluster_servers[1]}
	read -r cluster_hosts <&"${cluster_servers[0]}" || die "the cluster did not start"
	cluster_settings=("store=clickhouse" "clickhouse=$cluster_hosts" "clickhouse_quorum=$CLUSTER_REPLICAS" "clickhouse_timeout=60s")
}

cluster_down() {
	[ -n "$cluster_pid" ] || return 0
	exec {cluster_stdin}>&-
	wait "$cluster_pid" 2>/dev/null || true
	cluster_pid=
}

# Makes the tables; the daemon itself is started as any other.
cluster_tables() {
	local setting options=()

	for setting in "${cluster_settings[@]}"; do
		options+=(-o "$setting")
	done
	"$BUILD/cdrd" "${options[@]}" -o data_dir="$WORK/none" -m >/dev/null
}

cluster_is_ready() {
	[ "$(curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$cdrd_port/readyz")" = 200 ]
}

cluster_samples() {
	say "making $RECORDS records"
	generate_month "$RECORDS" msgpack >"$WORK/records.msgpack"
	generate_month "$RECORDS" csv | sample_ids "$RECORDS"
	sample_starts "$(day "-$MONTH_DAYS")" "$MONTH_DAYS" 20
	cluster_range="account_id=$ACCOUNT&product=SMS&direction=outbound&date_start=$(day "-$MONTH_DAYS")T00:00:00Z&date_end=$(day 0)T00:00:00Z"
	echo "/v2/reports/summary?$cluster_range&group_by=country,status" >"$WORK/targets.summary"
	echo "/v2/reports/summary?$cluster_range&group_by=country&interval=day&status=failed" >"$WORK/targets.summary_filtered"
}

# cluster_measure [KEY=VALUE...]
cluster_measure() {
	local name

	cdrd_start "$@"
	wait_until cluster_is_ready
	cdrd_post ingest 8 $CLUSTER_BATCH msgpack "$WORK/records.msgpack"
	[ "$OWN" = cdrd ] || cdrd_seal
	for name in pages ids; do
		cdrd_get $name 1
	done
	for name in summary summary_filtered; do
		cdrd_client "$BUILD/bench/load" get "$cdrd_port" "$ACCOUNT:$SECRET" 1 "$SECONDS_EACH" "$WORK/targets.$name" >"$WORK/out"
		measured "$OWN" $name <"$WORK/out"
	done
	cdrd_report report "$RECORDS" "$RECORDS" "$(month_body)"
	cdrd_report report_filtered "$RECORDS" - "$(month_body '"status":"failed"')"
	cdrd_memory report
	cdrd_stop
}

# Front ends of one catalog, each with a shard on a core of its own: one of them, and two.
cluster_scale() {
	local accounts count from to

	from=$(day -2)T00:00:00Z
	to=$(day -1)T00:00:00Z
	accounts=$(seq -f 'a%07.0f' 1 50 | paste -sd, -)
	for count in 1 2; do
		"$BUILD/cdrgen" --product SMS --direction outbound --account "$accounts" --count "$RECORDS" --format msgpack \
			--from "$from" --to "$to" --seed "$count" >"$WORK/records.$count"
	done
	for count in 1 2; do
		say "front ends with a shard each: $count"
		/usr/bin/python3 "$TOP/bench/front_ends.py" "$BUILD" "$count" "$accounts" "$from" "$to" "$WORK/records.1" "$WORK/records.2" >"$WORK/out"
		measured "$OWN" "front_ends_$count" <"$WORK/out"
	done
	ratio front_ends.scales_records "$OWN.front_ends_1.busiest_us_per_record" "$OWN.front_ends_2.busiest_us_per_record"
	ratio front_ends.scales_rows "$OWN.front_ends_1.busiest_us_per_row" "$OWN.front_ends_2.busiest_us_per_row"
}

cluster_run() {
	PINNED=
	cluster_samples
	say "LMDB: ingest, pages, ids, summaries, reports"
	OWN=lmdb
	cluster_measure
	say "cluster of $CLUSTER_SHARDS x $CLUSTER_REPLICAS: the same"
	OWN=cdrd
	cluster_up
	cluster_tables
	cluster_measure "${cluster_settings[@]}"
	cluster_down
	cluster_scale
	rm -rf "$WORK"/records.* "$WORK/cdrd"
}

cluster_report() {
	local OWN_NAME=cluster

	GOALS=yes
	echo
	echo "$RECORDS SMS of a month of one account in a cluster of $CLUSTER_SHARDS x $CLUSTER_REPLICAS (18.16) beside LMDB; servers,"
	echo "daemon and clients share $(machine)"
	echo
	table_head lmdb
	row "ingest, msgpack, 8 connections of $CLUSTER_BATCH" records/s ingest.records_per_s "" higher 50000
	row "page of 1000, one connection, median" ms pages.p50_ms "" lower 50
	row "page of 1000, 99th percentile" ms pages.p99_ms "" lower
	row "record by id, one connection, median" ms ids.p50_ms "" lower 30
	row "record by id, 99th percentile" ms ids.p99_ms "" lower
	row "summary by country and status, median" ms summary.p50_ms "" lower
	row "summary by country and day, failed ones, median" ms summary_filtered.p50_ms "" lower
	row "report to zip" rows/s report.rows_per_s "" higher 500000
	row "  CPU of the daemon" s/M report.cpu_s_per_million "" lower
	row "report of the failed ones" ms report_filtered.ms "" lower
	row "memory besides the page cache after these" "MiB anon" report.rss_anon_mib "" lower
	row "ingest, a front end and a shard on one core" records/s front_ends_1.records_per_s "" higher
	row "  CPU of both" us/record front_ends_1.cpu_us_per_record "" lower
	row "two of each, on a core each, at once" records/s front_ends_2.records_per_s "" higher
	row "  CPU of all" us/record front_ends_2.cpu_us_per_record "" lower
	row "  of the busiest front end, one of one" us/record front_ends_1.busiest_us_per_record "" lower
	row "  of the busiest of two" us/record front_ends_2.busiest_us_per_record "" lower
	row "  so much more two can take in" times front_ends.scales_records "" higher 1.7
	row "50 reports at once, a front end and a shard on one core" rows/s front_ends_1.rows_per_s "" higher
	row "two of each, on a core each" rows/s front_ends_2.rows_per_s "" higher
	row "  CPU of the busiest front end, one of one" us/row front_ends_1.busiest_us_per_row "" lower
	row "  of the busiest of two" us/row front_ends_2.busiest_us_per_row "" lower
	row "  so much more two can make" times front_ends.scales_rows "" higher 1.7
}
