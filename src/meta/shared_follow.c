/* SPDX-License-Identifier: ISC */
/*
 * shared_follow.c: takes in what others commit, soon after, from the loop. See meta_follow.
 *
 * What comes while a transaction begins is asked for again. Rows that are of this host alone, and wait for a commit, last with
 * what is taken in.
 */
#include "base/clock.h"
#include "meta/shared_catalog_private.h"

#define HEADS 2 /* columns before those of a change */

/* number of the catalog, id of the transaction that the copy has last || what take_change expects; the latter are NULL if there is
 * no change */
static int take_row(void *arg, const struct str *values, int count, struct error *err)
{
	struct shared *shared = arg;
	struct shared_following *following = &shared->following;

	if (!following->has_begun) {
		following->has_begun = true;
		following->is_ignored = shared->is_locking || shared->is_open;
		if (following->is_ignored)
			return 0;
		if (postgresql_read_bigint(values[0], &following->number, err) != 0)
			return -1;
		if (following->number < shared->number)
			return error_set(err, ERROR_CONFLICT,
			                 "PostgreSQL has transaction %llu of the catalog, data_dir %llu already",
			                 (unsigned long long)following->number, (unsigned long long)shared->number);
		if (shared->number > 0 && !str_is(values[1], shared->commit))
			return error_set(err, ERROR_CONFLICT, SHARED_OTHER_COMMIT, (unsigned long long)shared->number);
	}
	if (following->is_ignored || !values[HEADS].p)
		return 0;
	return shared_take_change(&following->taking, values + HEADS, count - HEADS, err);
}

static void ask_again(struct shared *shared, int64_t after_us)
{
	struct timeval after = clock_timeval(after_us);

	evtimer_add(shared->following.event,
	            &after); /* it was added before and is not freed, so that this finds its memory */
}

/* The copy is no copy of what is there, or its owner's own change was made though it was given up. */
static void give_up(struct shared *shared, const char *why)
{
	meta_abort(shared->meta);
	shared_give_up(shared, why);
}

static void take(struct shared *shared)
{
	struct shared_following *following = &shared->following;
	struct error err;

	if (shared->lease_us > 0 && following->taking.has_own) {
		give_up(shared, SHARED_OWN_CHANGE);
		return;
	}
	bool has_taken = following->taking.txn != NULL;
	if (shared_keep_taken(&following->taking, &err) != 0)
		return; /* and asks again */
	if (shared->number >= following->number)
		following->fresh_us = following->sent_us;
	if (has_taken && following->on_taken)
		following->on_taken(following->arg, following->taking.dbs);
}

static void on_answered(void *arg, const struct error *err)
{
	struct shared *shared = arg;
	struct shared_following *following = &shared->following;
	bool is_taken = !err && following->has_begun && !following->is_ignored;

	following->is_asking = false;
	if (is_taken)
		take(shared);
	else if (err && (err->code == ERROR_CONFLICT || err->code == ERROR_CORRUPT))
		give_up(shared, err->message);
	else if (err && following->taking.txn)
		meta_abort(shared->meta);
	ask_again(shared, is_taken && shared->number < following->number ? 0 : following->every_us);
	if (shared->beat_is_due)
		shared_lease_beat_again(shared);
}

static void on_ask(evutil_socket_t fd, short what, void *arg)
{
	struct shared *shared = arg;
	struct shared_following *following = &shared->following;
	struct postgresql_statement statement = SHARED_STATEMENT(
		"SELECT k.number, (SELECT id FROM cdrd_commits m WHERE m.number = $1::bigint), "
		"c.number, c.db, c.key, c.value, c.id, c.front_end FROM cdrd_catalog k LEFT JOIN (" SHARED_CHANGES
		") AS c ON true ORDER BY c.number, c.place");

	(void)fd;
	(void)what;
	ask_again(shared, following->every_us);
	if (following->is_asking || shared->why[0] || shared->is_open)
		return;
	following->has_begun = false;
	following->taking = (struct shared_taking){ .shared = shared, .number = shared->number };
	statement.parameters[0] = postgresql_bigint(&following->room, shared->number);
	statement.parameters_count = 1;
	statement.row = take_row;
	statement.arg = shared;
	following->sent_us = clock_monotonic_us();
	following->is_asking = postgresql_send(shared->postgresql, &statement, on_answered, shared) != 0;
}

int shared_follow(struct shared *shared, const struct meta_following *options, struct error *err)
{
	struct shared_following *following = &shared->following;
	struct timeval every = clock_timeval(options->every_us);

	following->every_us = options->every_us;
	following->on_taken = options->on_taken;
	following->arg = options->arg;
	following->event = evtimer_new(shared->base, on_ask, shared);
	if (!following->event || evtimer_add(following->event, &every) != 0)
		return error_set(err, ERROR_NOMEM, "catalog: out of memory");
	return 0;
}

void shared_follow_end(struct shared *shared)
{
	if (shared->following.event)
		event_free(shared->following.event);
	shared->following.event = NULL;
}

int64_t shared_fresh_us(const struct shared *shared)
{
	return shared->why[0] ? 0 : shared->following.fresh_us;
}
