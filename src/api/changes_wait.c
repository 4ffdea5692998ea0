/* SPDX-License-Identifier: ISC */
/*
 * changes_wait.c: requests that wait for something new.
 *
 * After commits of ingest every waiter asks the store's table whether its account and product may have changed
 * (changes_may_have: one memory access per account), at most once a turn of the loop, and a waiter with many accounts a
 * few times a second. Those that may have changed read again; if it was another account's change, they resume waiting.
 * The list is created for the first waiter and freed with the last.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "api/changes.h"

/* How often a waiter checks whether the daemon is about to end. */
#define LOOK_US (CLOCK_US_PER_SECOND / 2)

#define FEW_ACCOUNTS 16
#define MANY_EVERY_US (CLOCK_US_PER_SECOND / 4)

struct api_changes_waiters {
	struct api *app;
	TAILQ_HEAD(, api_changes) list;
	size_t count;
	struct ingest_watch watch;
	struct event *look;
};

static void on_commit(void *arg)
{
	struct api_changes_waiters *waiters = arg;

	event_active(waiters->look, EV_TIMEOUT, 0);
}

bool api_changes_may_have(const struct api_changes *page)
{
	const struct account_key *accounts = (const struct account_key *)(const void *)page->accounts.data;
	size_t count = page->accounts.len / sizeof(*accounts);

	for (size_t i = 0; i < count; i++)
		if (changes_may_have(page->app->store, page->plan.product, &accounts[i], page->since))
			return true;
	return false;
}

/* Is it time to check this waiter? */
static bool is_due(struct api_changes *page)
{
	int64_t now_us = clock_monotonic_us();

	if (page->accounts.len <= FEW_ACCOUNTS * sizeof(struct account_key))
		return true;
	if (now_us - page->looked_us < MANY_EVERY_US)
		return false;
	page->looked_us = now_us;
	return true;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct api_changes *page = arg;

	(void)fd;
	(void)what;
	api_work_run(&page->work);
}

/* Makes the page check again after `delay_us`; cannot fail when it already has its timer. */
static int look_later(struct api_changes *page, int64_t delay_us)
{
	struct timeval delay = clock_timeval(delay_us);

	if (!page->timer)
		page->timer = evtimer_new(page->app->base, on_timer, page);
	return page->timer ? evtimer_add(page->timer, &delay) : -1;
}

static void on_look(evutil_socket_t fd, short what, void *arg)
{
	struct api_changes_waiters *waiters = arg;
	struct api_changes *page = TAILQ_FIRST(&waiters->list);

	(void)fd;
	(void)what;
	for (; page; page = TAILQ_NEXT(page, entry))
		if (is_due(page) && api_changes_may_have(page))
			(void)look_later(page, 0);
}

static struct api_changes_waiters *waiters_get(struct api *app)
{
	struct api_changes_waiters *waiters = app->waiters;

	if (waiters)
		return waiters;
	waiters = calloc(1, sizeof(*waiters));
	if (waiters)
		waiters->look = evtimer_new(app->base, on_look, waiters);
	if (!waiters || !waiters->look) {
		free(waiters);
		return NULL;
	}
	TAILQ_INIT(&waiters->list);
	waiters->app = app;
	waiters->watch = (struct ingest_watch){ .on_commit = on_commit, .on_others = on_commit, .arg = waiters };
	ingest_watch_commits(app->ingest, &waiters->watch);
	app->waiters = waiters;
	return waiters;
}

static void waiters_free(struct api_changes_waiters *waiters)
{
	ingest_unwatch_commits(waiters->app->ingest, &waiters->watch);
	event_free(waiters->look);
	waiters->app->waiters = NULL;
	free(waiters);
}

static bool is_ending(const struct api *app)
{
	struct http_stats stats;

	http_server_stats(app->http, &stats);
	return stats.draining;
}

bool api_changes_wait(struct api_changes *page)
{
	struct api *app = page->app;
	int64_t left_us = page->until_us - clock_monotonic_us();

	if (left_us <= 0 || is_ending(app) || (!app->waiters && app->config->changes_waiting_max == 0))
		return false;
	struct api_changes_waiters *waiters = waiters_get(app);

	if (!waiters || waiters->count >= (size_t)app->config->changes_waiting_max)
		return false;
	TAILQ_INSERT_TAIL(&waiters->list, page, entry);
	waiters->count++;
	page->waits = true;
	if (look_later(page, left_us < LOOK_US ? left_us : LOOK_US) < 0)
		return false;
	changes_free(page->changes);
	page->changes = NULL;
	return true;
}

void api_changes_wake(struct api_changes *page)
{
	struct api_changes_waiters *waiters = page->app->waiters;

	if (!page->waits)
		return;
	if (page->timer)
		evtimer_del(page->timer);
	TAILQ_REMOVE(&waiters->list, page, entry);
	page->waits = false;
	if (--waiters->count == 0)
		waiters_free(waiters);
}
