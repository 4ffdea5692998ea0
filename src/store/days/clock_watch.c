/* SPDX-License-Identifier: ISC */
/*
 * clock_watch.c: see clock_watch.h.
 */
#include "store/clock_watch.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "meta/rows.h"
#include "meta/change.h"
#include "store/days_store.h"

#define KEY "clock_seen"
#define WRITE_EVERY_US (600 * CLOCK_US_PER_SECOND)
#define TIME_TEXT_MAX 48

static bool is_ahead(const struct clock_watch *watch, int64_t now_us)
{
	return now_us - watch->seen_us > CLOCK_WATCH_AHEAD_MAX_US;
}

bool clock_watch_look(struct clock_watch *watch, int64_t now_us)
{
	watch->held = is_ahead(watch, now_us);
	if (!watch->held && now_us > watch->seen_us)
		watch->seen_us = now_us;
	return !watch->held;
}

static const char *time_text(char out[TIME_TEXT_MAX], int64_t time_us)
{
	struct buf text = { 0 };

	clock_format_record(&text, time_us);
	snprintf(out, TIME_TEXT_MAX, "%s", buf_cstr(&text) ? text.data : "?");
	buf_free(&text);
	return out;
}

static void log_change(const struct clock_watch *watch, int64_t now_us)
{
	char now[TIME_TEXT_MAX], seen[TIME_TEXT_MAX];

	if (watch->held)
		log_error("store",
		          "the clock says %s, %" PRId64
		          " hours after the last seen time %s, at most 24 expected: nothing is deleted "
		          "for its age until `cdrctl clock accept` says that the clock is right",
		          time_text(now, now_us), (now_us - watch->seen_us) / CLOCK_US_PER_HOUR,
		          time_text(seen, watch->seen_us));
	else
		log_info("store", "the clock says %s, as expected: what is too old is deleted again",
		         time_text(now, now_us));
}

static int write_seen(struct store *store, int64_t seen_us, struct error *err)
{
	char text[32];
	struct change change;
	int len = snprintf(text, sizeof(text), "%" PRId64, seen_us);

	if (change_begin_local(&change, store->meta, err) != 0)
		return -1;
	int result = change_put(&change, META_DB_VALUES, STR_LITERAL(KEY), (struct str){ text, (size_t)len }, err);
	if (change_end(&change, result, err) != 0)
		return -1;
	store->clock.written_us = seen_us;
	return 0;
}

int store_clock_write(struct store *store, struct error *err)
{
	return write_seen(store, store->clock.seen_us, err);
}

bool store_clock_allows_deletion(struct store *store)
{
	struct clock_watch *watch = &store->clock;
	struct error err;
	int64_t now_us = clock_now_us();
	bool was_held = watch->held;
	bool allowed = clock_watch_look(watch, now_us);

	if (was_held != watch->held)
		log_change(watch, now_us);
	if (watch->seen_us - watch->written_us >= WRITE_EVERY_US && write_seen(store, watch->seen_us, &err) != 0) {
		log_error("store", "last seen time: %s", err.message);
		watch->written_us = watch->seen_us; /* the next attempt is as far away as after a success */
	}
	return allowed;
}

void store_clock_watch(const struct store *store, struct clock_watch *watch)
{
	*watch = store->clock;
}

void store_clock_span(const struct store *store, int64_t now_us, int64_t *earliest_us, int64_t *latest_us)
{
	int64_t seen_us = store->clock.seen_us;

	/* It may have jumped since it was last looked at. */
	*earliest_us = is_ahead(&store->clock, now_us) ? seen_us : now_us;
	*latest_us = seen_us > now_us ? seen_us : now_us;
}

int64_t store_clock_stamp_us(const struct store *store)
{
	int64_t now_us = clock_now_us();

	return now_us > store->clock.seen_us ? now_us : store->clock.seen_us;
}

int store_clock_accept(struct store *store, struct error *err)
{
	int64_t now_us = clock_now_us();

	if (write_seen(store, now_us, err) != 0)
		return -1;
	store->clock.seen_us = now_us;
	store->clock.held = false;
	return 0;
}

static enum meta_next read_seen(void *arg, struct str key, struct str value, struct error *err)
{
	int64_t *seen_us = arg;
	char text[32] = "";

	(void)key;
	memcpy(text, value.p, value.len < sizeof(text) ? value.len : sizeof(text) - 1);
	if (sscanf(text, "%" SCNd64, seen_us) == 1)
		return META_STOP;
	error_set(err, ERROR_CORRUPT, "catalog: " KEY " \"%s\" is not a number", text);
	return META_FAILED;
}

/* The first start with what an older version or another machine has left. */
static int64_t guess_seen(const struct store *store, int64_t now_us)
{
	if (store->days_count == 0)
		return now_us;
	int64_t newest_us = clock_day_start_us(store->day_numbers[store->days_count - 1]) + CLOCK_US_PER_DAY;
	return newest_us < now_us ? newest_us : now_us;
}

int store_clock_load(struct store *store, struct error *err)
{
	struct clock_watch *watch = &store->clock;
	int64_t now_us = clock_now_us();
	int found = meta_find(store->meta, META_DB_VALUES, STR_LITERAL(KEY), read_seen, &watch->seen_us, err);

	if (found < 0)
		return -1;
	if (!found)
		watch->seen_us = guess_seen(store, now_us);
	watch->written_us = found ? watch->seen_us : INT64_MIN / 2;
	if (!clock_watch_look(watch, now_us))
		log_change(watch, now_us);
	else if (watch->seen_us - now_us > CLOCK_WATCH_AHEAD_MAX_US)
		log_warn("store", "the clock is %" PRId64 " hours before the last seen time",
		         (watch->seen_us - now_us) / CLOCK_US_PER_HOUR);
	return found && watch->seen_us - watch->written_us < WRITE_EVERY_US ? 0 :
	                                                                      write_seen(store, watch->seen_us, err);
}
