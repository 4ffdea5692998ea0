/* SPDX-License-Identifier: ISC */
/*
 * usage.c: usage records, from values to the store.
 *
 * A pending one is a run of bytes in billing->queue: u32 bytes that follow, i64 time, u64 account_key_number, then for
 * each column in order of enum usage_column u32 length and its bytes. It is put into the store's open transactions at
 * once and leaves the queue when a commit is on disk; if the store has dropped it meanwhile, it is put again. Commits of
 * others include it, after which putting it again changes nothing.
 */
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "billing/billing_private.h"

#define COMMIT_MAX 4000 /* records per commit */
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

static void add_value(struct billing *billing, struct str value)
{
	uint32_t len = (uint32_t)value.len;

	buf_add(&billing->run, &len, sizeof(len));
	buf_add_str(&billing->run, value);
}

static void add_text(struct billing *billing, const char *text)
{
	add_value(billing, str_from(text));
}

static void add_scratch(struct billing *billing)
{
	if (billing->scratch.failed)
		billing->run.failed = true;
	add_value(billing, buf_str(&billing->scratch));
	buf_clear(&billing->scratch);
}

static void add_time(struct billing *billing, int64_t time_us)
{
	clock_format_record(&billing->scratch, time_us);
	add_scratch(billing);
}

static void add_count(struct billing *billing, uint64_t count)
{
	buf_add_uint(&billing->scratch, count);
	add_scratch(billing);
}

static void add_decimal(struct billing *billing, struct decimal value)
{
	decimal_format(&billing->scratch, value);
	add_scratch(billing);
}

static void add_params(struct billing *billing, const struct query_params *params)
{
	struct json json = json_to(&billing->scratch);

	json_object_begin(&json);
	for (size_t i = 0; i < params->count; i++) {
		const struct query_param *param = &params->list[i];

		if (str_is(param->name, "cursor") || str_is(param->name, "iv"))
			continue;
		json_key_str(&json, param->name);
		json_str(&json, param->value);
	}
	json_object_end(&json);
	add_scratch(billing);
}

