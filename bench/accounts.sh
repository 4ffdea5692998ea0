# SPDX-License-Identifier: ISC
# shellcheck shell=bash disable=SC2034,SC2154 # names are shared with the other parts
# accounts.sh: a store of many accounts, whose sizes follow Zipf's law, beside one of a single account.
#
# First the records of a day, of one account, of ACCOUNTS and of ACCOUNTS_MORE, in order of time, so that the accounts
# are mixed; half of the accounts are subaccounts of ACCOUNTS_PARENTS others. Then those of a month, half of whose
# accounts are subaccounts of one. Only the first, the parent of that month, has a secret.

ACCOUNTS=${ACCOUNTS:-20000}
ACCOUNTS_MORE=${ACCOUNTS_MORE:-100000}
ACCOUNTS_PARENTS=50
SMALL_RECORDS=200 # of a small account's month
SMALL_ACCOUNTS=20 # that pages are asked of, in turn

# accounts_add: the made-up accounts, if there are any, to the running daemon.
accounts_add() {
	[ ${#MANY[@]} -gt 0 ] || return 0
	"$BUILD/cdrgen" "${MANY[@]}" --list-accounts >"$WORK/accounts"
	awk -v secret="$SECRET" 'NR == 1 { print $0 ",secret" } NR > 1 { print $0 "," (NR == 2 ? secret : "") }' \
		"$WORK/accounts" >"$WORK/accounts.csv"
	cdrd_ctl account import "$WORK/accounts.csv" >/dev/null
}

# accounts_all_sealed JOB SECONDS CPU: seals what is hot, and keeps the rate and the CPU time of everything since ingest
# began: SECONDS and CPU nanoseconds are what ingest and the sealing of what was due took.
accounts_all_sealed() {
	local begun cpu ended

	cpu=$(cdrd_cpu)
	begun=$(now)
	ended=$(cdrd_sealed)
	awk -v seconds="$2" -v begun="$begun" -v ended="$ended" -v cpu="$(($3 + $(cdrd_cpu) - cpu))" -v count="$RECORDS" 'BEGIN {
		print "all_sealed_records_per_s", count / (seconds + ended - begun)
		print "all_sealed_cpu_us", cpu / 1000 / count
	}' | measured cdrd "$1"
	cdrd_disk "$1"
}

# accounts_day JOB: a day's records into an empty store, until all are acknowledged, until what is due is sealed, and
# until all is; and the start with what is hot in between.
accounts_day() {
	local begun ended cpu

	say "cdrd: ingest of $RECORDS records of a day, $1"
	cdrd_start
	accounts_add
	generate "$RECORDS" "$(day -1)" "$(day 0)" msgpack >"$WORK/records.msgpack"
	cdrd_restart
	cpu=$(cdrd_cpu)
	begun=$(now)
	cdrd_post "$1" "$CONNECTIONS" "$BATCH" msgpack
	cdrd_memory "$1"
	ended=$(cdrd_rest)
	cpu=$(($(cdrd_cpu) - cpu))
	rm -f "$WORK/records.msgpack"
	rate "$RECORDS" "$begun" "$ended" | sed 's/^/sealed_/' | measured cdrd "$1"
	awk -v cpu="$cpu" -v count="$RECORDS" 'BEGIN { print "sealed_cpu_us", cpu / 1000 / count }' | measured cdrd "$1"
	cdrd_lag "$1"
	cdrd_disk "$1_hot"
	cdrd_time_start "$1"
	wait_until cdrd_ctl status
	accounts_all_sealed "$1" "$(awk -v begun="$begun" -v ended="$ended" 'BEGIN { print ended - begun }')" "$cpu"
	cdrd_stop
}

# accounts_count: how many records each account has in the CSV of standard input, as "id count".
accounts_count() {
	awk -F'","' 'NR > 1 { count[substr($1, 2)]++ } END { for (id in count) print id, count[id] }'
}

# accounts_sample: of the month's records, how many the parent ACCOUNT and its subaccounts have, SMALL_ACCOUNTS of these
# that have as nearly SMALL_RECORDS as any, and requests for their pages.
accounts_sample() {
	generate_month "$RECORDS" csv | accounts_count >"$WORK/counts"
	awk -v parent="$ACCOUNT" -F'[, ]' 'FNR == NR { if ($1 == parent || $2 == parent) family[$1] = 1; next }
		$1 in family { rows += $2 } END { print rows }' "$WORK/accounts" "$WORK/counts" >"$WORK/family"
	awk -v parent="$ACCOUNT" -v wanted=$SMALL_RECORDS -F'[, ]' 'FNR == NR { if ($2 == parent) family[$1] = 1; next }
		$1 in family { print ($2 > wanted ? $2 - wanted : wanted - $2), $1, $2 }' "$WORK/accounts" "$WORK/counts" |
		sort -n | awk -v most=$SMALL_ACCOUNTS 'NR <= most { print $2, $3 }' >"$WORK/small"
	awk -v from="$(day "-$MONTH_DAYS")" -v to="$(day 0)" '{ print "/v2/reports/records?account_id=" $1 "&product=SMS" \
		"&direction=outbound&date_start=" from "T00:00:00Z&date_end=" to "T00:00:00Z" }' "$WORK/small" >"$WORK/targets.small"
}

# accounts_family JOB: a report over the parent and all its subaccounts.
accounts_family() {
	local rows

	rows=$(cat "$WORK/family")
	cdrd_report "$1" "$rows" "$rows" "$(month_body '"include_subaccounts":true')"
}

# A report over one small account, by its parent's secret.
accounts_small() {
	local small rows body

	read -r small rows <"$WORK/small"
	body=$(for_account "$small" month_body)
	cdrd_report accounts_small "$rows" "$rows" "$body"
}

accounts_month() {
	local MANY=(--accounts "$ACCOUNTS" --parents 1) ACCOUNT=$ACCOUNT begun ended

	say "cdrd: loading and sealing a month of $RECORDS records of $ACCOUNTS accounts"
	cdrd_start sync_window_max=31d
	accounts_add
	ACCOUNT=$(awk -F, 'NR == 2 { print $1 }' "$WORK/accounts") # the parent
	accounts_sample
	begun=$(now)
	generate_month "$RECORDS" msgpack | cdrd_stream "$RECORDS"
	rate "$RECORDS" "$begun" "$(now)" | measured cdrd accounts_month
	cdrd_rest >/dev/null
	cdrd_disk accounts_month_hot
	accounts_family accounts_family_hot
	begun=$(now)
	ended=$(cdrd_sealed)
	rate "$RECORDS" "$begun" "$ended" | sed 's/^/sealing_/' | measured cdrd accounts_month
	cdrd_disk accounts_month
	cdrd_memory accounts_month
	say "cdrd: reports over a parent and a small account, pages of small accounts"
	accounts_family accounts_family
	accounts_small
	cdrd_get accounts_page 1 small
	cdrd_stop
	rm -rf "$WORK/cdrd"
}

accounts_run() {
	PINNED=yes
	accounts_day accounts_one
	MANY=(--accounts "$ACCOUNTS" --parents $ACCOUNTS_PARENTS)
	accounts_day accounts_many
	MANY=(--accounts "$ACCOUNTS_MORE" --parents $ACCOUNTS_PARENTS)
	accounts_day accounts_more
	MANY=()
	ratio accounts_many_one cdrd.accounts_many.all_sealed_records_per_s cdrd.accounts_one.all_sealed_records_per_s
	ratio accounts_more_one cdrd.accounts_more.all_sealed_records_per_s cdrd.accounts_one.all_sealed_records_per_s
	accounts_month
}

# accounts_rows JOB TEXT [DISK-GOAL [START-GOAL]]
accounts_rows() {
	row "$2, ingest" records/s "$1.records_per_s"
	row "  until all that is due is sealed, too" records/s "$1.sealed_records_per_s"
	row "  and all the rest, too" records/s "$1.all_sealed_records_per_s"
	row "  CPU until all that is due is sealed" us/record "$1.sealed_cpu_us" - lower
	row "  CPU until all is sealed" us/record "$1.all_sealed_cpu_us" - lower
	row "  memory besides the page cache" "MiB anon" "$1.rss_anon_mib" - lower 96
	row "  loop lag meanwhile, 99.9th percentile" ms "$1.lag_p999_ms" - lower 15
	row "  hot when only what is due is sealed" % "$1_hot.hot_percent" - lower
	row "  on disk then" bytes/record "$1_hot.bytes_a_record" - lower
	row "  start then" ms "$1.start_ms" - lower "${4:-}"
	row "  on disk, sealed" bytes/record "$1.bytes_a_record" - lower "${3:-}"
}

accounts_report() {
	GOALS=yes
	echo
	echo "$RECORDS SMS records of many accounts, and of one; msgpack, $CONNECTIONS connections of $BATCH; one core; $(machine)"
	echo
	table_head
	accounts_rows accounts_one "one account, a day"
	accounts_rows accounts_many "$ACCOUNTS accounts, a day" 120
	row "  ingest until all is sealed, over one account's" times accounts_many_one - higher 0.8
	accounts_rows accounts_more "$ACCOUNTS_MORE accounts, a day" 140 1000
	row "  ingest until all is sealed, over one account's" times accounts_more_one - higher 0.6
	row "$ACCOUNTS accounts, a month, ingest, one body" records/s accounts_month.records_per_s
	row "  hot when only what is due is sealed" % accounts_month_hot.hot_percent - lower
	row "  report over a parent then" "CPU s/M" accounts_family_hot.cpu_s_per_million - lower
	row "  sealing of the rest" records/s accounts_month.sealing_records_per_s
	row "  memory besides the page cache then" "MiB anon" accounts_month.rss_anon_mib - lower 96
	row "  on disk, sealed" bytes/record accounts_month.bytes_a_record - lower
	row "report over a parent of $((ACCOUNTS / 2)) subaccounts" "CPU s/M" accounts_family.cpu_s_per_million - lower 0.2
	row "  rows" rows accounts_family.rows
	row "  peak memory" "MiB anon" accounts_family.rss_anon_mib - lower 96
	row "report over a small account's month" ms accounts_small.ms - lower 20
	row "  CPU" ms accounts_small.cpu_ms - lower
	row "  rows" rows accounts_small.rows
	row "page of a small account's month, median" ms accounts_page.p50_ms - lower 5
	row "page of a small account's month, 99th percentile" ms accounts_page.p99_ms - lower
}
