/* SPDX-License-Identifier: ISC */
/*
 * usage.c: usage records, from values to the store.
 *
 * One that waits is a run of bytes in meter->queue: u32 bytes that follow, i64 time, then for each column in order of
 * enum usage_column u32 length and its bytes. It is put into the store's open transactions at once and leaves the queue
 * when a commit is on disk; if the store has dropped it meanwhile it is put again. Others' commits take it along, after
 * which putting it again changes nothing.
 */
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "meter/meter_private.h"

#define COMMIT_MAX 4000 /* records of one commit */
#define PUT_MAX 1000    /* in one turn of the loop, of those that could not be put at once: a few milliseconds */
#define QUEUE_BYTES_MAX ((size_t)64 << 20)
#define RETRY_US CLOCK_US_PER_SECOND
#define LOG_EVERY_US (10 * CLOCK_US_PER_SECOND)

static const char *const usage_names[USAGE_COLUMNS] = {
	[USAGE_ACCOUNT] = "account_id",
	[USAGE_OWNER] = "acc",
	[USAGE_MASTER] = "master_account_id",
	[USAGE_TYPE] = "product_type",
	[USAGE_PRODUCT] = "request_product",
	[USAGE_JOB] = "job_type",
	[USAGE_STATUS] = "status",
	[USAGE_RECEIVED] = "date_received",
	[USAGE_STARTED] = "date_started",
	[USAGE_FINISHED] = "date_finished",
	[USAGE_ITEMS] = "items_written",
	[USAGE_IS_CHARGED] = "is_charged",
	[USAGE_CURRENCY] = "currency",
	[USAGE_PRICE] = "price",
	[USAGE_TOTAL] = "total_price",
	[USAGE_VOLUME] = "tier_volume",
	[USAGE_PARAMS] = "request_params",
	[USAGE_ID] = "id",
};

/* --- a run --- */

static void add_value(struct meter *meter, struct str value)
{
	uint32_t len = (uint32_t)value.len;

	buf_add(&meter->run, &len, sizeof(len));
	buf_add_str(&meter->run, value);
}

static void add_text(struct meter *meter, const char *text)
{
	add_value(meter, str_from(text));
}

static void add_scratch(struct meter *meter)
{
	if (meter->scratch.failed)
		meter->run.failed = true;
	add_value(meter, buf_str(&meter->scratch));
	buf_clear(&meter->scratch);
}

static void add_time(struct meter *meter, int64_t time_us)
{
	clock_format_record(&meter->scratch, time_us);
	add_scratch(meter);
}

static void add_count(struct meter *meter, uint64_t count)
{
	buf_add_uint(&meter->scratch, count);
	add_scratch(meter);
}

static void add_decimal(struct meter *meter, struct decimal value)
{
	decimal_format(&meter->scratch, value);
	add_scratch(meter);
}

static void add_params(struct meter *meter, const struct query_params *params)
{
	struct json json = json_to(&meter->scratch);

	json_object_begin(&json);
	for (size_t i = 0; i < params->count; i++) {
		const struct query_param *param = &params->list[i];

		if (str_is(param->name, "cursor") || str_is(param->name, "iv"))
			continue;
		json_key_str(&json, param->name);
		json_str(&json, param->value);
	}
	json_object_end(&json);
	add_scratch(meter);
}

/* Makes meter->run; the order is that of enum usage_column. */
static int make_run(struct meter *meter, const struct account *account, const struct meter_usage *usage,
                    const struct meter_price *price, struct error *err)
{
	buf_clear(&meter->run);
	buf_clear(&meter->scratch);
	buf_add(&meter->run, &usage->received_us, sizeof(usage->received_us));
	add_text(meter, account->id);
	add_text(meter, usage->owner);
	add_text(meter, account->parent[0] ? account->parent : account->id);
	add_text(meter, "reports");
	add_value(meter, usage->product);
	add_text(meter, usage->job_type);
	add_text(meter, usage->status);
	add_time(meter, usage->received_us);
	add_time(meter, usage->started_us);
	add_time(meter, usage->finished_us);
	add_count(meter, price->items);
	add_text(meter, price->total.units > 0 ? "TRUE" : "FALSE");
	add_text(meter, price->currency);
	add_decimal(meter, price->unit);
	add_decimal(meter, price->total);
	add_count(meter, price->volume);
	add_params(meter, usage->params);
	add_text(meter, usage->id);
	if (meter->run.failed)
		return error_set(err, ERROR_NOMEM, "usage record of account %s: out of memory", account->id);
	return 0;
}