/* Makes billing->run; the order is that of enum usage_column. */
static int make_run(struct billing *billing, const struct account *account, const struct billing_usage *usage,
                    const struct billing_price *price, struct error *err)
{
	buf_clear(&billing->run);
	buf_clear(&billing->scratch);
	uint64_t number = account_key_number(&account->key);
	buf_add(&billing->run, &usage->received_us, sizeof(usage->received_us));
	buf_add(&billing->run, &number, sizeof(number));
	add_text(billing, account->id);
	add_text(billing, usage->owner);
	add_text(billing, account->parent[0] ? account->parent : account->id);
	add_text(billing, "reports");
	add_value(billing, usage->product);
	add_text(billing, usage->job_type);
	add_text(billing, usage->status);
	add_time(billing, usage->received_us);
	add_time(billing, usage->started_us);
	add_time(billing, usage->finished_us);
	add_count(billing, price->items);
	add_text(billing, price->total.units > 0 ? "TRUE" : "FALSE");
	add_text(billing, price->currency);
	add_decimal(billing, price->unit);
	add_decimal(billing, price->total);
	add_count(billing, price->volume);
	add_params(billing, usage->params);
	add_text(billing, usage->id);
	if (billing->run.failed)
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

static int put_run(struct billing *billing, const char *run, struct error *err)
{
	struct record record;
	enum store_put_result result;
	int64_t time_us;

	memcpy(&time_us, run, sizeof(time_us));
	run += sizeof(time_us);
	record_clear(&record, billing->product);
	memcpy(&record.account_number, run, sizeof(record.account_number));
	run += sizeof(record.account_number);
	for (int i = 0; i < USAGE_COLUMNS; i++)
		record.values[billing->columns[i]] = take_value(&run);
	return store_put(billing->store, &record, time_us, &result, err);
}

/* --- the commit --- */

static void clear_dirty(struct billing *billing)
{
	struct tenant *tenant;

	while ((tenant = TAILQ_FIRST(&billing->dirty))) {
		tenant->is_dirty = false;
		TAILQ_REMOVE(&billing->dirty, tenant, dirty);
	}
}

/* Commits what was put, together with all that others have put; nothing if `result` says that the store has lost it.
 * Volumes stay dirty unless they are known to be on disk. */
static int commit(struct billing *billing, int result, struct error *err)
{
	uint64_t aborts = meta_aborts(billing->meta);

	if (result != 0 || volumes_put(billing, err) != 0) {
		ingest_fail(billing->ingest, err);
		return -1;
	}
	if (ingest_commit_own(billing->ingest, err) != 0)
		return -1;
	if (aborts == meta_aborts(billing->meta))
		clear_dirty(billing);
	return 0;
}

/* Puts up to `max` records that are not in the store's transactions. */
static int put_waiting(struct billing *billing, size_t max, struct error *err)
{
	if (billing->put_aborts != store_aborts(billing->store)) {
		billing->put_count = billing->put_bytes = 0;
		billing->put_aborts = store_aborts(billing->store);
	}
	for (; max > 0 && billing->put_count < billing->queue_count; max--) {
		uint32_t len;

		memcpy(&len, billing->queue.data + billing->put_bytes, sizeof(len));
		if (put_run(billing, billing->queue.data + billing->put_bytes + sizeof(len), err) != 0)
			return -1;
		billing->put_bytes += sizeof(len) + len;
		billing->put_count++;
	}
	return 0;
}

static int flush_some(struct billing *billing, struct error *err)
{
	/* A commit that cannot succeed would fail what ingest has put, too. */
	if (meta_check_reached(billing->meta, err) != 0)
		return -1;
	int result = put_waiting(billing, PUT_MAX, err);
	if (commit(billing, result, err) != 0)
		return -1;
	buf_drain(&billing->queue, billing->put_bytes);
	billing->queue_count -= billing->put_count;
	billing->put_count = billing->put_bytes = 0;
	return 0;
}

int billing_flush(struct billing *billing, struct error *err)
{
	while (billing->queue_count > 0)
		if (flush_some(billing, err) != 0)
			return -1;
	return 0;
}

static void schedule(struct billing *billing, int64_t delay_us)
{
	struct timeval delay = clock_timeval(delay_us);

	if (event_add(billing->flush, &delay) < 0)
		log_error("billing", "cannot add a timer; usage records wait for the next");
}

static void tell_failure(struct billing *billing, const char *message)
{
	int64_t now_us = clock_monotonic_us();

	if (billing->failed_logged_us != 0 && now_us - billing->failed_logged_us < LOG_EVERY_US)
		return;
	billing->failed_logged_us = now_us;
	log_error("billing", "%zu usage records wait, %" PRIu64 " are lost: %s", billing->queue_count,
	          billing->stats.lost, message);
}

void billing_settle(struct billing *billing)
{
	struct error err;

	if (billing_flush(billing, &err) != 0)
		tell_failure(billing, err.message);
}

static void on_flush(evutil_socket_t fd, short what, void *arg)
{
	struct billing *billing = arg;
	int64_t begin_us = clock_monotonic_us();
	struct error err;

	(void)fd;
	(void)what;
	if (flush_some(billing, &err) != 0) {
		tell_failure(billing, err.message);
		schedule(billing, RETRY_US);
	} else if (billing->queue_count > 0) {
		schedule(billing, 0);
	}
	int64_t took_us = clock_monotonic_us() - begin_us;

	if (took_us > billing->stats.flush_us_max)
		billing->stats.flush_us_max = took_us;
}

/* --- adding --- */

/* Spreads the work. A record that cannot be put now, or that waits after others that could not, is put by the flush. */
static void put_newest(struct billing *billing)
{
	struct error err;

	if (billing->put_aborts != store_aborts(billing->store) || billing->put_count + 1 != billing->queue_count)
		return;
	if (put_waiting(billing, 1, &err) != 0)
		ingest_fail(billing->ingest, &err);
}

int usage_enqueue(struct billing *billing, const struct account *account, const struct billing_usage *usage,
                  const struct billing_price *price, struct error *err)
{
	uint32_t len;

	if (make_run(billing, account, usage, price, err) != 0)
		return -1;
	len = (uint32_t)billing->run.len;
	if (!buf_reserve(&billing->queue, sizeof(len) + len)) {
		billing->queue.failed = false; /* its contents are complete */
		billing->stats.lost++;
		tell_failure(billing, "there is no room for more");
		return 0;
	}
	buf_add(&billing->queue, &len, sizeof(len));
	buf_add_str(&billing->queue, buf_str(&billing->run));
	billing->queue_count++;
	put_newest(billing);
	if (billing->queue_count == COMMIT_MAX)
		schedule(billing, 0);
	else if (!event_pending(billing->flush, EV_TIMEOUT, NULL))
		schedule(billing, billing->config->usage_delay);
	return 0;
}

int usage_put(struct billing *billing, const struct account *account, const struct billing_usage *usage,
              const struct billing_price *price, struct error *err)
{
	if (meta_check_reached(billing->meta, err) != 0 || make_run(billing, account, usage, price, err) != 0)
		return -1;
	return commit(billing, put_run(billing, billing->run.data, err), err);
}

bool usage_waits(const struct billing *billing, const struct account *account, const char *id)
{
	const char *at = billing->queue.data;

	for (size_t i = 0; i < billing->queue_count; i++) {
		uint32_t len;

		memcpy(&len, at, sizeof(len));
		/* the id is the last value, the account the first */
		const char *first = at + sizeof(len) + sizeof(int64_t) + sizeof(uint64_t);
		const char *last = at + sizeof(len) + len - ID_UUID_LEN;

		if (memcmp(last, id, ID_UUID_LEN) == 0 && str_is(take_value(&first), account->id))
			return true;
		at += sizeof(len) + len;
	}
	return false;
}

/* --- the module's life --- */

int usage_init(struct billing *billing, struct event_base *base, struct error *err)
{
	billing->product = catalog_product_find(STR_LITERAL("REPORTS-USAGE"));
	for (int i = 0; billing->product && i < USAGE_COLUMNS; i++) {
		billing->columns[i] = catalog_column_find(billing->product, str_from(usage_names[i]));
		if (billing->columns[i] == CATALOG_NONE)
			return error_set(err, ERROR_INVALID, "REPORTS-USAGE: has no column %s", usage_names[i]);
	}
	if (!billing->product)
		return error_set(err, ERROR_INVALID, "REPORTS-USAGE: no such product");
	billing->queue.max_bytes = QUEUE_BYTES_MAX;
	billing->flush = evtimer_new(base, on_flush, billing);
	return billing->flush ? 0 : error_set(err, ERROR_NOMEM, "billing: out of memory");
}

void usage_free(struct billing *billing)
{
	if (billing->flush)
		event_free(billing->flush);
	buf_free(&billing->queue);
	buf_free(&billing->run);
	buf_free(&billing->scratch);
}
