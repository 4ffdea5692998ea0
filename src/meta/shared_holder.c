/* SPDX-License-Identifier: ISC */
/*
 * shared_holder.c: see shared_holder.h.
 */
#include "meta/shared_holder.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "meta/shared_catalog_private.h"

/* Of META_DB_VALUES, by the name that it has there. */
#define MARK_OF(name) "(SELECT value FROM cdrd_rows WHERE db = 'meta' AND key = 'key/" name "'::bytea)"
#define KEY_1 "cursor.key"
#define KEY_2 "destination.key"
#define KEY_3 "erased.key"

const struct shared_key shared_keys[SHARED_KEYS] = { { KEY_1, 32 }, { KEY_2, 32 }, { KEY_3, 16 } };

#define ASK_EVERY_US (CLOCK_US_PER_SECOND / 2)

struct shared_holder_watch {
	struct postgresql *postgresql;
	struct event *ask;
	struct shared_holder holder;
	struct shared_seen own, *seen; /* of the lease */
	int64_t lease_us;
	bool is_asking, is_answered;
	void (*told)(void *arg, const struct shared_holder *holder);
	void *arg;
};

/* name, url, does nobody hold it? is the lease over by the clock there? which one || marks */
#define COLUMNS (5 + SHARED_KEYS)

static int take_holder(void *arg, const struct str *values, int count, struct error *err)
{
	struct shared_holder_watch *watch = arg;

	if (shared_check_columns(count, COLUMNS, err) != 0)
		return -1;
	snprintf(watch->holder.name, sizeof(watch->holder.name), "%.*s", STR_ARGS(values[0]));
	snprintf(watch->holder.url, sizeof(watch->holder.url), "%.*s", STR_ARGS(values[1]));
	bool is_over = shared_lease_is_over(watch->seen, values[4], shared_is_true(values[3]), watch->lease_us);
	watch->holder.is_free = shared_is_true(values[2]) || is_over;
	for (size_t i = 0; i < SHARED_KEYS; i++)
		snprintf(watch->holder.marks[i], sizeof(watch->holder.marks[i]), "%.*s",
		         STR_ARGS(values[COLUMNS - SHARED_KEYS + i]));
	watch->is_answered = true;
	return 0;
}

static void on_asked(void *arg, const struct error *err)
{
	struct shared_holder_watch *watch = arg;

	watch->is_asking = false;
	if (!err && watch->is_answered)
		watch->told(watch->arg, &watch->holder);
}

static void on_ask(evutil_socket_t fd, short what, void *arg)
{
	struct shared_holder_watch *watch = arg;
	struct postgresql_statement statement = SHARED_STATEMENT(
		"SELECT holder_name, holder_url, holder = '', holder_until < clock_timestamp(), " SHARED_LEASE_SQL
		", " MARK_OF(KEY_1) ", " MARK_OF(KEY_2) ", " MARK_OF(KEY_3) " FROM cdrd_catalog");

	(void)fd;
	(void)what;
	if (watch->is_asking)
		return;
	statement.row = take_holder;
	statement.arg = watch;
	watch->is_answered = false;
	watch->is_asking = postgresql_send(watch->postgresql, &statement, on_asked, watch) != 0;
}

struct shared_holder_watch *shared_holder_watch_new(const struct meta_shared_options *options,
                                                    void (*told)(void *arg, const struct shared_holder *holder),
                                                    void *arg, struct error *err)
{
	struct shared_holder_watch *watch = calloc(1, sizeof(*watch));
	struct timeval every = clock_timeval(ASK_EVERY_US);

	if (!watch) {
		error_set(err, ERROR_NOMEM, "catalog: out of memory");
		return NULL;
	}
	watch->told = told;
	watch->arg = arg;
	watch->seen = options->seen ? options->seen : &watch->own;
	watch->lease_us = options->lease_us;
	watch->postgresql = shared_new_connection(options, NULL, err);
	if (watch->postgresql && postgresql_watch(watch->postgresql, options->base, err) == 0) {
		watch->ask = event_new(options->base, -1, EV_PERSIST, on_ask, watch);
		if (watch->ask && event_add(watch->ask, &every) == 0)
			return watch;
		error_set(err, ERROR_NOMEM, "catalog: out of memory");
	}
	shared_holder_watch_free(watch);
	return NULL;
}

const char *shared_holder_why(const struct shared_holder_watch *watch)
{
	return postgresql_why(watch->postgresql);
}

void shared_holder_watch_free(struct shared_holder_watch *watch)
{
	if (!watch)
		return;
	if (watch->ask)
		event_free(watch->ask);
	postgresql_free(watch->postgresql);
	free(watch);
}
