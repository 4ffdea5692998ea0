/* SPDX-License-Identifier: ISC */
/*
 * shared_lease.c: which front end may change the catalog, and that it says in time that it is there. See shared_catalog.h.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "meta/shared_catalog_private.h"

void shared_give_up(struct shared *shared, const char *why)
{
	if (shared->why[0])
		return;
	str_cut(shared->why, sizeof(shared->why), why);
	log_error("postgresql", "%s", why);
	if (shared->on_lost)
		shared->on_lost(shared->arg, shared->why);
}

static int take_held(void *arg, const struct str *values, int count, struct error *err)
{
	struct shared *shared = arg;

	(void)values;
	(void)count;
	(void)err;
	shared->still_holds = true;
	return 0;
}

static void on_beaten(void *arg, const struct error *err)
{
	struct shared *shared = arg;

	shared->is_beating = false;
	shared->beat_is_due = err != NULL;
	if (!err && !shared->still_holds)
		shared_give_up(shared, SHARED_OTHER_HOLDER);
	else if (!err)
		shared->held_until_us = shared->beat_sent_us + shared->lease_us;
}

static struct postgresql_statement beat_statement(struct shared *shared)
{
	struct postgresql_statement statement = SHARED_STATEMENT(
		"UPDATE cdrd_catalog SET holder_until = clock_timestamp() + $2::bigint * interval '1 us' "
		"WHERE holder = $1::text RETURNING number");

	shared->still_holds = false;
	shared->beat_sent_us = clock_monotonic_us();
	statement.parameters[0] = str_from(shared->holder);
	statement.parameters[1] = postgresql_bigint(&shared->beat_lease, (uint64_t)shared->lease_us);
	statement.parameters_count = 2;
	statement.row = take_held;
	statement.arg = shared;
	return statement;
}

static void on_beat(evutil_socket_t fd, short what, void *arg)
{
	struct shared *shared = arg;
	struct postgresql_statement statement;

	(void)fd;
	(void)what;
	if (shared->is_beating)
		return;
	statement = beat_statement(shared);
	shared->is_beating = postgresql_send(shared->postgresql, &statement, on_beaten, shared) != 0;
	shared->beat_is_due = !shared->is_beating;
}

void shared_lease_beat_again(struct shared *shared)
{
	on_beat(-1, 0, shared);
}

int shared_lease_beat(struct shared *shared, struct error *err)
{
	if (shared->lease_us == 0 || shared->is_beating)
		return 0;
	struct postgresql_statement statement = beat_statement(shared);
	if (postgresql_exchange(shared->postgresql, &statement, 1, err) != 0)
		return -1;
	if (!shared->still_holds)
		return error_set(err, ERROR_UNAVAILABLE, SHARED_OTHER_HOLDER);
	shared->held_until_us = shared->beat_sent_us + shared->lease_us;
	return 0;
}

int shared_check_held(const struct shared *shared, struct error *err)
{
	if (shared->why[0])
		return error_set(err, ERROR_UNAVAILABLE, "%s", shared->why);
	if (shared->lease_us == 0 || clock_monotonic_us() < shared->held_until_us)
		return 0;
	return error_set(err, ERROR_UNAVAILABLE,
	                 "PostgreSQL has not been reached for the whole of postgresql_lease, so another front end may "
	                 "hold the catalog now");
}

/* Of a kernel that runs: hosts that are clones of one have different ones. */
static void read_boot_id(char *out, size_t size)
{
	FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");

	if (!file || !fgets(out, (int)size, file))
		MAY_FAIL(gethostname(out, size - 1) != 0);
	out[strcspn(out, "\n")] = '\0';
	if (file)
		fclose(file);
}

