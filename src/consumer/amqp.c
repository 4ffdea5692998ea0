/* SPDX-License-Identifier: ISC */
/*
 * amqp.c: consumes a queue of AMQP 0-9-1.
 *
 * The handshake is a table of what is awaited in each state and what answers it. Then messages come as a method frame, a
 * header frame with the body's length, and frames of the body, which are fed to the message's batch as they come. Messages
 * are acknowledged in the order of their arrival, several at once. The queue must exist: how it is declared is the
 * operator's.
 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/first_line.h"
#include "base/log.h"
#include "consumer/amqp_link.h"
#include "consumer/consumer_private.h"

#define HANDSHAKE_US (30 * CLOCK_US_PER_SECOND)
#define FRAME_MAX 131072 /* as RabbitMQ proposes */
#define HEARTBEAT_S 10
#define CHANNEL 1
#define ASK_EVERY_US (5 * CLOCK_US_PER_SECOND) /* how long the queue is */

enum amqp_state { AWAIT_START, AWAIT_TUNE, AWAIT_OPEN, AWAIT_CHANNEL, AWAIT_QOS, AWAIT_CONSUME, CONSUMING };

struct amqp {
	struct consumer *consumer;
	struct amqp_link *link;
	enum amqp_state state;
	int64_t begun_us;
	int64_t heartbeat_us; /* 0: none */
	int64_t full_us;      /* when it was full last: what comes then waits in the socket, and is not heard */

	/* the message that is arriving; NULL: none */
	struct message *message;
	bool has_header;
	uint64_t body_left;
	struct buf body; /* as far as it may be kept */
	bool body_cut;

	/* the queue's length */
	bool asks; /* it is being asked for */
	int64_t asked_us;
	int64_t length; /* messages that nobody has received; -1: not known yet */
};

/* --- the address --- */

/* The parts of an address; they are in `text`. */
static int read_address(const char *address, char text[CONSUMER_TEXT_MAX + 1], struct amqp_connection_info *parts,
                        struct error *err)
{
	snprintf(text, CONSUMER_TEXT_MAX + 1, "%s", address);
	amqp_default_connection_info(parts);
	/* Settings are shown; what is in a file is not. */
	if (strchr(address, '@'))
		return error_set(err, ERROR_INVALID,
		                 "the address must not hold a user or password; credentials=FILE does");
	if (amqp_parse_url(text, parts) != AMQP_STATUS_OK || !parts->host || !parts->host[0])
		return error_set(err, ERROR_INVALID, "\"%.100s\": must be amqp://HOST[:PORT][/VHOST] or amqps://...",
		                 address);
	return 0;
}

static int amqp_check(const struct consumer_settings *settings, struct error *err)
{
	char text[CONSUMER_TEXT_MAX + 1];
	struct amqp_connection_info parts;

	if (read_address(settings->address, text, &parts, err) != 0)
		return -1;
	return settings->queue[0] ? 0 : error_set(err, ERROR_INVALID, "%s: needs queue=NAME", settings->address);
}

/* --- the handshake --- */

static int send_method(struct amqp *amqp, amqp_channel_t channel, amqp_method_number_t number, void *method,
                       struct error *err)
{
	return amqp_link_send(amqp->link, channel, number, method, err);
}

/* The response of PLAIN: NUL, user, NUL, password. */
static int make_response(const struct consumer_settings *settings, char response[CONSUMER_TEXT_MAX + 2], size_t *len,
                         struct error *err)
{
	char *text = response + 1, *colon;

	response[0] = '\0';
	memcpy(text, "guest:guest", sizeof("guest:guest"));
	if (settings->credentials[0] && first_line_read(settings->credentials, text, CONSUMER_TEXT_MAX + 1, err) != 0)
		return -1;
	*len = 1 + strlen(text);
	colon = strchr(text, ':');
	if (!colon)
		return error_set(err, ERROR_INVALID, "%s: must hold user:password", settings->credentials);
	*colon = '\0';
	return 0;
}

static amqp_table_entry_t text_entry(const char *key, const char *text)
{
	return (amqp_table_entry_t){ .key = amqp_cstring_bytes(key),
		                     .value = { .kind = AMQP_FIELD_KIND_UTF8,
		                                .value.bytes = amqp_cstring_bytes(text) } };
}

