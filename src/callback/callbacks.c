/* SPDX-License-Identifier: ISC */
/*
 * callbacks.c: pending callbacks: when each is tried, and whose turn it is. See callbacks_private.h.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/invariant.h"
#include "base/log.h"
#include "callback/callbacks_private.h"
#include "callback/url.h"
#include "meta/rows.h"
#include "store/clock_watch.h"

#define HTTP_GONE 410
#define READ_AGAIN_US CLOCK_US_PER_SECOND

static struct timeval timeval_of(int64_t delay_us)
{
	if (delay_us < 0)
		delay_us = 0;
	return clock_timeval(delay_us);
}

static size_t host_bucket(const char *name)
{
	return id_hash64(name, strlen(name), 0) % CALLBACK_BUCKETS;
}

static struct callback_host *find_host(struct callbacks *callbacks, const char *name)
{
	struct callback_host *host;

	LIST_FOREACH(host, &callbacks->hosts[host_bucket(name)], bucket) {
		if (strcmp(host->name, name) == 0)
			return host;
	}
	return NULL;
}

/* NULL when out of memory. */
static struct callback_host *get_host(struct callbacks *callbacks, const char *name)
{
	struct callback_host *host = find_host(callbacks, name);

	if (host)
		return host;
	host = calloc(1, sizeof(*host));
	char *copy = strdup(name);
	if (!host || !copy) {
		free(host);
		free(copy);
		return NULL;
	}
	host->name = copy;
	TAILQ_INIT(&host->queue);
	LIST_INSERT_HEAD(&callbacks->hosts[host_bucket(name)], host, bucket);
	return host;
}

static void free_host_if_idle(struct callbacks *callbacks, struct callback_host *host)
{
	if (host->queued || host->sending)
		return;
	INVARIANT(TAILQ_EMPTY(&host->queue));
	if (host->is_ready)
		TAILQ_REMOVE(&callbacks->ready, host, ready);
	LIST_REMOVE(host, bucket);
	free(host->name);
	free(host);
}

/* Adds the host to those whose turn comes, if it has something to send and may send more. */
static void ready_host(struct callbacks *callbacks, struct callback_host *host)
{
	if (host->is_ready || !host->queued || host->sending >= callbacks->config->callback_concurrent_host_max)
		return;
	TAILQ_INSERT_TAIL(&callbacks->ready, host, ready);
	host->is_ready = true;
	event_active(callbacks->turn, EV_TIMEOUT, 0);
}

static void set_phase(struct callback *callback, enum callback_phase phase)
{
	static const unsigned allowed[] = {
		[CALLBACK_PHASE_SCHEDULED] =
			1U << CALLBACK_PHASE_SCHEDULED | 1U << CALLBACK_PHASE_QUEUED | 1U << CALLBACK_PHASE_DONE,
		[CALLBACK_PHASE_QUEUED] = 1U << CALLBACK_PHASE_SENDING,
		[CALLBACK_PHASE_SENDING] = 1U << CALLBACK_PHASE_SCHEDULED | 1U << CALLBACK_PHASE_DONE,
		[CALLBACK_PHASE_DONE] = 0,
	};

	INVARIANT_STEP(allowed, callback->phase, phase);
	callback->phase = phase;
}

/* A failed one until it is no longer listed, by store_clock_stamp_us. */
static void schedule(struct callback *callback, int64_t time_us)
{
	int64_t now_us = callback->failed ? store_clock_stamp_us(callback->callbacks->store) : clock_now_us();
	struct timeval delay = timeval_of(time_us - now_us);

	set_phase(callback, CALLBACK_PHASE_SCHEDULED);
	evtimer_add(callback->timer, &delay);
}

void callback_enqueue(struct callback *callback)
{
	struct callbacks *callbacks = callback->callbacks;
	struct callback_host *host = get_host(callbacks, callback->host_name);

	evtimer_del(callback->timer);
	if (!host) { /* a moment later there may be memory */
		schedule(callback, clock_now_us() + CLOCK_US_PER_SECOND);
		return;
	}
	set_phase(callback, CALLBACK_PHASE_QUEUED);
	callback->host = host;
	TAILQ_INSERT_TAIL(&host->queue, callback, queued);
	host->queued++;
	ready_host(callbacks, host);
}

