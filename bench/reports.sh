# SPDX-License-Identifier: ISC
# shellcheck shell=bash disable=SC2034,SC2154 # names are shared with the other parts
# reports.sh: asynchronous reports over a month of one account, beside PostgreSQL, DuckDB and ClickHouse.
#
# One daemon holds the month of RECORDS records (the account of samples.sh), of a tenth of them (SMALL_ACCOUNT) and
# of messages with bodies (BODY_ACCOUNT). All is sealed before the first report. A restart in between sets the loop's
# lag to zero, so that it is that of making reports alone.

SMALL_ACCOUNT=bench002
BODY_ACCOUNT=bench003
BODY_RECORDS_MAX=1000000
MONTH_DAYS=30

# for_account ACCOUNT COMMAND...: as if it were the account of the samples.
for_account() {
	local ACCOUNT=$1

	shift
	"$@"
}

# month_body [MEMBER]: the body that asks for the month's report, with more members of JSON.
month_body() {
	printf '{"account_id":"%s","product":"SMS","direction":"outbound","date_start":"%sT00:00:00Z","date_end":"%sT00:00:00Z"%s}' \
		"$ACCOUNT" "$(day "-$MONTH_DAYS")" "$(day 0)" "${1:+,$1}"
}

# generate_month COUNT FORMAT
generate_month() {
	generate "$1" "$(day "-$MONTH_DAYS")" "$(day 0)" "$2"
}

# The store of the sections `reports`, `summary` and `busy`, and questions about it; what one has loaded, the next takes.
reports_load() {
	PINNED=yes
	if [ "$(cat "$WORK/cdrd/loaded" 2>/dev/null)" = "$RECORDS" ]; then
		cdrd_restart
		return
	fi
	cdrd_start
	say "cdrd: loading and sealing a month of $RECORDS records"
	generate_month "$RECORDS" msgpack | cdrd_stream "$RECORDS"
	cdrd_seal
	cdrd_disk reports_store
	generate_month "$RECORDS" csv | sample_ids "$RECORDS"
	echo "$RECORDS" >"$WORK/cdrd/loaded"
}

# reports_load_other COUNT: an account of its own, with the same secret.
reports_load_other() {
	cdrd_ctl account add "$ACCOUNT" --secret "$SECRET" >/dev/null
	generate_month "$1" msgpack | cdrd_stream "$1"
	cdrd_seal
}

# reports_whole NAME COUNT: the three compressions of the whole month.
reports_whole() {
	local compression

	for compression in zip gzip zstd; do
		cdrd_report "$1.$compression" "$2" "$2" "$(month_body "\"compression\":\"$compression\"")"
	done
}

# reports_bodies COUNT
reports_bodies() {
	cdrd_report report_bodies "$1" "$1" "$(month_body '"include_message":true')"
}

# A number that is in the month once or so.
reports_number() {
	generate_month "$RECORDS" csv | awk -F'","' -v line=$((RECORDS / 2)) \
		'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "to") column = i } NR == line { print $column; exit }' || true
}

reports_cdrd() {
	local small=$((RECORDS / 10)) bodies=$((RECORDS < BODY_RECORDS_MAX ? RECORDS : BODY_RECORDS_MAX))

	reports_load
	say "cdrd: loading $small more, and $bodies with bodies"
	for_account $SMALL_ACCOUNT reports_load_other "$small"
	WITH_BODIES=yes for_account $BODY_ACCOUNT reports_load_other "$bodies"
	cdrd_restart
	say "cdrd: unfiltered reports"
	reports_whole report "$RECORDS"
	for_account $SMALL_ACCOUNT reports_whole report_small "$small"
	say "cdrd: filtered reports, and with bodies"
	cdrd_report report_delivered "$RECORDS" - "$(month_body '"status":"delivered"')"
	cdrd_report report_number "$RECORDS" - "$(month_body "\"to\":\"$(reports_number)\"")"
	for_account $BODY_ACCOUNT reports_bodies "$bodies"
	cdrd_lag reports
}