static amqp_table_entry_t yes_entry(const char *key)
{
	return (amqp_table_entry_t){ .key = amqp_cstring_bytes(key),
		                     .value = { .kind = AMQP_FIELD_KIND_BOOLEAN, .value.boolean = 1 } };
}

static int on_start(struct amqp *amqp, const void *method, struct error *err)
{
	char response[CONSUMER_TEXT_MAX + 2];
	size_t len;
	/* The broker then says why it refuses, and when the queue is gone. */
	amqp_table_entry_t can[] = { yes_entry("authentication_failure_close"), yes_entry("consumer_cancel_notify") };
	amqp_table_entry_t entries[] = {
		text_entry("product", "cdrd"),
		text_entry("version", PACKAGE_VERSION),
		{ .key = amqp_cstring_bytes("capabilities"),
		  .value = { .kind = AMQP_FIELD_KIND_TABLE, .value.table = { sizeof(can) / sizeof(can[0]), can } } },
	};

	(void)method;
	if (make_response(&amqp->consumer->settings, response, &len, err) != 0)
		return -1;
	amqp_connection_start_ok_t answer = {
		.client_properties = { sizeof(entries) / sizeof(entries[0]), entries },
		.mechanism = amqp_cstring_bytes("PLAIN"),
		.response = { len, response },
		.locale = amqp_cstring_bytes("en_US"),
	};
	return send_method(amqp, 0, AMQP_CONNECTION_START_OK_METHOD, &answer, err);
}

/* The smaller of two limits, of which 0 is none. */
static uint32_t smaller(uint32_t proposed, uint32_t own)
{
	return proposed != 0 && proposed < own ? proposed : own;
}

static int on_tune(struct amqp *amqp, const void *method, struct error *err)
{
	char text[CONSUMER_TEXT_MAX + 1];
	struct amqp_connection_info parts;
	const amqp_connection_tune_t *tune = method;
	amqp_connection_tune_ok_t answer = { .channel_max = 1,
		                             .frame_max = smaller(tune->frame_max, FRAME_MAX),
		                             .heartbeat = (uint16_t)smaller(tune->heartbeat, HEARTBEAT_S) };

	if (read_address(amqp->consumer->settings.address, text, &parts, err) != 0)
		return -1;
	amqp_connection_open_t open = { .virtual_host = amqp_cstring_bytes(parts.vhost) };
	amqp->heartbeat_us = answer.heartbeat * CLOCK_US_PER_SECOND;
	if (amqp_link_set_frame_max(amqp->link, answer.frame_max, err) != 0 ||
	    send_method(amqp, 0, AMQP_CONNECTION_TUNE_OK_METHOD, &answer, err) != 0)
		return -1;
	return send_method(amqp, 0, AMQP_CONNECTION_OPEN_METHOD, &open, err);
}

static int on_open(struct amqp *amqp, const void *method, struct error *err)
{
	amqp_channel_open_t open = { .out_of_band = amqp_empty_bytes };

	(void)method;
	return send_method(amqp, CHANNEL, AMQP_CHANNEL_OPEN_METHOD, &open, err);
}

static int on_channel(struct amqp *amqp, const void *method, struct error *err)
{
	amqp_basic_qos_t qos = { .prefetch_count = (uint16_t)amqp->consumer->settings.prefetch };

	(void)method;
	return send_method(amqp, CHANNEL, AMQP_BASIC_QOS_METHOD, &qos, err);
}

static int on_qos(struct amqp *amqp, const void *method, struct error *err)
{
	amqp_basic_consume_t consume = { .queue = amqp_cstring_bytes(amqp->consumer->settings.queue),
		                         .consumer_tag = amqp_empty_bytes,
		                         .arguments = amqp_empty_table };

	(void)method;
	return send_method(amqp, CHANNEL, AMQP_BASIC_CONSUME_METHOD, &consume, err);
}

static int on_consume(struct amqp *amqp, const void *method, struct error *err)
{
	(void)method;
	(void)err;
	consumer_works(amqp->consumer);
	return 0;
}

/* --- messages --- */

