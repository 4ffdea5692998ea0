/* SPDX-License-Identifier: ISC */
/*
 * workers.c: which other front ends make files, and which one a job goes to. See workers.h.
 *
 * A worker says every second that it is there (forward/reached.c), so nothing about it is kept anywhere but here.
 */
#include "report/workers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "callback/resolve.h"
#include "forward/forward.h"

#define UNSEEN_US (5 * CLOCK_US_PER_SECOND)  /* then it gets no more jobs, */
#define FORGET_US (60 * CLOCK_US_PER_SECOND) /* and then it is not known any more */
#define ASIDE_US (10 * CLOCK_US_PER_SECOND)
#define RESOLVE_US (10 * CLOCK_US_PER_SECOND)
#define RESOLV_CONF "/etc/resolv.conf"
#define HOSTS "/etc/hosts"

static bool has_room(const struct known_worker *worker, uint64_t lost_by, int64_t now_us)
{
	return !(lost_by & report_worker_bit(worker)) && worker->connect_to[0] && worker->running < worker->room &&
	       now_us - worker->seen_us < UNSEEN_US && now_us >= worker->aside_until_us;
}

static uint64_t running_here(const struct reports *reports)
{
	return reports->running_count - reports->away_count;
}

bool report_workers_have_room_here(const struct reports *reports)
{
	return running_here(reports) < (uint64_t)reports->config->reports_max;
}

bool report_workers_have_room(const struct reports *reports, uint64_t lost_by)
{
	int64_t now_us = clock_monotonic_us();
	const struct known_worker *worker;

	TAILQ_FOREACH(worker, &reports->workers, link) {
		if (has_room(worker, lost_by, now_us))
			return true;
	}
	return false;
}

struct known_worker *report_workers_choose(struct reports *reports, uint64_t lost_by)
{
	int64_t now_us = clock_monotonic_us();
	struct known_worker *worker, *best = NULL;

	TAILQ_FOREACH(worker, &reports->workers, link) {
		if (has_room(worker, lost_by, now_us) && (!best || worker->running < best->running))
			best = worker;
	}
	if (!best || (report_workers_have_room_here(reports) && running_here(reports) <= best->running))
		return NULL;
	TAILQ_REMOVE(&reports->workers, best, link);
	TAILQ_INSERT_TAIL(&reports->workers, best, link);
	return best;
}

void report_worker_set_aside(struct known_worker *worker)
{
	worker->aside_until_us = clock_monotonic_us() + ASIDE_US;
}

static void forget(struct reports *reports, struct known_worker *worker)
{
	TAILQ_REMOVE(&reports->workers, worker, link);
	reports->workers_count--;
	if (worker->lookup)
		lookup_cancel(worker->lookup);
	free(worker);
}

/* Those that have not been heard of for long. */
static void forget_old(struct reports *reports, int64_t now_us)
{
	struct known_worker *worker = TAILQ_FIRST(&reports->workers), *next;

	for (; worker; worker = next) {
		next = TAILQ_NEXT(worker, link);
		if (worker->running == 0 && now_us - worker->seen_us > FORGET_US)
			forget(reports, worker);
	}
}

static unsigned free_number(const struct reports *reports)
{
	const struct known_worker *worker;
	uint64_t taken = 0;
	unsigned number = 0;

	TAILQ_FOREACH(worker, &reports->workers, link)
		taken |= report_worker_bit(worker);
	while (taken & UINT64_C(1) << number)
		number++;
	return number;
}

static struct known_worker *find(const struct reports *reports, struct str url)
{
	struct known_worker *worker;

	TAILQ_FOREACH(worker, &reports->workers, link) {
		if (str_is(url, worker->url))
			return worker;
	}
	return NULL;
}

/* A new one. NULL, and says why, unless that was said a while ago, as it tells of itself every second. */
static struct known_worker *add(struct reports *reports, struct str url, int64_t now_us)
{
	struct known_worker *worker = NULL;
	struct error err;

