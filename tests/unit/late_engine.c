/* SPDX-License-Identifier: ISC */
/*
 * late_engine.c: see late_engine.h. A put is made at once and told later; a commit is made later, too.
 */
#include "late_engine.h"

#include <stdlib.h>
#include <sys/queue.h>

struct ending {
	TAILQ_ENTRY(ending) entry;
	struct store *store;
	store_commit_fn commit_done; /* NULL: a put */
	store_put_fn put_done;
	void *arg;
	enum store_put_result result;
	bool failed;
	struct error err;
};

static TAILQ_HEAD(, ending) endings = TAILQ_HEAD_INITIALIZER(endings);
static struct store_ops engine;
static struct event *timer;
static size_t puts_left;
static bool commits;
static bool fails;

static void end_soon(void)
{
	static const struct timeval soon = { 0, 100 };

	if (!TAILQ_EMPTY(&endings) && !evtimer_pending(timer, NULL))
		evtimer_add(timer, &soon);
}

static struct ending *add(struct store *store, void *arg)
{
	struct ending *ending = calloc(1, sizeof(*ending));

	if (!ending)
		abort();
	ending->store = store;
	ending->arg = arg;
	TAILQ_INSERT_TAIL(&endings, ending, entry);
	end_soon();
	return ending;
}

static void take_put(void *arg, enum store_put_result result, const struct error *err)
{
	struct ending *ending = arg;

	ending->result = result;
	ending->failed = err != NULL;
	if (err)
		ending->err = *err;
}

static void put(struct store *store, const struct record *record, int64_t time_us,
                const struct store_versions *versions, store_put_fn done, void *arg)
{
	struct ending *ending = add(store, arg);

	puts_left++;
	ending->put_done = done;
	store_days_engine.put(store, record, time_us, versions, take_put, ending);
}

static void commit(struct store *store, store_commit_fn done, void *arg)
{
	commits = true;
	add(store, arg)->commit_done = done;
}

/* There is none of the daemon's own. */
static int commit_own(struct store *store, struct error *err)
{
	(void)store;
	(void)err;
	return 0;
}

static void end_commit(const struct ending *ending)
{
	struct error err;

	if (!fails) {
		store_days_engine.commit(ending->store, ending->commit_done, ending->arg);
		return;
	}
	fails = false;
	store_days_engine.abort(ending->store);
	error_set(&err, ERROR_IO, "The line is dead");
	ending->commit_done(ending->arg, &err);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct ending *ending = TAILQ_FIRST(&endings);

	(void)fd;
	(void)what;
	(void)arg;
	TAILQ_REMOVE(&endings, ending, entry);
	if (ending->commit_done) {
		commits = false;
		end_commit(ending);
	} else {
		puts_left--;
		ending->put_done(ending->arg, ending->result, ending->failed ? &ending->err : NULL);
	}
	free(ending);
	end_soon();
}

const struct store_ops *late_engine_begin(struct event_base *base)
{
	engine = store_days_engine;
	engine.name = "late";
	engine.put = put;
	engine.commit = commit;
	engine.commit_own = commit_own;
	engine.ends_later = true;
	timer = evtimer_new(base, on_timer, NULL);
	return &engine;
}

void late_engine_end(void)
{
	struct ending *ending;

	while ((ending = TAILQ_FIRST(&endings))) {
		TAILQ_REMOVE(&endings, ending, entry);
		free(ending);
	}
	puts_left = 0;
	commits = false;
	event_free(timer);
}

void late_engine_fail_commit(void)
{
	fails = true;
}

size_t late_engine_puts(void)
{
	return puts_left;
}

bool late_engine_commits(void)
{
	return commits;
}
