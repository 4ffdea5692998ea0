# SPDX-License-Identifier: ISC
# shellcheck shell=bash disable=SC2034,SC2154 # names are shared with the other parts
# feeds.sh: the same messages by each way in: a request, a spool, a tail, a queue of RabbitMQ, a topic of Kafka.

feeds_broker=

feeds_stop() {
	[ -n "$feeds_broker" ] || return 0
	kill "$feeds_broker" 2>/dev/null || true
	wait "$feeds_broker" 2>/dev/null || true
	feeds_broker=
}

# feeds_broker_start KIND [ARGUMENT...]: one with all messages in it; its address and what it needs are in $WORK/broker.
feeds_broker_start() {
	local kind=$1

	shift
	feeds_stop
	rm -f "$WORK/broker"
	say "$kind: publishing $RECORDS messages"
	CDRD_BUILD_DIR="$BUILD" "${on_client[@]}" /usr/bin/python3 "$TOP/bench/feeds.py" "$kind" "$WORK/messages.ndjson" "$WORK/broker" "$@" &
	feeds_broker=$!
	until [ -e "$WORK/broker" ]; do
		kill -0 "$feeds_broker" 2>/dev/null || die "the broker of $kind did not start"
		sleep 0.2
	done
}

# feeds_await JOB [BEGUN]: until all is on disk, from BEGUN or the first records; the daemon was just started.
feeds_await() {
	cdrd_client python3 "$TOP/bench/feeds.py" await "$cdrd_metrics_port" "$RECORDS" "${@:2}" | measured cdrd "$1"
	awk -v cpu="$(cdrd_cpu)" -v n="$RECORDS" 'BEGIN { print "cpu_us", cpu / 1e3 / n }' | measured cdrd "$1"
	cdrd_lag "$1"
	cdrd_stop
}

# feeds_consume JOB KEY=VALUE: with an empty store, whose account is there before the first message comes.
feeds_consume() {
	cdrd_start
	cdrd_restart "$2"
	feeds_await "$1"
}

feeds_http() {
	local begun

	cdrd_start
	cdrd_restart
	begun=$(now)
	cdrd_client curl -sSf -o "$WORK/answer" -u "$PRODUCER:$SECRET" -X POST -T "$WORK/messages.ndjson" \
		-H 'Content-Type: application/x-ndjson' "http://127.0.0.1:$cdrd_port/v1/cdrs" &
	feeds_await http "$begun"
	wait $! || true
}

# The file is moved in, or there, before the daemon looks.
feeds_files() {
	mkdir -p "$WORK/spool"
	cp "$WORK/messages.log" "$WORK/spool/messages.log"
	cdrd_start mappings_dir="$TOP/etc/mappings"
	cdrd_restart mappings_dir="$TOP/etc/mappings" spool="$WORK/spool mapping=kannel-access"
	feeds_await spool "$cdrd_launched"
	cdrd_start mappings_dir="$TOP/etc/mappings"
	cdrd_restart mappings_dir="$TOP/etc/mappings" tail="$WORK/messages.log mapping=kannel-access"
	feeds_await tail "$cdrd_launched"
}

feeds_amqp() {
	local address credentials

	feeds_broker_start amqp
	read -r address credentials <"$WORK/broker"
	feeds_consume amqp amqp="$address queue=cdrs credentials=$credentials format=ndjson"
	feeds_consume amqp_prefetch amqp="$address queue=more credentials=$credentials format=ndjson prefetch=5000"
	feeds_consume amqp_many amqp="$address queue=many credentials=$credentials format=ndjson"
	feeds_stop
}

feeds_kafka() {
	local address

	feeds_broker_start kafka "$BUILD/tests/blackbox/kafka_mock"
	read -r address <"$WORK/broker"
	feeds_consume kafka kafka="$address topic=cdrs group=one format=ndjson"
	feeds_consume kafka_prefetch kafka="$address topic=cdrs group=two format=ndjson prefetch=5000"
	feeds_consume kafka_many kafka="$address topic=many group=one format=ndjson"
	feeds_stop
}

feeds_run() {
	PINNED=yes
	python3 "$TOP/bench/mapping.py" "$RECORDS" "$ACCOUNT" "$WORK"
	say "cdrd: $RECORDS messages by each way"
	feeds_http
	feeds_files
	feeds_amqp
	feeds_kafka
	rm -rf "$WORK"/calls.* "$WORK"/messages.* "$WORK/spool" "$WORK/broker"
}

# feeds_rows TEXT JOB
feeds_rows() {
	row "$1" records/s "$2.records_per_s"
	row "  CPU of the daemon, its start included" us/record "$2.cpu_us" "" lower
	row "  loop lag meanwhile, 99.9th percentile" ms "$2.lag_p999_ms" "" lower 15
}

feeds_report() {
	GOALS=yes
	echo
	echo "$RECORDS messages by each way in; the daemon on one core, brokers and clients on another; $(machine)"
	echo
	table_head
	feeds_rows "NDJSON by HTTP, one body" http
	feeds_rows "a spool's file of Kannel's" spool
	feeds_rows "a tail of the same" tail
	feeds_rows "RabbitMQ, a record a message" amqp
	feeds_rows "  prefetch=5000" amqp_prefetch
	feeds_rows "  100 records a message" amqp_many
	feeds_rows "Kafka (librdkafka's mock), a record a message" kafka
	feeds_rows "  prefetch=5000" kafka_prefetch
	feeds_rows "  100 records a message" kafka_many
}
