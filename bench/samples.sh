# SPDX-License-Identifier: ISC
# shellcheck shell=bash disable=SC2034,SC2154 # names are shared with the other parts
# samples.sh: the records and the questions, the same for every peer and every run.
#
# Outbound SMS of one account without bodies, about 356 bytes of CSV each: of one UTC day for the synchronous part, of
# thirty days up to today for the others unless they say otherwise.

ACCOUNT=bench001
SECRET=bench-secret-1
MANY=()
PRODUCT=SMS
PRODUCER=bench
QUESTIONS_IDS=20000
QUESTIONS_PAGES=2000
QUERY="/v2/reports/records?account_id=$ACCOUNT&product=SMS"

TODAY=$(date -u +%F) # the same at the end of a run that passes midnight

# day OFFSET: a date in UTC, so many days from today.
day() {
	date -u -d "$TODAY $1 days" +%F
}

# generate COUNT FROM-DAY TO-DAY FORMAT: to standard output; the second day is exclusive. WITH_BODIES adds bodies. Of
# ACCOUNT, or of the accounts that MANY, arguments of cdrgen, makes up.
generate() {
	local bodies=(--no-body) accounts=(--account "$ACCOUNT")

	[ -z "${WITH_BODIES:-}" ] || bodies=()
	[ ${#MANY[@]} -eq 0 ] || accounts=("${MANY[@]}")
	"${on_client[@]}" "$BUILD/cdrgen" --product "$PRODUCT" "${accounts[@]}" --count "$1" --direction outbound --seed 1 \
		--from "${2}T00:00:00Z" --to "${3}T00:00:00Z" --format "$4" "${bodies[@]}"
}

make_samples() {
	local format

	for format in ndjson msgpack csv; do
		generate "$RECORDS" "$(day -1)" "$(day 0)" $format >"$WORK/records.$format"
	done
	sample_ids "$RECORDS" <"$WORK/records.csv"
	sample_starts "$(day -1)" 1 23
}

# sample_ids RECORDS: ids from a CSV on standard input, in random order, and queries for them.
sample_ids() {
	awk -F'","' -v wanted=$QUESTIONS_IDS -v records="$1" '
		NR == 1 { for (i = 1; i <= NF; i++) if ($i == "message_id") column = i; next }
		NR == 2 { step = records > wanted ? int(records / wanted) : 1 }
		(NR - 2) % step == 0 { print $column }' >"$WORK/ids.sorted"
	shuf --random-source="$WORK/ids.sorted" "$WORK/ids.sorted" >"$WORK/ids"
	rm "$WORK/ids.sorted"
	awk -v query="$QUERY" '{ print query "&id=" $0 }' "$WORK/ids" >"$WORK/targets.ids"
}

# sample_starts FIRST-DAY DAYS HOURS: times in the first HOURS hours of any of the days, so that enough records follow
# each, and queries for pages from there to the end of the day.
sample_starts() {
	local n

	for ((n = 0; n < $2; n++)); do
		echo "$(date -u -d "$1 +$n days" +%F) $(date -u -d "$1 +$((n + 1)) days" +%F)"
	done | awk -v wanted=$QUESTIONS_PAGES -v hours="$3" -v query="$QUERY&direction=outbound" \
		-v starts="$WORK/starts" -v targets="$WORK/targets.pages" '
		{ days[NR] = $1; ends[NR] = $2 }
		END {
			srand(1)
			for (n = 0; n < wanted; n++) {
				day = 1 + int(rand() * NR)
				second = int(rand() * hours * 3600)
				start = sprintf("%sT%02d:%02d:%02d", days[day], second / 3600, second / 60 % 60, second % 60)
				print start "+00:00" >starts
				print query "&date_start=" start "Z&date_end=" ends[day] "T00:00:00Z" >targets
			}
		}'
}
