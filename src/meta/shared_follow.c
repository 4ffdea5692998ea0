/* SPDX-License-Identifier: ISC */
/*
 * shared_follow.c: takes in what others commit, soon after, from the loop. See meta_follow.
 *
 * An answer is kept until it has ended, and taken in then at once: it comes in several turns, and a transaction may begin between
 * two of them. What comes while one begins is asked for again. Rows that are of this host alone, and wait for a commit, last
 * before what is taken in.
 */
#include <string.h>

#include "base/clock.h"
#include "meta/shared_catalog_private.h"

/* number of the catalog, id of the transaction that the copy has last || what shared_take_change expects; the latter are NULL if
 * there is no change */
#define HEADS 2
#define COLUMNS 8

/* --- the answer, until its end --- */

#define NO_VALUE UINT32_MAX

/* The lengths and bytes of its columns. */
static int take_row(void *arg, const struct str *values, int count, struct error *err)
{
	struct buf *rows = &((struct shared *)arg)->following.rows;

	if (shared_check_columns(count, COLUMNS, err) != 0)
		return -1;
	for (int i = 0; i < count; i++) {
		uint32_t len = values[i].p ? (uint32_t)values[i].len : NO_VALUE;

		buf_add(rows, &len, sizeof(len));
		if (values[i].p)
			buf_add_str(rows, values[i]);
	}
	return rows->failed ? error_set(err, ERROR_NOMEM, "changes of the catalog: out of memory") : 0;
}

/* The row at *at, which moves to the next one; false at the end. */
static bool next_row(const struct buf *rows, size_t *at, struct str values[COLUMNS])
{
	if (*at == rows->len)
		return false;
	for (int i = 0; i < COLUMNS; i++) {
		uint32_t len;

		memcpy(&len, rows->data + *at, sizeof(len));
		*at += sizeof(len);
		values[i] = len == NO_VALUE ? (struct str){ NULL, 0 } : (struct str){ rows->data + *at, len };
		*at += values[i].len;
	}
	return true;
}

/* --- taking it in --- */

static void ask_again(struct shared *shared, int64_t after_us)
{
	struct timeval after = clock_timeval(after_us);

	evtimer_add(shared->following.event,
	            &after); /* it was added before and is not freed, so that this finds its memory */
}

/* Is the copy one of what is there? */
static int check_copy(const struct shared *shared, const struct str values[COLUMNS], uint64_t *number,
                      struct error *err)
{
	if (postgresql_read_bigint(values[0], number, err) != 0)
		return -1;
	if (*number < shared->number)
		return error_set(err, ERROR_CONFLICT,
		                 "PostgreSQL has transaction %llu of the catalog, data_dir %llu already",
		                 (unsigned long long)*number, (unsigned long long)shared->number);
	if (shared->number > 0 && !str_is(values[1], shared->commit))
		return error_set(err, ERROR_CONFLICT, SHARED_OTHER_COMMIT, (unsigned long long)shared->number);
	return 0;
}

static int take_rows(struct shared *shared, struct shared_taking *taking, uint64_t *number, struct error *err)
{
	const struct buf *rows = &shared->following.rows;
	struct str values[COLUMNS] = { { NULL, 0 } };

	for (size_t at = 0; next_row(rows, &at, values);) {
		if (*number == 0 && check_copy(shared, values, number, err) != 0)
			return -1;
		if (values[HEADS].p && shared_take_change(taking, values + HEADS, COLUMNS - HEADS, err) != 0)
			return -1;
	}
	return *number > 0 || shared->number == 0 ?
	               0 :
	               error_set(err, ERROR_CORRUPT, "PostgreSQL: the table cdrd_catalog is empty");
}

/* *number: of the catalog, as it was answered. */
static int take(struct shared *shared, uint64_t *number, struct error *err)
{
	struct shared_following *following = &shared->following;
	struct shared_taking taking = { .shared = shared, .number = shared->number };

	/* What is of this host alone, and waits, is not to be dropped with what fails here. */
	if (meta_env(shared->meta)->write && meta_commit_local(shared->meta, err) != 0)
		return -1;
	if (take_rows(shared, &taking, number, err) != 0) {
		env_abort(meta_env(shared->meta));
		return -1;
	}
	if (shared->lease_us > 0 && taking.has_own) {
		env_abort(meta_env(shared->meta));
		return error_set(err, ERROR_CONFLICT, SHARED_OWN_CHANGE);
	}
	if (shared_keep_taken(&taking, err) != 0)
		return -1; /* and asks again */
	if (shared->number >= *number)
		following->fresh_us = following->sent_us;
	return 0;
}

static void on_answered(void *arg, const struct error *err)
{
	struct shared *shared = arg;
	struct shared_following *following = &shared->following;
	uint64_t number = 0;
	struct error why;
	bool is_taken = false;

	following->is_asking = false;
	if (!following->event) { /* it is being closed, and what would be told of changes may have gone */
		buf_free(&following->rows);
		return;
	}
	if (!err && !shared->is_locking && !shared->is_open) {
		is_taken = take(shared, &number, &why) == 0;
		err = is_taken ? NULL : &why;
	}
	buf_clear(&following->rows);
	/* The copy is no copy of what is there, or its owner's own change was made though it was given up. */
	if (err && (err->code == ERROR_CONFLICT || err->code == ERROR_CORRUPT))
		shared_give_up(shared, err->message);
	ask_again(shared, is_taken && shared->number < number ? 0 : following->every_us);
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
	buf_clear(&following->rows);
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
	buf_free(&shared->following.rows);
}

int64_t shared_fresh_us(const struct shared *shared)
{
	return shared->why[0] ? 0 : shared->following.fresh_us;
}