static int on_deliver(struct amqp *amqp, const void *method, struct error *err)
{
	const amqp_basic_deliver_t *deliver = method;

	if (amqp->message)
		return error_set(err, ERROR_IO, "the broker begins a message within another one");
	amqp->message = message_new(amqp->consumer, err);
	if (!amqp->message)
		return -1;
	amqp->message->tag = deliver->delivery_tag;
	amqp->has_header = false;
	buf_clear(&amqp->body);
	amqp->body_cut = false;
	amqp->message->may_repeat = deliver->redelivered;
	return message_begin(amqp->message, err);
}

static int finish_if_whole(struct amqp *amqp, struct error *err)
{
	struct message *message = amqp->message;

	if (amqp->body_left > 0)
		return 0;
	amqp->message = NULL;
	if (amqp->body.failed)
		return error_set(err, ERROR_NOMEM, "A message: out of memory");
	return message_finish(message, buf_str(&amqp->body), amqp->body_cut, err);
}

static int on_header(struct amqp *amqp, const amqp_frame_t *frame, struct error *err)
{
	if (!amqp->message || amqp->has_header)
		return error_set(err, ERROR_IO, "the broker sends a header without a message");
	amqp->has_header = true;
	amqp->body_left = frame->payload.properties.body_size;
	return finish_if_whole(amqp, err);
}

/* Keeps as much of the body as quarantine would show of a record. */
static void keep_body(struct amqp *amqp, const char *data, size_t len)
{
	size_t limit = (size_t)amqp->consumer->consumers->config->line_max;
	size_t room = limit - amqp->body.len;

	buf_add(&amqp->body, data, len < room ? len : room);
	amqp->body_cut |= len > room;
}

static int on_body(struct amqp *amqp, const amqp_frame_t *frame, struct error *err)
{
	struct str body = { frame->payload.body_fragment.bytes, frame->payload.body_fragment.len };

	if (!amqp->message || !amqp->has_header || body.len > amqp->body_left)
		return error_set(err, ERROR_IO, "the broker sends a body without a message");
	keep_body(amqp, body.p, body.len);
	for (size_t at = 0; at < body.len; at += MESSAGE_PIECE_BYTES) {
		size_t left = body.len - at;

		message_feed(amqp->message, body.p + at, left < MESSAGE_PIECE_BYTES ? left : MESSAGE_PIECE_BYTES);
	}
	amqp->body_left -= body.len;
	return finish_if_whole(amqp, err);
}

/* Those that are on disk, up to the first that is not. */
static int acknowledge(struct amqp *amqp, struct error *err)
{
	amqp_basic_ack_t ack = { .multiple = 1 };
	struct message *message;
	bool any = false;

	while ((message = TAILQ_FIRST(&amqp->consumer->messages)) && message->is_stored) {
		ack.delivery_tag = message->tag;
		any = true;
		message_free(message);
	}
	return any ? send_method(amqp, CHANNEL, AMQP_BASIC_ACK_METHOD, &ack, err) : 0;
}

/* --- the queue's length --- */

/* A declaration that is passive only asks. A broker that refuses even that closes the channel, so it is not asked again. */
static int ask_length(struct amqp *amqp, struct error *err)
{
	amqp_queue_declare_t declare = { .queue = amqp_cstring_bytes(amqp->consumer->settings.queue),
		                         .passive = 1,
		                         .arguments = amqp_empty_table };
	int64_t now_us = clock_monotonic_us();

	if (amqp->state != CONSUMING || amqp->consumer->lag_refused || amqp->asks ||
	    (amqp->length >= 0 && now_us - amqp->asked_us < ASK_EVERY_US))
		return 0;
	amqp->asks = true;
	amqp->asked_us = now_us;
	return send_method(amqp, CHANNEL, AMQP_QUEUE_DECLARE_METHOD, &declare, err);
}

static int on_length(struct amqp *amqp, const void *method, struct error *err)
{
	const amqp_queue_declare_ok_t *declared = method;

	(void)err;
	amqp->asks = false;
	amqp->length = declared->message_count;
	return 0;
}

/* --- frames --- */

static int fail_closed(uint16_t code, amqp_bytes_t text, struct error *err)
{
	return error_set(err, ERROR_IO, "the broker says %u %.*s", code, (int)(text.len < 300 ? text.len : 300),
	                 (const char *)text.bytes);
}