int shared_lease_name(struct shared *shared, struct error *err)
{
	const char *path = meta_env(shared->meta)->path;
	char boot[64] = "";
	struct stat st;

	if (stat(path, &st) != 0)
		return error_set_errno(err, errno, "%s", path);
	read_boot_id(boot, sizeof(boot));
	snprintf(shared->holder, sizeof(shared->holder), "%s@%s/%llx.%llx", shared->front_end, boot,
	         (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
	return 0;
}

bool shared_lease_is_over(struct shared_seen *seen, struct str lease, bool is_over_there, int64_t lease_us)
{
	int64_t now_us = clock_monotonic_us();

	if (!str_is(lease, seen->lease)) {
		seen->since_us = seen->lease[0] ? now_us : now_us - lease_us;
		snprintf(seen->lease, sizeof(seen->lease), "%.*s", STR_ARGS(lease));
	}
	return is_over_there && now_us - seen->since_us >= lease_us;
}

struct look {
	struct shared_seen *seen;
	int64_t lease_us;
	char lease[SHARED_LEASE_MAX]; /* that is over; "" */
};

/* is it over by the clock there? which one */
static int take_look(void *arg, const struct str *values, int count, struct error *err)
{
	struct look *look = arg;
	bool is_over_there = shared_is_true(values[0]);

	(void)count;
	(void)err;
	if (shared_lease_is_over(look->seen, values[1], is_over_there, look->lease_us))
		str_copy(look->lease, sizeof(look->lease), look->seen->lease);
	return 0;
}

struct claim {
	bool is_taken;
	char holder[128];
};

static int take_claim(void *arg, const struct str *values, int count, struct error *err)
{
	struct claim *claim = arg;

	(void)count;
	(void)err;
	claim->is_taken = shared_is_true(values[0]);
	snprintf(claim->holder, sizeof(claim->holder), "%.*s", STR_ARGS(values[1]));
	return 0;
}

/* `over`: a lease that is over; "". */
static int claim_it(struct shared *shared, const char *over, struct error *err)
{
	struct claim claim = { .is_taken = false };
	struct postgresql_bigint room;
	struct postgresql_statement statements[] = {
		SHARED_STATEMENT(
			"UPDATE cdrd_catalog SET holder = $1::text, holder_name = $2::text, holder_url = $4::text, "
			"holder_until = clock_timestamp() + $3::bigint * interval '1 us' "
			"WHERE holder = '' OR holder = $1::text OR " SHARED_LEASE_SQL " = $5::text"),
		SHARED_STATEMENT("SELECT holder = $1::text, holder_name FROM cdrd_catalog"),
	};

	for (size_t i = 0; i < 2; i++)
		statements[i].parameters[0] = str_from(shared->holder);
	statements[0].parameters[1] = str_from(shared->name);
	statements[0].parameters[2] = postgresql_bigint(&room, (uint64_t)shared->lease_us);
	statements[0].parameters[3] = str_from(shared->url);
	statements[0].parameters[4] = str_from(over);
	statements[0].parameters_count = 5;
	statements[1].parameters_count = 1;
	statements[1].row = take_claim;
	statements[1].arg = &claim;
	int64_t sent_us = clock_monotonic_us();
	if (postgresql_exchange(shared->postgresql, statements, 2, err) != 0)
		return -1;
	shared->held_until_us = sent_us + shared->lease_us;
	if (!claim.is_taken)
		return error_set(err, ERROR_UNAVAILABLE, "PostgreSQL: the front end %s holds the catalog",
		                 claim.holder);
	return 0;
}

int shared_lease_take(struct shared *shared, struct shared_seen *seen, struct error *err)
{
	struct shared_seen nothing = { .since_us = 0 };
	struct look look = { .seen = seen ? seen : &nothing, .lease_us = shared->lease_us };
	struct postgresql_statement statement =
		SHARED_STATEMENT("SELECT holder_until < clock_timestamp(), " SHARED_LEASE_SQL " FROM cdrd_catalog");

	statement.row = take_look;
	statement.arg = &look;
	if (postgresql_exchange(shared->postgresql, &statement, 1, err) != 0)
		return -1;
	return claim_it(shared, look.lease, err);
}

void shared_lease_give_back(struct shared *shared)
{
	struct postgresql_statement statement =
		SHARED_STATEMENT("UPDATE cdrd_catalog SET holder = '' WHERE holder = $1::text");
	struct error err;

	if (shared->beat)
		event_free(shared->beat);
	shared->beat = NULL;
	if (!shared->postgresql || shared->lease_us == 0)
		return;
	statement.parameters[0] = str_from(shared->holder);
	statement.parameters_count = 1;
	/* Without it, others wait until it is over. */
	MAY_FAIL(postgresql_exchange(shared->postgresql, &statement, 1, &err) != 0);
}

int shared_lease_keep(struct shared *shared, struct event_base *base, struct error *err)
{
	struct timeval every = clock_timeval(shared->lease_us / 4);

	if (!base)
		return 0;
	if (postgresql_watch(shared->postgresql, base, err) != 0)
		return -1;
	if (shared->lease_us == 0)
		return 0;
	shared->beat = event_new(base, -1, EV_PERSIST, on_beat, shared);
	if (!shared->beat || event_add(shared->beat, &every) != 0)
		return error_set(err, ERROR_NOMEM, "catalog: out of memory");
	return 0;
}
