/* SPDX-License-Identifier: ISC */
/*
 * cluster_aggregate.c: counts and sums that the servers of a cluster make (GROUP BY), of each shard apart.
 *
 * A part asks its shard for one span of time after the other, which grows and shrinks with the time that a query takes.
 * FINAL leaves the newest row of each key, before conditions are looked at. What makes a group is texts that the table
 * has (f_X), and the interval of the zone: servers get a table of which quarter of an hour, or whatever all intervals of
 * the span begin at, belongs to which interval, so that only the daemon's knowledge of zones counts.
 *
 * Sums are of Decimal(38, 12), which has the bits of struct decimal, and wraps. So servers also tell the greatest and
 * least number of a sum: where as many of that might not fit, nothing is taken, and a shorter span is asked for.
 *
 * A count in a hurry asks for all the rest of the range at once, and without FINAL: rows of versions that are not merged yet count
 * apart.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "store/cluster/cluster_sql.h"
#include "store/engine.h"

#define SPAN_US CLOCK_US_PER_DAY /* the first one */
#define SPAN_US_MAX (31 * CLOCK_US_PER_DAY)
#define SPAN_US_MIN (CLOCK_US_PER_SECOND)
#define SHORT_US (CLOCK_US_PER_SECOND / 3) /* of a query: spans become longer */
#define LONG_US (2 * CLOCK_US_PER_SECOND)  /* and shorter */
#define UNITS_MAX 4096                     /* of an interval table */
#define FAILURES_MAX 3                     /* in a row, each after all of its patience */
#define VALUES_MAX CATALOG_COLUMNS_MAX

struct interval {
	int64_t from_us;  /* in the span of the query */
	int64_t start_us; /* where it begins, which may be before the span */
};

struct part {
	struct cluster_aggregate *aggregate;
	size_t shard;
	struct buf accounts; /* numbers, with commas between */
	int64_t from_us, to_us, span_us;
	int64_t unit_us;      /* what the intervals' beginnings are multiples of */
	struct buf intervals; /* struct interval each, of the query under way */
	struct clickhouse_query *query;
	bool is_rough; /* the query under way, or its answer */
	bool hurries;  /* since it was told to, nothing has come yet */
	int64_t asked_us;
	unsigned failures;
	struct buf answer;
	bool has_answer;
	size_t at; /* in the answer */
};

struct cluster_aggregate {
	struct aggregate base;
	struct cluster *cluster;
	uint8_t amounts[SCHEMA_AMOUNTS_MAX];
	size_t amounts_count;
	struct part *parts;
	size_t parts_count;
	bool hurries;
	bool waits;
	struct error failure;
};

static bool has_money(const struct aggregate *base)
{
	return base->groups.paid != CATALOG_NONE;
}

/* --- intervals --- */