static int on_connection_close(struct amqp *amqp, const void *method, struct error *err)
{
	const amqp_connection_close_t *close = method;

	(void)amqp;
	return fail_closed(close->reply_code, close->reply_text, err);
}

static int on_channel_close(struct amqp *amqp, const void *method, struct error *err)
{
	const amqp_channel_close_t *close = method;
	amqp_method_number_t failed = (amqp_method_number_t)close->class_id << 16 | close->method_id;

	if (failed == AMQP_QUEUE_DECLARE_METHOD && close->reply_code != AMQP_NOT_FOUND)
		amqp->consumer->lag_refused = true;
	return fail_closed(close->reply_code, close->reply_text, err);
}

static int on_cancel(struct amqp *amqp, const void *method, struct error *err)
{
	(void)amqp;
	(void)method;
	return error_set(err, ERROR_IO, "the broker has ended the consuming: the queue is gone, or its node");
}

/* In each state one method is awaited; the others may come at any time. */
static const struct {
	amqp_method_number_t number;
	bool any_time;
	enum amqp_state in, then;
	int (*take)(struct amqp *amqp, const void *method, struct error *err);
} methods[] = {
	{ AMQP_BASIC_DELIVER_METHOD, false, CONSUMING, CONSUMING, on_deliver },
	{ AMQP_CONNECTION_START_METHOD, false, AWAIT_START, AWAIT_TUNE, on_start },
	{ AMQP_CONNECTION_TUNE_METHOD, false, AWAIT_TUNE, AWAIT_OPEN, on_tune },
	{ AMQP_CONNECTION_OPEN_OK_METHOD, false, AWAIT_OPEN, AWAIT_CHANNEL, on_open },
	{ AMQP_CHANNEL_OPEN_OK_METHOD, false, AWAIT_CHANNEL, AWAIT_QOS, on_channel },
	{ AMQP_BASIC_QOS_OK_METHOD, false, AWAIT_QOS, AWAIT_CONSUME, on_qos },
	{ AMQP_BASIC_CONSUME_OK_METHOD, false, AWAIT_CONSUME, CONSUMING, on_consume },
	{ AMQP_QUEUE_DECLARE_OK_METHOD, false, CONSUMING, CONSUMING, on_length },
	{ AMQP_CONNECTION_CLOSE_METHOD, true, CONSUMING, CONSUMING, on_connection_close },
	{ AMQP_CHANNEL_CLOSE_METHOD, true, CONSUMING, CONSUMING, on_channel_close },
	{ AMQP_BASIC_CANCEL_METHOD, true, CONSUMING, CONSUMING, on_cancel },
};

static int on_method(struct amqp *amqp, const amqp_frame_t *frame, struct error *err)
{
	const amqp_method_t *method = &frame->payload.method;
	const char *name = amqp_method_name(method->id);

	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		if (methods[i].number != method->id || (!methods[i].any_time && methods[i].in != amqp->state))
			continue;
		if (methods[i].take(amqp, method->decoded, err) != 0)
			return -1;
		amqp->state = methods[i].any_time ? amqp->state : methods[i].then;
		return 0;
	}
	return error_set(err, ERROR_IO, "the broker sends %s, which was not expected",
	                 name ? name : "an unknown method");
}

static int on_frame(struct amqp *amqp, const amqp_frame_t *frame, struct error *err)
{
	switch (frame->frame_type) {
	case AMQP_FRAME_METHOD:
		return on_method(amqp, frame, err);
	case AMQP_FRAME_HEADER:
		return on_header(amqp, frame, err);
	case AMQP_FRAME_BODY:
		return on_body(amqp, frame, err);
	case AMQP_FRAME_HEARTBEAT:
		return 0;
	default:
		return error_set(err, ERROR_IO, "the broker does not speak AMQP 0-9-1");
	}
}

/* 1 if there may be more, 0 if not, -1. */
static int receive(struct amqp *amqp, int64_t deadline_us, struct error *err)
{
	amqp_frame_t frame;

	do {
		int result = amqp_link_receive(amqp->link, &frame, err);

		if (result <= 0)
			return result;
		if (on_frame(amqp, &frame, err) != 0)
			return -1;
	} while (clock_monotonic_us() < deadline_us);
	return 1;
}