# reports_peers NAME COUNT REPEATS: with the same records from a CSV.
reports_peers() {
	generate_month "$2" csv >"$WORK/report.csv"
	chmod a+r "$WORK/report.csv"
	peers_reports "$1" "$WORK/report.csv" "$2" "$3"
	rm -f "$WORK/report.csv"
}

reports_run() {
	peers_install
	reports_cdrd
	cdrd_stop
	PINNED=yes
	reports_peers report_small $((RECORDS / 10)) "$PEER_REPEATS"
	reports_peers report "$RECORDS" "$PEER_REPEATS"
	ratio clickhouse_gzip clickhouse.report.gzip.cpu_s_per_million cdrd.report.zip.cpu_s_per_million
	ratio clickhouse_zstd clickhouse.report.zstd.cpu_s_per_million cdrd.report.zip.cpu_s_per_million
	ratio clickhouse_delivered clickhouse.report.delivered.cpu_s_per_million cdrd.report_delivered.cpu_s_per_million
}

# reports_rows NAME TEXT
reports_rows() {
	row "$2 to zip (peers: gzip)" "CPU s/M" "$1.zip.cpu_s_per_million" "$1.gzip.cpu_s_per_million" lower "${3:-}"
	row "$2 to gzip" "CPU s/M" "$1.gzip.cpu_s_per_million" "" lower
	row "$2 to zstd" "CPU s/M" "$1.zstd.cpu_s_per_million" "" lower
	row "$2 to zip (peers: gzip)" rows/s "$1.zip.rows_per_s" "$1.gzip.rows_per_s"
	row "$2 to gzip" rows/s "$1.gzip.rows_per_s"
	row "$2 to zstd" rows/s "$1.zstd.rows_per_s"
	row "$2, file, zip (peers: gzip)" MiB "$1.zip.mib" "$1.gzip.mib" lower
	row "$2, file, zstd" MiB "$1.zstd.mib" "" lower
	row "$2, peak memory, zip" "MiB anon" "$1.zip.rss_anon_mib" - lower "${4:-}"
	row "$2, peak memory, zstd" "MiB anon" "$1.zstd.rss_anon_mib" - lower "${4:-}"
}

reports_report() {
	GOALS=yes
	echo
	echo "Reports over a month of one account, $RECORDS and $((RECORDS / 10)) SMS records; one core; $(machine)"
	echo "CPU s/M: seconds of CPU a million records looked at, user and system. Ratios say how many times better cdrd is."
	echo
	table_head postgres duckdb clickhouse
	reports_rows report_small "$((RECORDS / 10))"
	reports_rows report "$RECORDS" 0.10 64
	row "ClickHouse's CPU for gzip over cdrd's for zip" times clickhouse_gzip - higher 15
	row "ClickHouse's CPU for zstd over cdrd's for zip" times clickhouse_zstd - higher 15
	row "status=delivered to zip (ClickHouse: gzip)" "CPU s/M" report_delivered.cpu_s_per_million \
		report.delivered.cpu_s_per_million lower 0.7
	row "status=delivered to zip (ClickHouse: gzip)" rows/s report_delivered.rows_per_s report.delivered.rows_per_s
	row "ClickHouse's CPU over cdrd's for this" times clickhouse_delivered - higher 3
	row "status=delivered, peak memory" "MiB anon" report_delivered.rss_anon_mib - lower 64
	row "one number of all" "CPU ms" report_number.cpu_ms - lower 50
	row "include_message=true to zip" "CPU s/M" report_bodies.cpu_s_per_million - lower 1.5
	row "include_message=true, peak memory" "MiB anon" report_bodies.rss_anon_mib - lower 64
	row "loop lag meanwhile, 99.9th percentile" ms reports.lag_p999_ms - lower 15
	row "loop lag meanwhile, longest" ms reports.lag_longest_ms - lower
	row "on disk, sealed" "bytes/record" reports_store.bytes_a_record - lower 110
}
