/* SPDX-License-Identifier: ISC */
/*
 * load_shedding.c: see load_shedding.h.
 */
#include "limits/load_shedding.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

#define LOOK_EVERY_US 50000
#define LATE_LOOKS 2

struct load_shedding {
	const struct config *config;
	struct event *timer;
	int statm; /* /proc/self/statm, or -1 */
	int64_t page_bytes;
	int64_t due_us;
	int late_looks; /* in a row */
	enum load_shedding_cause cause;
	struct load_shedding_stats stats;
};

static void schedule(struct load_shedding *guard)
{
	static const struct timeval period = { 0, LOOK_EVERY_US };

	guard->due_us = clock_monotonic_us() + LOOK_EVERY_US;
	if (event_add(guard->timer, &period) < 0)
		log_error("billing", "cannot add a timer; overload is no longer watched");
}

/* Resident memory without pages of files; 0 if the system does not tell. */
static int64_t own_memory(const struct load_shedding *guard)
{
	char text[128];
	long long size, resident, shared;
	ssize_t len = guard->statm >= 0 ? pread(guard->statm, text, sizeof(text) - 1, 0) : -1;

	if (len <= 0)
		return 0;
	text[len] = '\0';
	if (sscanf(text, "%lld %lld %lld", &size, &resident, &shared) != 3)
		return 0;
	return (resident - shared) * guard->page_bytes;
}

static enum load_shedding_cause look(struct load_shedding *guard, int64_t late_us)
{
	const struct config *config = guard->config;

	guard->stats.memory_bytes = own_memory(guard);
	guard->late_looks = config->shed_lag > 0 && late_us > config->shed_lag ? guard->late_looks + 1 : 0;
	if (config->shed_memory > 0 && guard->stats.memory_bytes > config->shed_memory)
		return LOAD_SHEDDING_MEMORY;
	return guard->late_looks >= LATE_LOOKS ? LOAD_SHEDDING_LAG : LOAD_SHEDDING_NONE;
}

static void tell(const struct load_shedding *guard, enum load_shedding_cause was, int64_t late_us)
{
	if (guard->cause == was)
		return;
	if (guard->cause == LOAD_SHEDDING_MEMORY)
		log_warn("billing", "requests are turned away: %lld bytes of memory in use, shed_memory is %lld",
		         (long long)guard->stats.memory_bytes, (long long)guard->config->shed_memory);
	else if (guard->cause == LOAD_SHEDDING_LAG)
		log_warn("billing", "requests are turned away: the loop is %lld ms late, shed_lag is %lld ms",
		         (long long)(late_us / 1000), (long long)(guard->config->shed_lag / 1000));
	else
		log_info("billing", "requests are taken again");
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct load_shedding *guard = arg;
	enum load_shedding_cause was = guard->cause;
	int64_t late_us = clock_monotonic_us() - guard->due_us;

	(void)fd;
	(void)what;
	guard->cause = look(guard, late_us);
	tell(guard, was, late_us);
	schedule(guard);
}

struct load_shedding *load_shedding_new(struct event_base *base, const struct config *config)
{
	struct load_shedding *guard = calloc(1, sizeof(*guard));

	if (!guard)
		return NULL;
	guard->config = config;
	guard->page_bytes = sysconf(_SC_PAGESIZE);
	guard->statm = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	guard->timer = evtimer_new(base, on_timer, guard);
	if (!guard->timer) {
		load_shedding_free(guard);
		return NULL;
	}
	(void)event_priority_set(guard->timer, 0); /* it measures others' lateness, not its own */
	schedule(guard);
	return guard;
}

void load_shedding_free(struct load_shedding *guard)
{
	if (!guard)
		return;
	if (guard->timer)
		event_free(guard->timer);
	if (guard->statm >= 0)
		close(guard->statm);
	free(guard);
}

enum load_shedding_cause load_shedding_cause(const struct load_shedding *guard)
{
	return guard->cause;
}

void load_shedding_count_shed(struct load_shedding *guard)
{
	guard->stats.shed++;
}

void load_shedding_stats(const struct load_shedding *guard, struct load_shedding_stats *stats)
{
	*stats = guard->stats;
}
