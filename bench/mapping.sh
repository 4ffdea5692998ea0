# SPDX-License-Identifier: ISC
# shellcheck shell=bash disable=SC2034,SC2154 # names are shared with the other parts
# mapping.sh: rows of Asterisk and Kannel by their mappings, beside the same records as NDJSON; and how soon a line of a
# tail is there.

# mapping_ingest JOB FILE QUERY: one body, into an empty store.
mapping_ingest() {
	local begun ended

	cdrd_start mappings_dir="$TOP/etc/mappings"
	begun=$(now)
	"${on_client[@]}" curl -sSf -o "$WORK/answer" -u "$PRODUCER:$SECRET" -X POST -T "$WORK/$2" -H 'Content-Type: application/x-ndjson' \
		"http://127.0.0.1:$cdrd_port/v1/cdrs?$3"
	ended=$(now)
	grep -q "\"accepted\":$RECORDS," "$WORK/answer" || die "$1: not all was accepted: $(head -c 300 "$WORK/answer")"
	awk -v n="$RECORDS" -v begun="$begun" -v ended="$ended" 'BEGIN { print "records_per_s", n / (ended - begun) }' | measured cdrd "$1"
}

# The longest of 20 times from the writing of a line until a query by its id finds it.
mapping_tail() {
	local begun id line longest=0 number

	: >"$WORK/tail.log"
	cdrd_start mappings_dir="$TOP/etc/mappings" tail="$WORK/tail.log mapping=kannel-access"
	for number in {1..20}; do
		line=$(sed -n "${number}p" "$WORK/messages.log")
		id=$(cut -d '|' -f 3 <<<"$line")
		begun=$(now)
		printf '%s\n' "$line" >>"$WORK/tail.log"
		until curl -sf -u "$ACCOUNT:$SECRET" "http://127.0.0.1:$cdrd_port/v2/reports/records?account_id=$ACCOUNT&product=SMS&id=$id" |
			grep -q '"items_count":1'; do :; done
		longest=$(awk -v begun="$begun" -v ended="$(now)" -v longest="$longest" \
			'BEGIN { ms = (ended - begun) * 1000; print (ms > longest ? ms : longest) }')
	done
	echo "delay_ms $longest" | measured cdrd tail
	cdrd_stop
}

mapping_run() {
	PINNED=yes
	python3 "$TOP/bench/mapping.py" "$RECORDS" "$ACCOUNT" "$WORK"
	say "cdrd: $RECORDS rows of Asterisk and of Kannel, and the same as NDJSON"
	mapping_ingest calls_ndjson calls.ndjson ""
	mapping_ingest calls_mapped calls.csv "mapping=asterisk-csv&time_zone=UTC"
	mapping_ingest messages_ndjson messages.ndjson ""
	mapping_ingest messages_mapped messages.log "mapping=kannel-access"
	ratio calls_mapped.of_ndjson cdrd.calls_mapped.records_per_s cdrd.calls_ndjson.records_per_s
	ratio messages_mapped.of_ndjson cdrd.messages_mapped.records_per_s cdrd.messages_ndjson.records_per_s
	mapping_tail
	rm -f "$WORK"/calls.* "$WORK"/messages.*
}

mapping_report() {
	GOALS=yes
	echo
	echo "$RECORDS calls and $RECORDS messages, one body, $(machine)"
	echo
	table_head
	row "calls, NDJSON" records/s calls_ndjson.records_per_s
	row "calls, Asterisk's Master.csv" records/s calls_mapped.records_per_s
	row "  as a part of NDJSON's rate" "" calls_mapped.of_ndjson "" "" 0.5
	row "messages, NDJSON" records/s messages_ndjson.records_per_s
	row "messages, Kannel's access log" records/s messages_mapped.records_per_s
	row "  as a part of NDJSON's rate" "" messages_mapped.of_ndjson "" "" 0.5
	row "a tail's line until it is found, longest of 20" ms tail.delay_ms "" lower 1000
}
