/* SPDX-License-Identifier: ISC */
/*
 * volume.c: how many records an account has queried this month, in the catalog environment.
 *
 *	usage   account id -> msgpack [1, month, records, ...]      month: since January 1970; the current one first
 *
 * Written with the usage records that it counts, in the same commit. Days and catalog are separate environments, so a
 * crash between their commits can leave it one commit short; then a tier begins that much later.
 */
#include "billing/billing_private.h"

#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "meta/rows.h"
#include "lmdb/value.h"

#define ROW_VERSION 1

int32_t volume_month(int64_t time_us)
{
	time_t seconds = (time_t)(time_us / CLOCK_US_PER_SECOND);
	struct tm utc;

	gmtime_r(&seconds, &utc);
	return (utc.tm_year - 70) * 12 + utc.tm_mon;
}

static enum meta_next take_row(void *arg, struct str key, struct str value, struct error *err)
{
	struct tenant *tenant = arg;
	struct value_reader r;

	(void)key;
	value_open(&r, value, ROW_VERSION);
	for (size_t i = 0; i < VOLUME_MONTHS && (i == 0 || r.left > 0); i++) { /* older ones have one month */
		tenant->volumes[i].month = (int32_t)value_int(&r, 0, INT32_MAX);
		tenant->volumes[i].records = (uint64_t)value_int(&r, 0, INT64_MAX);
	}
	if (value_close(&r))
		return META_STOP;
	memset(tenant->volumes, 0, sizeof(tenant->volumes));
	error_set(err, value_error(&r), "volume of account %s: its stored value cannot be read", tenant->entry.id);
	return META_FAILED;
}

int volume_load(struct meta *meta, struct tenant *tenant, struct error *err)
{
	int found = meta_find(meta, META_DB_USAGE, str_from(tenant->entry.id), take_row, tenant, err);

	return found < 0 ? -1 : 0;
}

static int volume_put(struct billing *billing, const struct tenant *tenant, struct error *err)
{
	struct buf *row = &billing->scratch;
	struct value_writer w;

	buf_clear(row);
	value_begin(&w, row, ROW_VERSION, 2 * VOLUME_MONTHS);
	for (size_t i = 0; i < VOLUME_MONTHS; i++) {
		value_put_int(&w, tenant->volumes[i].month);
		value_put_int(&w, (int64_t)tenant->volumes[i].records);
	}
	if (row->failed)
		return error_set(err, ERROR_NOMEM, "volume of account %s: out of memory", tenant->entry.id);
	return meta_put(billing->meta, META_DB_USAGE, str_from(tenant->entry.id), buf_str(row), err);
}

int volumes_put(struct billing *billing, struct error *err)
{
	struct tenant *tenant;

	TAILQ_FOREACH(tenant, &billing->dirty, dirty) {
		if (volume_put(billing, tenant, err) != 0)
			return -1;
	}
	return 0;
}