static int64_t common_divisor(int64_t a, int64_t b)
{
	while (b != 0) {
		int64_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

/* Lists the intervals from from_us on, until to_us, which comes nearer where there would be too many units. */
static int list_intervals(struct part *part, struct error *err)
{
	const struct aggregate_query *query = &part->aggregate->base.query;
	int64_t until_us;

	buf_clear(&part->intervals);
	part->unit_us = CLOCK_US_PER_DAY;
	for (int64_t at_us = part->from_us; at_us < part->to_us; at_us = until_us) {
		int64_t unit_us = at_us > part->from_us ? common_divisor(part->unit_us, at_us) : part->unit_us;
		int64_t end_us = part->from_us + UNITS_MAX * unit_us;

		if (at_us >= end_us) {
			part->to_us = at_us;
			break;
		}
		const struct interval interval = {
			.from_us = at_us,
			.start_us = zone_interval_start_us(query->zone, query->interval, at_us, &until_us),
		};

		buf_add(&part->intervals, &interval, sizeof(interval));
		part->unit_us = unit_us;
		if (part->to_us > end_us && until_us > end_us)
			part->to_us = end_us;
	}
	return part->intervals.failed ? error_set(err, ERROR_NOMEM, "Out of memory for an aggregate") : 0;
}

static const struct interval *interval_at(const struct part *part, size_t place)
{
	return (const struct interval *)(const void *)part->intervals.data + place;
}

static size_t intervals_count(const struct part *part)
{
	return part->intervals.len / sizeof(struct interval);
}

/* The place in `intervals` of the one that a row's time is in. */
static void write_interval(struct buf *sql, const struct part *part)
{
	int64_t first = part->from_us / part->unit_us, last = (part->to_us - 1) / part->unit_us;
	struct buf places = { 0 };
	size_t place = 0;

	buf_addf(sql, "toUInt32(transform(intDiv(time, %lld), [", (long long)part->unit_us);
	for (int64_t unit = first; unit <= last; unit++) {
		while (place + 1 < intervals_count(part) &&
		       interval_at(part, place + 1)->from_us <= unit * part->unit_us)
			place++;
		buf_addf(sql, "%s%lld", unit > first ? "," : "", (long long)unit);
		buf_addf(&places, "%s%zu", unit > first ? "," : "", place);
	}
	buf_addf(sql, "], [%.*s], 4294967295)) AS interval_place,", STR_ARGS(buf_str(&places)));
	sql->failed |= places.failed;
	buf_free(&places);
}

/* --- the query --- */

static void write_keys(struct buf *sql, const struct part *part, bool with_interval)
{
	const struct aggregate *base = &part->aggregate->base;
	const struct catalog_product *product = base->query.scan.product;

	if (base->query.interval != ZONE_WHOLE) {
		if (with_interval)
			write_interval(sql, part);
		else
			buf_add_text(sql, "interval_place,");
	}
	for (size_t i = 0; i < base->query.group_by_count; i++) {
		cluster_write_value_column(sql, product, base->query.group_by[i]);
		buf_add_char(sql, ',');
	}
	if (has_money(base) && base->groups.currency != CATALOG_NONE) {
		cluster_write_value_column(sql, product, base->groups.currency);
		buf_add_char(sql, ',');
	}
}

static void write_range(struct buf *sql, const struct part *part)
{
	const struct scan_query *query = &part->aggregate->base.query.scan;
	unsigned long long snapshot = query->snapshot;

	sql->failed |= part->accounts.failed;
	buf_addf(sql, " WHERE account IN (%.*s) AND direction ", STR_ARGS(buf_str(&part->accounts)));
	if (aggregate_takes_all(&part->aggregate->base))
		buf_add_text(sql, "IN (0, 1, 2)");
	else
		buf_addf(sql, "= %d", (int)query->direction);
	buf_addf(sql, " AND day >= toDate(%d) AND day <= toDate(%d) AND time >= %lld AND time < %lld",
	         clock_day_of(part->from_us), clock_day_of(part->to_us - 1), (long long)part->from_us,
	         (long long)part->to_us);
	if (part->is_rough)
		buf_add_text(sql, " AND dead = 0 AND ");
	else
		buf_addf(
			sql,
			" AND (first <= %llu AND (dead = 0 OR version > %llu) OR first > %llu AND arrayCount(number -> "
			"number <= %llu, past) %% 2 = 1) AND ",
			snapshot, snapshot, snapshot, snapshot);
	cluster_write_filters(sql, query);
}

/* As many rows as an answer may have: one more than a group's amounts are allowed to be. */
static size_t rows_max(const struct part *part)
{
	return 2 * part->aggregate->base.query.groups_max + 1;
}

static void write_query(struct buf *sql, const struct part *part)
{
	const struct cluster_aggregate *aggregate = part->aggregate;
	const struct aggregate *base = &aggregate->base;
	const struct catalog_product *product = base->query.scan.product;
	struct buf keys = { 0 };

	buf_add_text(sql, "SELECT ");
	if (!aggregate_counts_only(base))
		write_keys(sql, part, true);
	buf_add_text(sql, "count()");
	if (!aggregate_counts_only(base))
		buf_add_text(sql, ", sum(unreadable), sum(unpriced)");
	for (size_t i = 0; i < aggregate->amounts_count && !aggregate_counts_only(base); i++) {
		struct str name = product->columns[aggregate->amounts[i]].name;

		buf_addf(sql, ", sum(n_%.*s), max(n_%.*s), min(n_%.*s)", STR_ARGS(name), STR_ARGS(name),
		         STR_ARGS(name));
	}
	buf_add_text(sql, " FROM ");
	cluster_write_table(sql, aggregate->cluster, product);
	buf_add_text(sql, part->is_rough ? "" : " FINAL");
	write_range(sql, part);
	if (!aggregate_counts_only(base))
		write_keys(&keys, part, false);
	sql->failed |= keys.failed;
	if (keys.len > 0)
		buf_addf(sql, " GROUP BY %.*s LIMIT %zu", (int)keys.len - 1, keys.data, rows_max(part));
	/* Conditions are looked at after FINAL alone if none is moved before it, which servers before 21.8 do by
	 * themselves, and later ones where a user's settings say so. */
	buf_add_text(sql, " SETTINGS optimize_move_to_prewhere = 0 FORMAT RowBinary");
	buf_free(&keys);
}

static void on_answer(void *arg, struct buf *answer, const struct error *err);

static int ask(struct part *part, struct error *err)
{
	struct cluster *cluster = part->aggregate->cluster;
	const struct aggregate_query *query = &part->aggregate->base.query;
	struct buf sql = { 0 };

	part->to_us =
		part->span_us < query->scan.to_us - part->from_us ? part->from_us + part->span_us : query->scan.to_us;
	part->is_rough = part->aggregate->hurries;
	if (query->interval != ZONE_WHOLE && list_intervals(part, err) != 0)
		return -1;
	write_query(&sql, part);
	const struct clickhouse_request request = { .shard = part->shard,
		                                    .sql = buf_str(&sql),
		                                    .settings = cluster_read_settings(cluster),
		                                    .patience_us = cluster->patience_us,
		                                    .ended = on_answer,
		                                    .arg = part };

	part->query = clickhouse_start(cluster->clickhouse, &request, err);
	part->asked_us = clock_monotonic_us();
	buf_free(&sql);
	return part->query ? 0 : -1;
}

static void on_answer(void *arg, struct buf *answer, const struct error *err)
{
	struct part *part = arg;
	struct cluster_aggregate *aggregate = part->aggregate;
	int64_t took_us = clock_monotonic_us() - part->asked_us;

	part->query = NULL;
	if (err && err->code == ERROR_UNAVAILABLE && part->failures++ < FAILURES_MAX && part->span_us > SPAN_US_MIN) {
		part->span_us /= 4; /* it may have been too much for the time of one attempt */
	} else if (err) {
		aggregate->failure = *err;
	} else {
		part->failures = 0;
		buf_move(&part->answer, answer);
		part->has_answer = true;
		part->at = 0;
		if (took_us < SHORT_US && part->span_us < SPAN_US_MAX)
			part->span_us *= 2;
		else if (took_us > LONG_US && part->span_us > SPAN_US_MIN)
			part->span_us /= 2;
	}
	if (!aggregate->waits)
		return;
	aggregate->waits = false;
	if (aggregate->base.query.on_ready)
		aggregate->base.query.on_ready(aggregate->base.query.arg); /* it may be gone after this */
}

/* --- the answer --- */

struct row {
	int64_t start_us;
	struct str values[VALUES_MAX];
	uint64_t hashes[VALUES_MAX];
	struct aggregate_batch batch;
	bool is_unsafe; /* a sum may have wrapped */
};

static bool take_decimal(struct str *text, struct decimal *value)
{
	uint64_t low, high;

	if (!cluster_take_number(text, 8, &low) || !cluster_take_number(text, 8, &high))
		return false;
	value->units = (decimal_units)(int64_t)high * ((decimal_units)1 << 64) + (decimal_units)low;
	return true;
}

/* May so many numbers between these have a sum that does not fit? */
static bool may_wrap(uint64_t count, struct decimal most, struct decimal least)
{
	decimal_units product;

	return __builtin_mul_overflow(most.units, (decimal_units)count, &product) ||
	       __builtin_mul_overflow(least.units, (decimal_units)count, &product);
}

static struct decimal *amount_of(const struct cluster_aggregate *aggregate, struct aggregate_batch *batch, size_t index)
{
	uint8_t column = aggregate->amounts[index];

	return column == aggregate->base.groups.duration    ? &batch->duration :
	       column == aggregate->base.groups.total_price ? &batch->total_price :
	                                                      &batch->price;
}

static bool take_keys(const struct part *part, struct str *text, struct row *row)
{
	const struct aggregate *base = &part->aggregate->base;
	uint64_t place;

	row->start_us = INT64_MIN;
	if (base->query.interval != ZONE_WHOLE) {
		if (!cluster_take_number(text, 4, &place) || place >= intervals_count(part))
			return false;
		row->start_us = interval_at(part, place)->start_us;
	}
	for (size_t i = 0; i < base->query.group_by_count; i++) {
		if (!cluster_take_text(text, &row->values[i]))
			return false;
		row->hashes[i] = aggregate_value_hash(row->values[i]);
	}
	return !has_money(base) || base->groups.currency == CATALOG_NONE ||
	       cluster_take_text(text, &row->batch.currency);
}

static bool take_row(const struct part *part, struct str *text, struct row *row)
{
	const struct cluster_aggregate *aggregate = part->aggregate;
	struct aggregate_batch *batch = &row->batch;

	*batch = (struct aggregate_batch){ .values = row->values, .hashes = row->hashes, .currency = { "", 0 } };
	row->is_unsafe = false;
	if (aggregate_counts_only(&aggregate->base))
		return cluster_take_number(text, 8, &batch->count);
	if (!take_keys(part, text, row) || !cluster_take_number(text, 8, &batch->count) ||
	    !cluster_take_number(text, 8, &batch->unreadable) || !cluster_take_number(text, 8, &batch->unpriced))
		return false;
	for (size_t i = 0; i < aggregate->amounts_count; i++) {
		struct decimal most, least;

		if (!take_decimal(text, amount_of(aggregate, batch, i)) || !take_decimal(text, &most) ||
		    !take_decimal(text, &least))
			return false;
		row->is_unsafe |= may_wrap(batch->count, most, least);
	}
	return true;
}

/* Looks at the whole answer before any of it is taken. False where a shorter span must be asked for. */
static int check_answer(struct part *part, bool *is_fine, struct error *err)
{
	const struct aggregate *base = &part->aggregate->base;
	struct str text = buf_str(&part->answer);
	size_t rows = 0;
	struct row row;

	*is_fine = true;
	for (; text.len > 0; rows++) {
		if (!take_row(part, &text, &row))
			return error_set(err, ERROR_CORRUPT, "ClickHouse: sums cannot be read");
		*is_fine &= !row.is_unsafe;
	}
	if (!aggregate_counts_only(base) && rows >= rows_max(part))
		return error_set(err, ERROR_NOT_FOUND, "More than %zu groups", base->query.groups_max);
	if (*is_fine)
		return 0;
	if (part->to_us - part->from_us <= SPAN_US_MIN)
		return error_set(err, ERROR_LIMIT, "A sum is too large");
	part->span_us = (part->to_us - part->from_us) / 2;
	return 0;
}

/* Takes what was answered: 1; 0 when the deadline came first; -1. */
static int take_answer(struct part *part, int64_t deadline_us, struct error *err)
{
	struct aggregate *base = &part->aggregate->base;
	bool is_fine = true;

	if (part->at == 0 && check_answer(part, &is_fine, err) != 0)
		return -1;
	while (is_fine && part->at < part->answer.len) {
		struct str text = { part->answer.data + part->at, part->answer.len - part->at };
		struct row row;

		if (!take_row(part, &text, &row))
			return error_set(err, ERROR_CORRUPT, "ClickHouse: sums cannot be read");
		if (part->is_rough) {
			base->rough += row.batch.count;
		} else {
			base->rows += row.batch.count;
			base->seen += row.batch.count;
		}
		if (row.batch.count > 0 && !aggregate_counts_only(base) &&
		    aggregate_add_batch(&base->groups, row.start_us, &row.batch, err) != 0)
			return -1;
		part->at = part->answer.len - text.len;
		if (part->at < part->answer.len && clock_monotonic_us() >= deadline_us)
			return 0;
	}
	if (is_fine)
		part->from_us = part->to_us;
	if (part->is_rough)
		part->hurries = false;
	part->has_answer = false;
	buf_free(&part->answer);
	return 1;
}

/* --- its life --- */

static void stop(struct part *part)
{
	clickhouse_cancel(part->query);
	part->query = NULL;
}

/* Servers drop days one after the other, and some may have been counted here: all of them again, without these. */
static void begin_again(struct cluster_aggregate *aggregate)
{
	struct aggregate *base = &aggregate->base;

	aggregate_groups_clear(&base->groups);
	base->rows = base->seen = base->rough = 0;
	aggregate->failure.code = ERROR_NONE;
	for (struct part *part = aggregate->parts; part < aggregate->parts + aggregate->parts_count; part++) {
		stop(part);
		buf_free(&part->answer);
		part->has_answer = false;
		part->at = 0;
		part->failures = 0;
		part->from_us = base->query.scan.from_us;
		part->span_us = aggregate->hurries ? base->query.scan.to_us - part->from_us : SPAN_US;
		part->hurries = aggregate->hurries;
	}
}

static bool is_over(const struct part *part)
{
	return part->from_us >= part->aggregate->base.query.scan.to_us;
}

static int step(struct aggregate *base, int64_t deadline_us, enum scan_end *end, struct error *err)
{
	struct cluster_aggregate *aggregate = (struct cluster_aggregate *)base;

	if (!aggregate->cluster->is_ready)
		return cluster_refuse(aggregate->cluster, err);
	if (store_leave_out_removed(base->store, &base->query.scan))
		begin_again(aggregate);
	if (aggregate->failure.code != ERROR_NONE) {
		*err = aggregate->failure;
		return -1;
	}
	*end = SCAN_DONE;
	for (struct part *part = aggregate->parts; part < aggregate->parts + aggregate->parts_count; part++) {
		int taken = part->has_answer ? take_answer(part, deadline_us, err) : 1;

		if (taken < 0 || (taken > 0 && !part->query && !is_over(part) && ask(part, err) != 0))
			return -1;
		if (taken == 0)
			*end = SCAN_PAUSED;
		else if (part->query && *end == SCAN_DONE)
			*end = SCAN_WAITS;
	}
	aggregate->waits = *end == SCAN_WAITS;
	return 0;
}

/* Each shard has as much of the range to do as any other. 0 as long as one of them has not been heard of in a hurry. */
static double share(const struct aggregate *base)
{
	const struct cluster_aggregate *aggregate = (const struct cluster_aggregate *)base;
	const struct scan_query *query = &base->query.scan;
	double sum = 0;

	if (aggregate->parts_count == 0 || query->to_us <= query->from_us)
		return 1;
	for (size_t i = 0; i < aggregate->parts_count; i++) {
		if (aggregate->parts[i].hurries)
			return 0;
		sum += (double)(aggregate->parts[i].from_us - query->from_us) / (double)(query->to_us - query->from_us);
	}
	return sum / (double)aggregate->parts_count;
}

static void hurry(struct aggregate *base)
{
	struct cluster_aggregate *aggregate = (struct cluster_aggregate *)base;

	if (aggregate->hurries || !aggregate_counts_only(base))
		return;
	aggregate->hurries = true;
	for (struct part *part = aggregate->parts; part < aggregate->parts + aggregate->parts_count; part++) {
		stop(part);
		part->span_us = base->query.scan.to_us - part->from_us;
		part->hurries = !is_over(part);
	}
}

static void cancel(struct aggregate *base)
{
	struct cluster_aggregate *aggregate = (struct cluster_aggregate *)base;

	for (size_t i = 0; i < aggregate->parts_count; i++) {
		struct part *part = &aggregate->parts[i];

		clickhouse_cancel(part->query);
		buf_free(&part->accounts);
		buf_free(&part->intervals);
		buf_free(&part->answer);
	}
	free(aggregate->parts);
	aggregate_end(base);
	free(aggregate);
}

/* Do the tables have what it is grouped by and all of its filters? */
static bool can_be_asked(const struct aggregate_query *query)
{
	uint64_t columns = schema_value_columns(query->scan.product);

	for (size_t i = 0; i < query->group_by_count; i++)
		if (!(columns >> query->group_by[i] & 1))
			return false;
	return cluster_decides(&query->scan);
}

struct aggregate *cluster_aggregate(struct store *store, const struct aggregate_query *query, struct error *err)
{
	static const struct aggregate_ops ops = { step, hurry, share, cancel };
	struct cluster_aggregate *aggregate;
	size_t shards = clickhouse_shards(store->cluster->clickhouse);

	if (!can_be_asked(query))
		return aggregate_start_scanned(store, query, err);
	aggregate = calloc(1, sizeof(*aggregate));
	if (aggregate)
		aggregate->parts = calloc(shards, sizeof(*aggregate->parts));
	if (!aggregate || !aggregate->parts) {
		free(aggregate);
		error_set(err, ERROR_NOMEM, "Out of memory for an aggregate");
		return NULL;
	}
	aggregate_init(&aggregate->base, &ops, store, query);
	aggregate->cluster = store->cluster;
	cluster_limit_days(&aggregate->base.query.scan);
	aggregate->amounts_count = schema_amounts(query->scan.product, aggregate->amounts);
	for (size_t shard = 0; shard < shards; shard++) {
		struct part *part = &aggregate->parts[aggregate->parts_count];

		*part = (struct part){
			.aggregate = aggregate, .shard = shard, .from_us = query->scan.from_us, .span_us = SPAN_US
		};
		cluster_write_accounts(&part->accounts, store->cluster, &query->scan, shard);
		aggregate->parts_count += part->accounts.len > 0 || part->accounts.failed;
	}
	return &aggregate->base;
}
