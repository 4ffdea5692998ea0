/* SPDX-License-Identifier: ISC */
/*
 * order.c: orders and frames as bytes. See order.h.
 */
#include "report/order.h"

#include "base/clock.h"
#include "base/envelope.h"
#include "lmdb/value.h"
#include "report/table.h"

#include <config.h>

#define ORDER_VERSION 2
#define ORDER_COUNT 9
#define PROGRESS_VERSION 1
#define PROGRESS_COUNT 3
#define MILLION 1000000
#define CONTEXT STR_LITERAL("an order of a report")
#define VALID_US (5 * 60 * CLOCK_US_PER_SECOND) /* as of what is forwarded */

/* --- orders --- */

static void write_plain(struct buf *out, const struct report_work *work, const char *url, const struct config *config)
{
	struct value_writer w;
	struct buf row = { 0 };

	report_row_write(&row, &work->report);
	value_begin(&w, out, ORDER_VERSION, ORDER_COUNT);
	value_put_int(&w, clock_now_us());
	value_put_str(&w, str_from(url));
	value_put_str(&w, STR_LITERAL(PACKAGE_VERSION));
	value_put_str(&w, str_from(config->clickhouse));
	value_put_str(&w, str_from(config->clickhouse_database));
	value_put_int(&w, config->clickhouse_quorum);
	value_put_str(&w, str_from(work->report.id));
	value_put_bytes(&w, buf_str(&row));
	value_put_bytes(&w, buf_str(&work->accounts));
	out->failed |= row.failed;
	buf_free(&row);
}

int report_order_write(const struct report_work *work, const char *url, const struct config *config, const uint8_t *key,
                       struct buf *out, struct error *err)
{
	struct buf plain = { 0 };
	int result;

	write_plain(&plain, work, url, config);
	result = plain.failed ? error_set(err, ERROR_NOMEM, "report %s: out of memory", work->report.id) :
	                        envelope_make(key, CONTEXT, buf_str(&plain), out, err);
	buf_free(&plain);
	return result;
}

/* What an order says of where it is from, and for whom. */
struct sender {
	int64_t time_us, quorum;
	struct str url, build, clickhouse, database;
};

static int check_sender(const struct sender *sender, const struct config *config, struct error *err)
{
	int64_t age_us = clock_now_us() - sender->time_us;

	if (age_us > VALID_US || age_us < -VALID_US)
		return error_set(
			err, ERROR_INVALID,
			"an order was written %lld seconds %s by the clock here: clocks of front ends may differ "
			"by %d",
			(long long)(age_us < 0 ? -age_us : age_us) / CLOCK_US_PER_SECOND,
			age_us < 0 ? "from now" : "ago", (int)(VALID_US / CLOCK_US_PER_SECOND));
	if (!str_is(sender->url, config->front_end_url))
		return error_set(err, ERROR_INVALID, "an order is for the front end at %.*s, this is the one at %s",
		                 STR_ARGS(sender->url), config->front_end_url);
	if (!str_is(sender->build, PACKAGE_VERSION))
		return error_set(err, ERROR_CONFLICT, "an order is of cdrd %.*s, this is " PACKAGE_VERSION,
		                 STR_ARGS(sender->build));
	/* Shards in another order would be taken for others, and records be missing. */
	if (!str_is(sender->clickhouse, config->clickhouse) || !str_is(sender->database, config->clickhouse_database) ||
	    sender->quorum != config->clickhouse_quorum)
		return error_set(err, ERROR_CONFLICT,
		                 "an order is of clickhouse = %.*s, clickhouse_database = %.*s and a quorum of %lld, "
		                 "here they are %s, %s and %lld",
		                 STR_ARGS(sender->clickhouse), STR_ARGS(sender->database), (long long)sender->quorum,
		                 config->clickhouse, config->clickhouse_database, (long long)config->clickhouse_quorum);
	return 0;
}

/* --- each but once --- */

/* It is the same one if its nonce is: nobody without the key seals anything under it. */
struct taken {
	int64_t until_us; /* it is valid */
	char nonce[ENVELOPE_NONCE_BYTES];
};