static struct str take_value(const char **at)
{
	uint32_t len;

	memcpy(&len, *at, sizeof(len));
	struct str value = { *at + sizeof(len), len };

	*at += sizeof(len) + len;
	return value;
}

static int put_run(struct meter *meter, const char *run, struct error *err)
{
	struct record record;
	enum store_put_result result;
	int64_t time_us;

	memcpy(&time_us, run, sizeof(time_us));
	run += sizeof(time_us);
	record_clear(&record, meter->product);
	for (int i = 0; i < USAGE_COLUMNS; i++)
		record.values[meter->columns[i]] = take_value(&run);
	return store_put(meter->store, &record, time_us, &result, err);
}

/* --- the commit --- */

static void clear_dirty(struct meter *meter)
{
	struct tenant *tenant;

	while ((tenant = TAILQ_FIRST(&meter->dirty))) {
		tenant->is_dirty = false;
		TAILQ_REMOVE(&meter->dirty, tenant, dirty);
	}
}

/* What was put is committed with all that others have put; or, when `result` says that the store has lost it, with
 * nothing. */
static int commit(struct meter *meter, int result, struct error *err)
{
	if (result != 0) {
		ingest_fail(meter->ingest, err);
		return -1;
	}
	if (volumes_put(meter, err) != 0)
		log_error("meter", "%s", err->message); /* the commit will fail as well */
	if (ingest_commit(meter->ingest, err) != 0)
		return -1;
	clear_dirty(meter);
	return 0;
}

/* Puts up to `max` of those that are not in the store's transactions. */
static int put_waiting(struct meter *meter, size_t max, struct error *err)
{
	if (meter->put_aborts != store_aborts(meter->store)) {
		meter->put_count = meter->put_bytes = 0;
		meter->put_aborts = store_aborts(meter->store);
	}
	for (; max > 0 && meter->put_count < meter->queue_count; max--) {
		uint32_t len;

		memcpy(&len, meter->queue.data + meter->put_bytes, sizeof(len));
		if (put_run(meter, meter->queue.data + meter->put_bytes + sizeof(len), err) != 0)
			return -1;
		meter->put_bytes += sizeof(len) + len;
		meter->put_count++;
	}
	return 0;
}

static int flush_some(struct meter *meter, struct error *err)
{
	int result = put_waiting(meter, PUT_MAX, err);

	if (commit(meter, result, err) != 0)
		return -1;
	buf_drain(&meter->queue, meter->put_bytes);
	meter->queue_count -= meter->put_count;
	meter->put_count = meter->put_bytes = 0;
	return 0;
}

int meter_flush(struct meter *meter, struct error *err)
{
	while (meter->queue_count > 0)
		if (flush_some(meter, err) != 0)
			return -1;
	return 0;
}

static void schedule(struct meter *meter, int64_t delay_us)
{
	struct timeval delay = { delay_us / CLOCK_US_PER_SECOND, delay_us % CLOCK_US_PER_SECOND };

	if (event_add(meter->flush, &delay) < 0)
		log_error("meter", "cannot add a timer; usage records wait for the next");
}

static void tell_failure(struct meter *meter, const char *message)
{
	int64_t now_us = clock_monotonic_us();

	if (meter->failed_logged_us != 0 && now_us - meter->failed_logged_us < LOG_EVERY_US)
		return;
	meter->failed_logged_us = now_us;
	log_error("meter", "%zu usage records wait, %" PRIu64 " are lost: %s", meter->queue_count, meter->stats.lost,
	          message);
}

void meter_settle(struct meter *meter)
{
	struct error err;

	if (meter_flush(meter, &err) != 0)
		tell_failure(meter, err.message);
}