static void leave_queue(struct callback *callback)
{
	struct callback_host *host = callback->host;

	TAILQ_REMOVE(&host->queue, callback, queued);
	INVARIANT(host->queued > 0);
	host->queued--;
}

static void finish(struct callback *callback)
{
	set_phase(callback, CALLBACK_PHASE_DONE);
	evtimer_del(callback->timer);
	save_later(callback);
}

static void on_time(evutil_socket_t fd, short what, void *arg)
{
	struct callback *callback = arg;

	(void)fd;
	(void)what;
	if (!callback->failed) {
		callback_enqueue(callback);
		return;
	}
	if (!store_clock_allows_deletion(callback->callbacks->store)) {
		schedule(callback, store_clock_stamp_us(callback->callbacks->store) + CLOCK_US_PER_HOUR);
		return;
	}
	callback->callbacks->stats.failed--;
	log_info("callback", "%s: no longer listed", callback->id);
	finish(callback);
}

static void send_next_of(struct callbacks *callbacks, struct callback_host *host)
{
	struct callback *callback = TAILQ_FIRST(&host->queue);

	leave_queue(callback);
	host->sending++;
	set_phase(callback, CALLBACK_PHASE_SENDING);
	callback->attempts++;
	callback->begun_us = clock_monotonic_us();
	callbacks->stats.waiting--;
	callbacks->stats.sending++;
	callbacks->stats.attempts++;
	callbacks->stats.deliveries.attempts += callback->is_delivery;
	ready_host(callbacks, host);
	deliver(callback);
}

static void give_turns(evutil_socket_t fd, short what, void *arg)
{
	struct callbacks *callbacks = arg;
	struct callback_host *host;

	(void)fd;
	(void)what;
	if (callbacks_held(callbacks))
		return;
	while ((int64_t)callbacks->stats.sending < callbacks->config->callback_concurrent_max &&
	       (host = TAILQ_FIRST(&callbacks->ready))) {
		TAILQ_REMOVE(&callbacks->ready, host, ready);
		host->is_ready = false;
		if (host->queued)
			send_next_of(callbacks, host);
	}
}

/* The delay doubles with each attempt; half of it is random, so that callbacks which failed together are not retried
 * together. */
static int64_t retry_delay(const struct callback *callback, const struct outcome *outcome)
{
	const struct config *config = callback->callbacks->config;
	int64_t delay = config->callback_retry_first, longest = config->callback_retry_max_delay;
	uint32_t chance;

	for (int64_t i = 1; i < callback->attempts && delay < longest; i++)
		delay *= 2;
	if (delay > longest)
		delay = longest;
	id_random(&chance, sizeof(chance));
	delay = delay / 2 + (int64_t)((double)delay / 2 * ((double)chance / UINT32_MAX));
	int64_t asked = outcome->retry_after_us < longest ? outcome->retry_after_us : longest;
	return asked > delay ? asked : delay;
}

static void keep_error(struct callback *callback, const char *problem)
{
	free(callback->last_error);
	callback->last_error = strndup(problem, CALLBACK_ERROR_MAX);
}

static void give_up(struct callback *callback, const char *problem)
{
	struct callbacks *callbacks = callback->callbacks;

	callbacks->stats.given_up++;
	callbacks->stats.deliveries.given_up += callback->is_delivery;
	callbacks->stats.failed++;
	callback->failed = true;
	callback->next_us = store_clock_stamp_us(callbacks->store) + callbacks->config->callback_failed_keep;
	log_warn("callback", "%s: to %s of account %s given up after %lld attempts: %s", callback->id,
	         callback->host_name, callback->account, (long long)callback->attempts, problem);
}

