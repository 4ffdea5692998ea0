/* SPDX-License-Identifier: ISC */
/*
 * health.c: see health.h.
 */
#include "store/health.h"

#include "base/log.h"
#include "store/days_store.h"

void store_health(const struct store *store, struct store_health *health)
{
	const struct env *catalog = meta_env(store->meta);

	*health = (struct store_health){
		.commits_failed = store->commits_failed,
		.failure = store->failure,
		.catalog_broken = catalog->broken,
		.reopened = catalog->reopened + store->reopened,
	};
	health->commits_failed += meta_commits_failed(store->meta, &health->failure);
	for (size_t i = 0; i < store->days_count; i++) {
		const struct day *day = store->days[i];

		health->days_broken += day->is_open ? day->env.broken : day->is_faulty;
		health->reopened += day->is_open ? day->env.reopened : 0;
	}
}

static bool mend(struct env *env)
{
	struct error err; /* is in the log */
	MDB_txn *txn = env->broken ? env_read(env, &err) : NULL;

	if (txn)
		MAY_FAIL(env_read_end(env, txn, 0, &err)); /* then it is broken */
	return !env->broken;
}

void store_tend(struct store *store)
{
	struct store_health health;
	struct error err;
	bool works = mend(meta_env(store->meta));

	for (size_t i = 0; i < store->days_count; i++)
		MAY_FAIL(days_give_up_lost(store, store->days[i], &err)); /* reopened when next needed */
	for (size_t i = 0; i < store->days_count; i++)
		works &= !store->days[i]->is_open || mend(&store->days[i]->env);
	store_health(store, &health);
	if (health.commits_failed == 0 || !works || meta_is_waiting(store->meta))
		return;
	if (store_clock_write(store, &err) != 0)
		return;
	store->commits_failed = 0;
	log_info("store", "commits succeed again");
}