/* Notes an order that was sealed at this time, unless it is there, and forgets those that are not valid any more. */
static int note_taken(struct report_orders *orders, struct str sealed, int64_t time_us, struct error *err)
{
	struct taken order = { .until_us = time_us + VALID_US };
	struct taken *list = (struct taken *)(void *)orders->list.data;
	size_t count = orders->list.len / sizeof(*list), kept = 0;
	int64_t now_us = clock_now_us();

	memcpy(order.nonce, sealed.p, sizeof(order.nonce));
	for (size_t i = 0; i < count; i++) {
		if (memcmp(list[i].nonce, order.nonce, sizeof(order.nonce)) == 0)
			return error_set(err, ERROR_INVALID, "an order was taken before");
		if (list[i].until_us >= now_us)
			list[kept++] = list[i];
	}
	orders->list.len = kept * sizeof(*list);
	if (kept == REPORT_ORDERS_MAX)
		return error_set(err, ERROR_UNAVAILABLE, "%d orders have come in %d seconds, which is all that may",
		                 REPORT_ORDERS_MAX, (int)(VALID_US / CLOCK_US_PER_SECOND));
	if (!buf_reserve(&orders->list, sizeof(order)))
		return error_set(err, ERROR_NOMEM, "an order: out of memory");
	buf_add(&orders->list, &order, sizeof(order));
	return 0;
}

void report_orders_free(struct report_orders *orders)
{
	buf_free(&orders->list);
}

/* *time_us is when it was written. */
static int read_plain(struct report_work *work, const struct config *config, struct str plain, int64_t *time_us,
                      struct error *err)
{
	struct sender sender;
	struct value_reader r;
	struct str id, row, accounts;
	int result = 0;

	value_open(&r, plain, ORDER_VERSION);
	sender.time_us = value_int(&r, INT64_MIN, INT64_MAX);
	sender.url = value_str(&r, 1, SIZE_MAX);
	sender.build = value_str(&r, 1, SIZE_MAX);
	sender.clickhouse = value_str(&r, 1, SIZE_MAX);
	sender.database = value_str(&r, 1, SIZE_MAX);
	sender.quorum = value_int(&r, 1, INT32_MAX);
	id = value_str(&r, ID_UUID_LEN, ID_UUID_LEN);
	row = value_str(&r, 1, SIZE_MAX);
	accounts = value_str(&r, sizeof(struct account_key), SIZE_MAX);
	if (!r.bad)
		result = check_sender(&sender, config, err);
	if (!r.bad && result == 0)
		result = report_row_read(&work->report, id, row, err);
	if (!r.bad && result == 0)
		buf_add_str(&work->accounts, accounts);
	if (!value_close(&r))
		return error_set(err, value_error(&r) == ERROR_NOMEM ? ERROR_NOMEM : ERROR_INVALID,
		                 "an order cannot be read");
	if (work->accounts.failed)
		return error_set(err, ERROR_NOMEM, "an order: out of memory");
	*time_us = sender.time_us;
	return result;
}

int report_order_read(struct report_work *work, const struct config *config, const uint8_t *key,
                      struct report_orders *orders, struct str sealed, struct error *err)
{
	struct buf plain = { 0 };
	int64_t time_us = 0;
	int result = envelope_open(key, CONTEXT, sealed, &plain, err);

	if (result == 0)
		result = read_plain(work, config, buf_str(&plain), &time_us, err);
	if (result == 0)
		result = note_taken(orders, sealed, time_us, err);
	buf_free(&plain);
	return result;
}

/* --- frames --- */

void report_frame_add(struct buf *out, enum report_frame kind, struct str bytes)
{
	buf_add_char(out, (char)kind);
	for (int i = 0; i < 4; i++)
		buf_add_char(out, (char)(bytes.len >> 8 * i & 0xff));
	buf_add_str(out, bytes);
}

int report_frame_look(struct str in, enum report_frame *kind, struct str *bytes)
{
	size_t len = 0;

	if (in.len < REPORT_FRAME_HEAD)
		return 0;
	for (size_t i = 0; i < 4; i++)
		len |= (size_t)(unsigned char)in.p[1 + i] << 8 * i;
	*kind = (enum report_frame)(unsigned char)in.p[0];
	if (len > REPORT_FRAME_MAX || !strchr("dpmf", in.p[0]) || !in.p[0])
		return -1;
	*bytes = (struct str){ in.p + REPORT_FRAME_HEAD, len };
	return in.len - REPORT_FRAME_HEAD >= len;
}

void report_progress_write(struct buf *out, const struct maker_progress *progress)
{
	struct value_writer w;

	value_begin(&w, out, PROGRESS_VERSION, PROGRESS_COUNT);
	value_put_int(&w, (int64_t)progress->rows);
	value_put_int(&w, (int64_t)progress->bytes);
	value_put_int(&w, (int64_t)(progress->share * MILLION));
}

bool report_progress_read(struct str bytes, struct maker_progress *progress)
{
	struct value_reader r;

	value_open(&r, bytes, PROGRESS_VERSION);
	progress->rows = (uint64_t)value_int(&r, 0, INT64_MAX);
	progress->bytes = (uint64_t)value_int(&r, 0, INT64_MAX);
	progress->share = (double)value_int(&r, 0, MILLION) / MILLION;
	return value_close(&r);
}
