# SPDX-License-Identifier: ISC
# shellcheck shell=bash disable=SC2034,SC2154 # names are shared with the other parts
# parquet.sh: the month of one account as Parquet, beside ClickHouse, which writes the same table on one thread.
#
# The store is that of reports.sh.

parquet_run() {
	peers_install
	reports_load
	cdrd_restart
	say "cdrd: the month as Parquet"
	cdrd_report parquet "$RECORDS" "$RECORDS" "$(month_body '"format":"parquet"')"
	cdrd_lag parquet
	cdrd_stop
	PINNED=yes
	generate_month "$RECORDS" csv >"$WORK/report.csv"
	say "clickhouse: loading $RECORDS records and writing the report $PEER_REPEATS times"
	mkdir -p "$WORK/clickhouse"
	"${on_server[@]}" node "$BUILD/bench/peers/parquet.mjs" "$WORK/report.csv" "$WORK/clickhouse" "$RECORDS" "$PEER_REPEATS" >"$WORK/out"
	measured clickhouse parquet <"$WORK/out"
	rm -rf "$WORK/clickhouse" "$WORK/report.csv"
	ratio parquet.of_clickhouse clickhouse.parquet.zstd.cpu_s_per_million cdrd.parquet.cpu_s_per_million
}

parquet_report() {
	GOALS=yes
	echo
	echo "A month of one account as Parquet, $RECORDS SMS records; one core; $(machine)"
	echo "CPU s/M: seconds of CPU a million records, user and system."
	echo
	table_head clickhouse
	row "Parquet" "CPU s/M" parquet.cpu_s_per_million parquet.zstd.cpu_s_per_million lower
	row "Parquet" rows/s parquet.rows_per_s parquet.zstd.rows_per_s
	row "file" MiB parquet.mib parquet.zstd.mib lower
	row "ClickHouse's CPU over cdrd's" times parquet.of_clickhouse - higher 1
	row "peak memory" "MiB anon" parquet.rss_anon_mib - lower 64
	row "loop lag meanwhile, 99.9th percentile" ms parquet.lag_p999_ms - lower 15
}
