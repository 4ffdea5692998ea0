# samples.sh: the records and the questions, the same for every peer and every run.
#
# Outbound SMS of one account and one UTC day without bodies, about 356 bytes of CSV each.

ACCOUNT=bench001
SECRET=bench-secret-1
PRODUCER=bench
QUESTIONS_IDS=20000
QUESTIONS_PAGES=2000

make_samples() {
	local day format

	day=$(date -u -d yesterday +%F)
	for format in ndjson msgpack csv; do
		"$BUILD/cdrgen" --product SMS --account "$ACCOUNT" --count "$RECORDS" --direction outbound --no-body --seed 1 \
			--from "${day}T00:00:00Z" --to "$(date -u -d "$day +1 day" +%F)T00:00:00Z" --format $format \
			>"$WORK/records.$format"
	done
	make_questions "$day"
}

# Ids in random order; times of the first 23 hours, so that a full page follows each.
make_questions() {
	local day=$1 next

	next=$(date -u -d "$day +1 day" +%F)
	awk -F'","' -v wanted=$QUESTIONS_IDS -v records="$RECORDS" '
		NR == 1 { for (i = 1; i <= NF; i++) if ($i == "message_id") column = i; next }
		{ step = records > wanted ? int(records / wanted) : 1 }
		(NR - 2) % step == 0 { print $column }' "$WORK/records.csv" |
		shuf --random-source="$WORK/records.csv" >"$WORK/ids"
	awk -v day="$day" -v wanted=$QUESTIONS_PAGES 'BEGIN {
		srand(1)
		for (n = 0; n < wanted; n++) {
			second = int(rand() * 23 * 3600)
			printf "%sT%02d:%02d:%02d+00:00\n", day, second / 3600, second / 60 % 60, second % 60
		}
	}' >"$WORK/starts"
	awk -v query="/v2/reports/records?account_id=$ACCOUNT&product=SMS" '{ print query "&id=" $0 }' "$WORK/ids" \
		>"$WORK/targets.ids"
	awk -v query="/v2/reports/records?account_id=$ACCOUNT&product=SMS&direction=outbound" -v next_day="$next" \
		'{ sub(/\+00:00/, "Z"); print query "&date_start=" $0 "&date_end=" next_day "T00:00:00Z" }' "$WORK/starts" \
		>"$WORK/targets.pages"
}
