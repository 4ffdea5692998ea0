# SPDX-License-Identifier: ISC
# shellcheck shell=bash disable=SC2034,SC2154 # names are shared with the other parts
# summary.sh: counts and sums of a month of one account, by columns of few values, beside ClickHouse. Both must give the
# same numbers.
#
# The store is that of reports.sh, with a tenth as many voice calls. summary.py and peers/summary.mjs read the table.

# name, what is asked for, product, group_by, interval, filter
SUMMARIES='
total              summary  SMS        -                          -   -
day                summary  SMS        -                          day -
country            summary  SMS        country                    -   -
status             summary  SMS        status                     -   -
country_status     summary  SMS        country,status             -   -
day_country_status summary  SMS        country,status             day -
network            summary  SMS        network                    -   -
three              summary  SMS        country,network,error_code -   -
delivered_country  summary  SMS        country                    -   status=delivered
estimate           estimate SMS        -                          -   status=delivered
voice_day_country  summary  VOICE-CALL country                    day -
'

# The arguments that both take after their own: the table, the range, the numbers of records.
summary_arguments() {
	printf '%s\n' "$WORK/summaries" "$(day "-$MONTH_DAYS")" "$(day 0)" "SMS=$RECORDS" "VOICE-CALL=$((RECORDS / 10))"
}

summary_cdrd() {
	reports_load
	say "cdrd: loading $((RECORDS / 10)) voice calls"
	PRODUCT=VOICE-CALL generate_month $((RECORDS / 10)) msgpack | cdrd_stream $((RECORDS / 10))
	cdrd_seal
	cdrd_restart
	say "cdrd: summaries"
	cdrd_client python3 "$TOP/bench/summary.py" ask "$cdrd_port" "$ACCOUNT:$SECRET" "$cdrd_pid" "$REPEATS" \
		"$WORK/answers.cdrd" "${arguments[@]}" >"$WORK/out"
	measured cdrd summary <"$WORK/out"
	cdrd_lag summary
	cdrd_memory summary
	cdrd_stop
}

summary_clickhouse() {
	generate_month "$RECORDS" csv >"$WORK/SMS.csv"
	PRODUCT=VOICE-CALL generate_month $((RECORDS / 10)) csv >"$WORK/VOICE-CALL.csv"
	say "clickhouse: loading the same records, summaries"
	mkdir -p "$WORK/clickhouse"
	"${on_server[@]}" node "$BUILD/bench/peers/summary.mjs" "$WORK" "$WORK/clickhouse" "$RECORDS" "$REPEATS" \
		"$WORK/answers.clickhouse" "$ACCOUNT" "${arguments[@]}" >"$WORK/out"
	measured clickhouse summary <"$WORK/out"
	rm -rf "$WORK/clickhouse" "$WORK"/{SMS,VOICE-CALL}.csv
}

# Keeps the least of the ratios of CPU time.
summary_least_ratio() {
	local name

	while read -r name _; do
		[ -z "$name" ] || ratio "summary_$name" "clickhouse.summary.$name.cpu_ms_per_million" "cdrd.summary.$name.cpu_ms_per_million"
	done <<<"$SUMMARIES"
	awk '$1 ~ /^cdrd[.]summary_/ && (least == "" || $2 < least) { least = $2 } END { print "least_ratio", least }' \
		"$WORK/figures" | measured cdrd summary
}

summary_run() {
	local arguments=()

	PINNED=yes
	peers_install
	printf '%s' "$SUMMARIES" >"$WORK/summaries"
	mapfile -t arguments < <(summary_arguments)
	summary_cdrd
	summary_clickhouse
	python3 "$TOP/bench/summary.py" compare "$WORK/answers.cdrd" "$WORK/answers.clickhouse"
	summary_least_ratio
}

# summary_text WHAT PRODUCT GROUP-BY INTERVAL FILTER
summary_text() {
	local by=${3//,/, }

	[ "$4" = - ] || by="$4${by:+, $by}"
	by=${by%, -}
	echo "$([ "$1" = estimate ] && echo "estimate, ")$2$([ "$by" = - ] || echo " by $by")$([ "$5" = - ] || echo ", $5")"
}

summary_report() {
	local name what text

	GOALS=yes
	echo
	echo "Summaries of a month of one account, $RECORDS SMS and $((RECORDS / 10)) voice records; one core; $(machine)"
	echo "CPU ms/M: milliseconds of CPU a million records, user and system."
	echo
	table_head clickhouse
	while read -r name what; do
		[ -n "$name" ] || continue
		# shellcheck disable=SC2086
		text=$(summary_text $what)
		row "$text" "CPU ms/M" "summary.$name.cpu_ms_per_million" "" lower 5
		row "  time" ms "summary.$name.ms" "" lower
	done <<<"$SUMMARIES"
	row "ClickHouse's CPU over cdrd's, the least of all" times summary.least_ratio - higher 3
	row "the estimate is exact" "1 or 0" summary.estimate.exact - higher 1
	row "loop lag meanwhile, 99.9th percentile" ms summary.lag_p999_ms - lower 15
	row "memory besides the page cache after these" "MiB anon" summary.rss_anon_mib - lower 96
}