/* While the clock is not trusted, nothing is too old. */
static bool is_over(const struct callback *callback)
{
	struct callbacks *callbacks = callback->callbacks;

	return callback->next_us > callback->since_us + callbacks->config->callback_keep &&
	       store_clock_allows_deletion(callbacks->store);
}

/* What was noted by a clock that was wrong then makes no callback wait for years, nor seem too old before it was tried. */
static void correct_times(struct callback *callback)
{
	const struct config *config = callback->callbacks->config;
	int64_t now_us = clock_now_us(), stamp_us = store_clock_stamp_us(callback->callbacks->store);

	if (callback->failed && callback->next_us > stamp_us + config->callback_failed_keep)
		callback->next_us = stamp_us + config->callback_failed_keep;
	else if (!callback->failed && callback->next_us > now_us + config->callback_retry_max_delay)
		callback->next_us = now_us;
	/* Of a row that is taken: after an attempt there is always one. */
	if (callback->since_us > stamp_us || callback->attempts == 0)
		callback->since_us = stamp_us;
}

/* A test is not tried again, nor listed: whoever asked for it sees the attempt. */
static void test_failed(struct callback *callback, const char *problem)
{
	callback->callbacks->stats.given_up++;
	callback->failed = true;
	log_info("callback", "%s: to %s of account %s failed: %s", callback->id, callback->host_name, callback->account,
	         problem);
	finish(callback);
}

static void attempt_failed(struct callback *callback, const struct outcome *outcome)
{
	struct callbacks *callbacks = callback->callbacks;

	callbacks->stats.attempts_failed++;
	callbacks->stats.deliveries.attempts_failed += callback->is_delivery;
	callbacks->stats.refused += outcome->refused;
	keep_error(callback, outcome->problem);
	if (callback->is_test) {
		test_failed(callback, outcome->problem);
		return;
	}
	correct_times(callback);
	callback->next_us = clock_now_us() + retry_delay(callback, outcome);
	/* 410: the receiver says that it is gone for good (Standard Webhooks). */
	if (outcome->status == HTTP_GONE || is_over(callback)) {
		give_up(callback, outcome->problem);
	} else {
		callbacks->stats.waiting++;
		log_info("callback", "%s: attempt %lld to %s failed, again in %.1f s: %s", callback->id,
		         (long long)callback->attempts, callback->host_name,
		         (double)(callback->next_us - clock_now_us()) / (double)CLOCK_US_PER_SECOND, outcome->problem);
	}
	schedule(callback, callback->next_us);
	save_later(callback);
}

void callback_ended(struct callback *callback, const struct outcome *outcome)
{
	struct callbacks *callbacks = callback->callbacks;
	struct callback_host *host = callback->host;

	INVARIANT(callback->phase == CALLBACK_PHASE_SENDING && host->sending > 0 && callbacks->stats.sending > 0);
	callback->host = NULL;
	host->sending--;
	callbacks->stats.sending--;
	callback->last_us = clock_now_us();
	callback->duration_us = clock_monotonic_us() - callback->begun_us;
	callback->has_attempted = true;
	callback->last_status = outcome->status;
	if (outcome->delivered) {
		callbacks->stats.delivered++;
		callbacks->stats.deliveries.delivered += callback->is_delivery;
		log_info("callback", "%s: delivered to %s at attempt %lld", callback->id, callback->host_name,
		         (long long)callback->attempts);
		finish(callback);
	} else {
		attempt_failed(callback, outcome);
	}
	ready_host(callbacks, host);
	free_host_if_idle(callbacks, host);
	event_active(callbacks->turn, EV_TIMEOUT, 0);
}

