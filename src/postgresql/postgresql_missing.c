/* SPDX-License-Identifier: ISC */
/*
 * postgresql_missing.c: what stands in place of postgresql.c and pipeline.c in a build without libpq.
 */
#include "postgresql/postgresql.h"

bool postgresql_is_built(void)
{
	return false;
}

static int fail(struct error *err)
{
	return error_set(err, ERROR_INVALID, "PostgreSQL: this cdrd was built without libpq");
}

int postgresql_check(const char *connection, struct error *err)
{
	(void)connection;
	return fail(err);
}

struct postgresql *postgresql_new(const struct postgresql_options *options, struct error *err)
{
	(void)options;
	(void)fail(err);
	return NULL;
}

bool postgresql_was_refused(const struct postgresql *postgresql)
{
	(void)postgresql;
	return false;
}

void postgresql_free(struct postgresql *postgresql)
{
	(void)postgresql;
}

int postgresql_connect(struct postgresql *postgresql, struct error *err)
{
	(void)postgresql;
	return fail(err);
}

int postgresql_watch(struct postgresql *postgresql, struct event_base *base, struct error *err)
{
	(void)postgresql;
	(void)base;
	return fail(err);
}

int postgresql_exchange(struct postgresql *postgresql, const struct postgresql_statement *statements, size_t count,
                        struct error *err)
{
	(void)postgresql;
	(void)statements;
	(void)count;
	return fail(err);
}

int postgresql_send(struct postgresql *postgresql, const struct postgresql_statement *statement,
                    postgresql_ended_fn ended, void *arg)
{
	(void)postgresql;
	(void)statement;
	(void)ended;
	(void)arg;
	return 0;
}

bool postgresql_is_connected(const struct postgresql *postgresql)
{
	(void)postgresql;
	return false;
}

bool postgresql_is_away(const struct postgresql *postgresql, int64_t before_us)
{
	(void)postgresql;
	(void)before_us;
	return true;
}

void postgresql_drop(struct postgresql *postgresql, const struct error *why)
{
	(void)postgresql;
	(void)why;
}

const char *postgresql_why(const struct postgresql *postgresql)
{
	(void)postgresql;
	return "";
}