/* --- time --- */

static int keep_alive(struct amqp *amqp, struct error *err)
{
	int64_t now_us = clock_monotonic_us();

	if (amqp->state != CONSUMING && now_us - amqp->begun_us > HANDSHAKE_US)
		return error_set(err, ERROR_IO, "the broker did not complete the handshake within %d seconds",
		                 (int)(HANDSHAKE_US / CLOCK_US_PER_SECOND));
	if (amqp->heartbeat_us == 0)
		return 0;
	int64_t received_us = amqp_link_received_us(amqp->link);
	int64_t heard_us = received_us > amqp->full_us ? received_us : amqp->full_us;
	if (now_us - heard_us > 2 * amqp->heartbeat_us)
		return error_set(err, ERROR_IO, "nothing was heard from the broker for %d seconds",
		                 (int)(2 * amqp->heartbeat_us / CLOCK_US_PER_SECOND));
	if (now_us - amqp_link_sent_us(amqp->link) >= amqp->heartbeat_us / 2)
		amqp_link_send_heartbeat(amqp->link);
	return 0;
}

/* --- the kind --- */

static void on_link_event(void *arg)
{
	const struct amqp *amqp = arg;

	consumer_wake(amqp->consumer, 0);
}

static int amqp_step(struct consumer *consumer, int64_t deadline_us, struct error *err)
{
	struct amqp *amqp = consumer->link;
	struct error closed;
	int more, state = amqp_link_state(amqp->link, &closed);

	if (consumer->has_failed) {
		*err = consumer->failure;
		return -1;
	}
	/* What came before the end may say why it ends. */
	bool is_full = consumer_is_full(consumer);
	if (is_full)
		amqp->full_us = clock_monotonic_us();
	more = is_full ? 0 : receive(amqp, deadline_us, err);
	if (more < 0)
		return -1;
	if (state < 0 && more == 0 && !is_full) {
		*err = closed;
		return -1;
	}
	if (acknowledge(amqp, err) != 0 || ask_length(amqp, err) != 0 || keep_alive(amqp, err) != 0)
		return -1;
	consumer_wake(consumer, more ? 0 : CLOCK_US_PER_SECOND);
	return 0;
}

static int amqp_begin(struct consumer *consumer, struct error *err)
{
	char text[CONSUMER_TEXT_MAX + 1];
	struct amqp_connection_info parts;
	struct amqp *amqp = calloc(1, sizeof(*amqp));

	if (!amqp)
		return error_set(err, ERROR_NOMEM, "out of memory");
	consumer->link = amqp;
	amqp->consumer = consumer;
	amqp->begun_us = clock_monotonic_us();
	amqp->length = -1;
	if (read_address(consumer->settings.address, text, &parts, err) != 0)
		return -1;
	amqp->link = amqp_link_new(&(struct amqp_link_options){ .base = tasks_base(consumer->consumers->tasks),
	                                                        .resolver = consumer->consumers->resolver,
	                                                        .host = parts.host,
	                                                        .port = (uint16_t)parts.port,
	                                                        .tls = parts.ssl != 0,
	                                                        .ca_file = consumer->settings.ca_file,
	                                                        .on_event = on_link_event,
	                                                        .arg = amqp },
	                           err);
	if (!amqp->link)
		return -1;
	consumer_wake(consumer, CLOCK_US_PER_SECOND);
	return 0;
}

static void amqp_end(struct consumer *consumer)
{
	struct amqp *amqp = consumer->link;

	if (!amqp)
		return;
	amqp_link_free(amqp->link);
	buf_free(&amqp->body);
	free(amqp);
	consumer->link = NULL;
}

/* Other consumers may have received some that are not on disk either; the broker does not count them. */
static int64_t amqp_lag(const struct consumer *consumer)
{
	const struct amqp *amqp = consumer->link;

	return amqp->length < 0 ? -1 : amqp->length + (int64_t)consumer->waiting;
}

const struct consumer_kind amqp_kind = {
	.name = "amqp",
	.check = amqp_check,
	.begin = amqp_begin,
	.step = amqp_step,
	.end = amqp_end,
	.lag = amqp_lag,
};