void callback_free(struct callback *callback)
{
	struct callbacks *callbacks = callback->callbacks;
	struct callback_host *host = callback->host;

	if (callback->delivery)
		deliver_cancel(callback->delivery);
	if (callback->phase == CALLBACK_PHASE_QUEUED)
		leave_queue(callback);
	else if (callback->phase == CALLBACK_PHASE_SENDING)
		host->sending--;
	if (host)
		free_host_if_idle(callbacks, host);
	if (callback->is_unsaved)
		TAILQ_REMOVE(&callbacks->unsaved, callback, unsaved);
	TAILQ_REMOVE(&callbacks->all, callback, all);
	LIST_REMOVE(callback, bucket);
	if (callback->is_test)
		LIST_REMOVE(callback, test);
	if (callback->is_delivery)
		TAILQ_REMOVE(&callbacks->deliveries, callback, delivered);
	event_free(callback->timer);
	free(callback->host_name);
	free(callback->last_error);
	free(callback);
}

static struct callback *make_callback(struct callbacks *callbacks, const struct callback_row *row,
                                      const struct callback_url *url)
{
	struct callback *callback = calloc(1, sizeof(*callback));

	if (!callback)
		return NULL;
	callback->callbacks = callbacks;
	callback->number = row->number;
	memcpy(callback->id, row->id.p, row->id.len);
	memcpy(callback->account, row->account.p, row->account.len);
	callback->is_test = callback_is_test(row->id);
	callback->is_delivery = callback_is_delivery(row->id);
	callback->failed = row->failed;
	callback->since_us = row->since_us;
	callback->next_us = row->next_us;
	callback->attempts = row->attempts;
	callback->host_name = strdup(url->host);
	callback->timer = evtimer_new(callbacks->base, on_time, callback);
	if (callback->host_name && callback->timer)
		return callback;
	if (callback->timer)
		event_free(callback->timer);
	free(callback->host_name);
	free(callback);
	return NULL;
}

static enum meta_next take_row(void *arg, struct str key, struct str value, struct error *err)
{
	struct callbacks *callbacks = arg;
	struct callback_row row;
	struct callback_url url;

	if (callback_row_read(&row, key, value, err) != 0 || callback_row_url(&row, &url, err) != 0) {
		if (err->code == ERROR_NOMEM)
			return META_FAILED;
		/* An unreadable row must not keep the others, or the daemon, from working. */
		log_error("callback", "%s", err->message);
		callbacks->last_number = row.number ? row.number : callbacks->last_number;
		return META_GO_ON;
	}
	struct callback *callback = make_callback(callbacks, &row, &url);
	callback_url_free(&url);
	if (!callback) {
		error_set(err, ERROR_NOMEM, "callbacks: out of memory");
		return META_FAILED;
	}
	TAILQ_INSERT_TAIL(&callbacks->all, callback, all);
	LIST_INSERT_HEAD(&callbacks->by_number[row.number % CALLBACK_BUCKETS], callback, bucket);
	if (callback->is_test)
		LIST_INSERT_HEAD(&callbacks->tests, callback, test);
	if (callback->is_delivery)
		TAILQ_INSERT_TAIL(&callbacks->deliveries, callback, delivered);
	callbacks->last_number = row.number;
	*(callback->failed ? &callbacks->stats.failed : &callbacks->stats.waiting) += 1;
	correct_times(callback);
	schedule(callback, callback->next_us);
	return META_GO_ON;
}

static int read_new_rows(struct callbacks *callbacks, struct error *err)
{
	struct callback_key key;

	return meta_each(callbacks->meta, META_DB_CALLBACKS, callback_key_of(callbacks->last_number + 1, &key),
	                 take_row, callbacks, err);
}

void callbacks_on_outcome(struct callbacks *callbacks, callbacks_outcome_fn fn, void *arg)
{
	callbacks->on_outcome = fn;
	callbacks->on_outcome_arg = arg;
}

void callbacks_ask_for_file(struct callbacks *callbacks, callbacks_file_fn fn, void *arg)
{
	callbacks->ask_for_file = fn;
	callbacks->ask_for_file_arg = arg;
}

void callbacks_deliver_to(struct callbacks *callbacks, struct destinations *destinations)
{
	callbacks->destinations = destinations;
}