	if (reports->workers_count == WORKERS_MAX)
		error_set(&err, ERROR_LIMIT, "%d others do, which is all that may", WORKERS_MAX);
	else if (url.len >= sizeof(worker->url))
		error_set(&err, ERROR_INVALID, "its URL has %zu characters, at most %zu allowed", url.len,
		          sizeof(worker->url) - 1);
	else if (!(worker = calloc(1, sizeof(*worker))))
		error_set(&err, ERROR_NOMEM, "out of memory");
	if (!worker) {
		if (reports->passed_over_us == 0 || now_us - reports->passed_over_us > FORGET_US) {
			log_warn("report", "the front end at %.*s makes no reports: %s",
			         (int)(url.len < sizeof(worker->url) ? url.len : sizeof(worker->url)), url.p,
			         err.message);
			reports->passed_over_us = now_us;
		}
		return NULL;
	}
	snprintf(worker->url, sizeof(worker->url), "%.*s", STR_ARGS(url));
	worker->number = free_number(reports);
	TAILQ_INSERT_TAIL(&reports->workers, worker, link);
	reports->workers_count++;
	return worker;
}

static void on_resolved(void *arg, const struct address *addresses, size_t count, const char *problem)
{
	struct known_worker *worker = arg;
	char host[ADDRESS_TEXT_LEN];

	worker->lookup = NULL;
	worker->connect_to[0] = '\0';
	if (count == 0) {
		if (strcmp(worker->problem, problem) != 0)
			log_warn("report", "the front end at %s makes no reports: %s", worker->url, problem);
		str_cut(worker->problem, sizeof(worker->problem), problem);
		return;
	}
	worker->problem[0] = '\0';
	address_format(host, (const struct sockaddr *)&addresses[0].storage);
	host_write_connect_to(worker->connect_to, host, host_port_of(forward_host_of(worker->url)));
}

/* A name is looked up when it is new, and again while it leads nowhere, or a host may have taken it that has another address. */
static void resolve(struct reports *reports, struct known_worker *worker, int64_t now_us)
{
	const char *name = forward_host_of(worker->url);
	char host[HOST_NAME_MAX_LEN + 1];

	if (worker->lookup ||
	    (worker->resolved_at_us != 0 && (now_us - worker->resolved_at_us < RESOLVE_US ||
	                                     (worker->connect_to[0] && now_us >= worker->aside_until_us))))
		return;
	worker->resolved_at_us = now_us;
	if (!name) {
		on_resolved(worker, NULL, 0, "that is no such URL");
		return;
	}
	const char *port = host_port_of(name);
	host_without_port(host, name, port);
	worker->lookup =
		resolver_lookup(reports->resolver, host, (uint16_t)strtoul(port, NULL, 10), on_resolved, worker);
}

void reports_note_worker(struct reports *reports, struct str url, uint64_t room)
{
	int64_t now_us = clock_monotonic_us();
	struct known_worker *worker;

	if (!reports->asker)
		return;
	forget_old(reports, now_us);
	worker = find(reports, url);
	if (!worker)
		worker = add(reports, url, now_us);
	if (!worker)
		return;
	worker->room = room;
	worker->seen_us = now_us;
	resolve(reports, worker, now_us);
	if (!worker->is_told && room > 0 && worker->connect_to[0]) {
		log_info("report", "the front end at %s makes reports, too, %llu at once", worker->url,
		         (unsigned long long)room);
		worker->is_told = true;
	}
	if (reports->pending_count > 0)
		report_scheduler_wake(reports);
}

/* --- its life --- */

int reports_use_workers(struct reports *reports, const uint8_t *key, struct error *err)
{
	const struct forwarder_options options = {
		.base = tasks_base(reports->tasks),
		.ca_file = reports->config->front_end_ca_file,
		.key = key,
	};

	reports->key = key;
	reports->resolver = resolver_new(options.base, RESOLV_CONF, HOSTS, err);
	if (reports->resolver)
		reports->asker = forward_asker_new(&options, err);
	return reports->asker ? 0 : -1;
}

void report_workers_free(struct reports *reports)
{
	while (!TAILQ_EMPTY(&reports->workers))
		forget(reports, TAILQ_FIRST(&reports->workers));
	forward_asker_free(reports->asker);
	reports->asker = NULL; /* no worker is noted while this runs the loop */
	resolver_free(reports->resolver);
}
