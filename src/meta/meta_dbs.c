/* SPDX-License-Identifier: ISC */
/*
 * meta_dbs.c: the names of the catalog's databases. See meta_env.h.
 */
#include "meta/meta.h"
#include "meta/meta_env.h"

const struct env_db meta_dbs[] = {
	[META_DB_VALUES] = { "meta", 0 },
	[META_DB_ACCOUNTS] = { "accounts", 0 },
	[META_DB_CHILDREN] = { "children", 0 },
	[META_DB_PRODUCERS] = { "producers", 0 },
	[META_DB_QUARANTINE] = { "quarantine", 0 },
	[META_DB_CALLBACKS] = { "callbacks", 0 },
	[META_DB_WEBHOOKS] = { "webhooks", 0 },
	[META_DB_ATTEMPTS] = { "attempts", 0 },
	[META_DB_REPORTS] = { "reports", 0 },
	[META_DB_REPORT_INDEX] = { "report_index", 0 },
	[META_DB_SCHEDULES] = { "schedules", 0 },
	[META_DB_SCHEDULE_INDEX] = { "schedule_index", 0 },
	[META_DB_DESTINATIONS] = { "destinations", 0 },
	[META_DB_USAGE] = { "usage", 0 },
	[META_DB_ERASED] = { "erased", 0 },
	[META_DB_ACCOUNT_KEYS] = { "account_keys", 0 },
	[META_DB_OPERATORS] = { "operators", 0 },
	[META_DB_FEEDS] = { "feeds", 0 },
	[META_DB_API_KEYS] = { "api_keys", 0 },
	[META_DB_DAYS] = { "days", 0 },
	{ NULL, 0 },
};