void callbacks_wake(struct callbacks *callbacks)
{
	struct timeval again = clock_timeval(READ_AGAIN_US);
	struct error err;

	if (read_new_rows(callbacks, &err) == 0)
		return;
	log_error("callback", "%s; is read again in a second", err.message);
	event_add(callbacks->again, &again);
}

static void on_again(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	callbacks_wake(arg);
}

static void on_save(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	save_now(arg);
}

static int check_settings(const struct config *config, struct error *err)
{
	if (callback_allow_check(config->callback_allow, err) != 0)
		return -1;
	if (config->callback_ca_file[0] && access(config->callback_ca_file, R_OK) != 0)
		return error_set(err, ERROR_INVALID, "callback_ca_file: %s cannot be read", config->callback_ca_file);
	return 0;
}

static int start(struct callbacks *callbacks, struct error *err)
{
	callbacks->resolver = resolver_new(callbacks->base, "/etc/resolv.conf", "/etc/hosts", err);
	if (!callbacks->resolver)
		return -1;
	callbacks->transfers = transfers_new(callbacks->base, err);
	if (!callbacks->transfers)
		return -1;
	callbacks->couriers = couriers_new(callbacks->base, err);
	if (!callbacks->couriers)
		return -1;
	callbacks->turn = event_new(callbacks->base, -1, 0, give_turns, callbacks);
	callbacks->save = evtimer_new(callbacks->base, on_save, callbacks);
	callbacks->again = evtimer_new(callbacks->base, on_again, callbacks);
	if (!callbacks->turn || !callbacks->save || !callbacks->again)
		return error_set(err, ERROR_NOMEM, "callbacks: out of memory");
	return callback_hold_look(callbacks, err) == 0 ? read_new_rows(callbacks, err) : -1;
}

struct callbacks *callbacks_new(struct event_base *base, const struct config *config, struct meta *meta,
                                struct store *store, struct error *err)
{
	if (check_settings(config, err) != 0)
		return NULL;
	struct callbacks *callbacks = calloc(1, sizeof(*callbacks));
	if (!callbacks) {
		error_set(err, ERROR_NOMEM, "callbacks: out of memory");
		return NULL;
	}
	callbacks->base = base;
	callbacks->config = config;
	callbacks->meta = meta;
	callbacks->store = store;
	TAILQ_INIT(&callbacks->all);
	TAILQ_INIT(&callbacks->unsaved);
	TAILQ_INIT(&callbacks->deliveries);
	TAILQ_INIT(&callbacks->ready);
	if (start(callbacks, err) != 0) {
		callbacks_free(callbacks);
		return NULL;
	}
	return callbacks;
}

void callbacks_free(struct callbacks *callbacks)
{
	if (!callbacks)
		return;
	save_now(callbacks);
	while (!TAILQ_EMPTY(&callbacks->all))
		callback_free(TAILQ_FIRST(&callbacks->all));
	if (callbacks->turn)
		event_free(callbacks->turn);
	if (callbacks->save)
		event_free(callbacks->save);
	if (callbacks->again)
		event_free(callbacks->again);
	transfers_free(callbacks->transfers);
	couriers_free(callbacks->couriers);
	resolver_free(callbacks->resolver);
	free(callbacks);
}

void callbacks_get_stats(const struct callbacks *callbacks, struct callbacks_stats *stats)
{
	const struct callback *callback;
	int64_t oldest_us = 0;

	*stats = callbacks->stats;
	stats->held = callbacks_held(callbacks) != CALLBACK_NOT_HELD;
	TAILQ_FOREACH(callback, &callbacks->deliveries, delivered) {
		bool waits = !callback->failed && callback->phase != CALLBACK_PHASE_DONE;

		stats->deliveries.waiting += waits;
		stats->deliveries.failed += callback->failed;
		if (waits && (oldest_us == 0 || callback->since_us < oldest_us))
			oldest_us = callback->since_us;
	}
	int64_t now_us = clock_now_us();
	if (oldest_us != 0 && oldest_us < now_us) /* or the clock is behind */
		stats->deliveries.oldest_age_us = now_us - oldest_us;
}