static void on_flush(evutil_socket_t fd, short what, void *arg)
{
	struct meter *meter = arg;
	int64_t begin_us = clock_monotonic_us();
	struct error err;

	(void)fd;
	(void)what;
	if (flush_some(meter, &err) != 0) {
		tell_failure(meter, err.message);
		schedule(meter, RETRY_US);
	} else if (meter->queue_count > 0) {
		schedule(meter, 0);
	}
	int64_t took_us = clock_monotonic_us() - begin_us;

	if (took_us > meter->stats.flush_us_max)
		meter->stats.flush_us_max = took_us;
}

/* --- in --- */

/* Spreads the work. What cannot be put now, or waits behind others that could not, is put by the flush. */
static void put_newest(struct meter *meter)
{
	struct error err;

	if (meter->put_aborts != store_aborts(meter->store) || meter->put_count + 1 != meter->queue_count)
		return;
	if (put_waiting(meter, 1, &err) != 0)
		ingest_fail(meter->ingest, &err);
}

int usage_enqueue(struct meter *meter, const struct account *account, const struct meter_usage *usage,
                  const struct meter_price *price, struct error *err)
{
	uint32_t len;

	if (make_run(meter, account, usage, price, err) != 0)
		return -1;
	len = (uint32_t)meter->run.len;
	if (!buf_reserve(&meter->queue, sizeof(len) + len)) {
		meter->queue.failed = false; /* what is in it is whole */
		meter->stats.lost++;
		tell_failure(meter, "there is no room for more");
		return 0;
	}
	buf_add(&meter->queue, &len, sizeof(len));
	buf_add_str(&meter->queue, buf_str(&meter->run));
	meter->queue_count++;
	put_newest(meter);
	if (meter->queue_count == COMMIT_MAX)
		schedule(meter, 0);
	else if (!event_pending(meter->flush, EV_TIMEOUT, NULL))
		schedule(meter, meter->config->usage_delay);
	return 0;
}

int usage_put(struct meter *meter, const struct account *account, const struct meter_usage *usage,
              const struct meter_price *price, struct error *err)
{
	if (make_run(meter, account, usage, price, err) != 0)
		return -1;
	return commit(meter, put_run(meter, meter->run.data, err), err);
}

bool usage_waits(const struct meter *meter, const struct account *account, const char *id)
{
	const char *at = meter->queue.data;

	for (size_t i = 0; i < meter->queue_count; i++) {
		uint32_t len;

		memcpy(&len, at, sizeof(len));
		/* the id is the last of the values, the account the first */
		const char *first = at + sizeof(len) + sizeof(int64_t) + sizeof(uint32_t);
		const char *last = at + sizeof(len) + len - ID_UUID_LEN;

		if (memcmp(last, id, ID_UUID_LEN) == 0 && memcmp(first, account->id, ACCOUNT_ID_LEN) == 0)
			return true;
		at += sizeof(len) + len;
	}
	return false;
}

/* --- the module's life --- */

int usage_init(struct meter *meter, struct event_base *base, struct error *err)
{
	meter->product = catalog_product_find(STR_LITERAL("REPORTS-USAGE"));
	for (int i = 0; meter->product && i < USAGE_COLUMNS; i++) {
		meter->columns[i] = catalog_column_find(meter->product, str_from(usage_names[i]));
		if (meter->columns[i] == CATALOG_NONE)
			return error_set(err, ERROR_INVALID, "REPORTS-USAGE: has no column %s", usage_names[i]);
	}
	if (!meter->product)
		return error_set(err, ERROR_INVALID, "REPORTS-USAGE: no such product");
	meter->queue.max_bytes = QUEUE_BYTES_MAX;
	meter->flush = evtimer_new(base, on_flush, meter);
	return meter->flush ? 0 : error_set(err, ERROR_NOMEM, "meter: out of memory");
}

void usage_free(struct meter *meter)
{
	if (meter->flush)
		event_free(meter->flush);
	buf_free(&meter->queue);
	buf_free(&meter->run);
	buf_free(&meter->scratch);
}
