/* SPDX-License-Identifier: ISC */
/*
 * check.c: the rules that a record must keep to be stored. See check.h.
 *
 * Faults are listed in the order in which a person would mend them: product, account, id, direction, time, and then the
 * values of the other columns.
 */
#include "ingest/check.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"
#include "meta/accounts.h"
#include "store/erased.h"
#include "store/versions.h"

#define VALUE_TEXT_MAX 40                       /* the longest form of a value that is rewritten, and some room */
#define ZONE_MARGIN_US (366 * CLOCK_US_PER_DAY) /* how far beyond retention times other than the record's may lie */

int check_init(struct check *check, const struct config *config, struct meta *meta, struct store *store,
               struct error *err)
{
	*check = (struct check){ .config = config, .meta = meta, .store = store };
	/* All values of a record at once: the buffer must not move while they point into it. */
	if (!buf_reserve(&check->values, (size_t)CATALOG_COLUMNS_MAX * VALUE_TEXT_MAX))
		return error_set(err, ERROR_NOMEM, "ingest: out of memory");
	return 0;
}

void check_free(struct check *check)
{
	buf_free(&check->values);
	zones_free(&check->zones);
}

int check_set_batch(struct check *check, const struct ingest_settings *settings, int64_t earliest_us, int64_t latest_us,
                    struct error *err)
{
	check->oldest_us = clock_months_before(earliest_us, (int)check->config->retention_months);
	if (check->oldest_us < store_kept_from_us(check->store)) /* the rest of that day is being removed */
		check->oldest_us = store_kept_from_us(check->store);
	check->newest_us = latest_us + check->config->future_max;
	check->merge = strcmp(settings->mode, "merge") == 0;
	check->version = settings->version;
	check->account_id = settings->account_id;
	check->zone = NULL;
	if (!settings->time_zone[0])
		return 0;
	check->zone = zones_get(&check->zones, settings->time_zone, check->oldest_us - ZONE_MARGIN_US,
	                        check->newest_us + ZONE_MARGIN_US, err);
	return check->zone ? 0 : -1;
}

/* --- faults --- */

const char *check_reason(struct check *check, const char *format, ...)
{
	static const char too_many[] = "";
	va_list args;

	if (check->faults_count == CHECK_FAULTS_MAX)
		return too_many;
	char *reason = check->reasons[check->faults_count];
	va_start(args, format);
	vsnprintf(reason, CHECK_REASON_MAX, format, args);
	va_end(args);
	return reason;
}

/* The catalog's names are C strings, being literals of its table. */
static void add_fault(struct check *check, const char *field, const char *reason)
{
	if (check->faults_count < CHECK_FAULTS_MAX)
		check->faults[check->faults_count++] = (struct parse_fault){ field, reason };
}

static void add_column_fault(struct check *check, const struct record *record, uint8_t column, const char *reason)
{
	if (reason)
		add_fault(check, record->product->columns[column].name.p, reason);
}

/* --- the rules: NULL, or why the value of the rule's column is refused --- */

static const char *missing(struct str value)
{
	return value.len == 0 ? "Missing required field" : NULL;
}

static const char *check_account(struct check *check, struct record *record, struct str *value)
{
	bool has_other = check->mapped && check->account_id[0];
	struct account_key key;

	if (missing(*value) && !has_other)
		return missing(*value);
	int found = missing(*value) ? 0 : accounts_look_up(check->meta, *value, &key, &check->failure);
	if (found == 0 && has_other) {
		*value = str_from(check->account_id);
		found = accounts_look_up(check->meta, *value, &key, &check->failure);
	}
	check->failed |= found < 0;
	if (found > 0)
		record_set_account_key(record, &key);
	if (found != 0) /* a failed look-up is no fault of the record: check_item_failed */
		return NULL;
	return check_reason(check, "Unknown account \"%.*s\"", CHECK_SHOWN(*value));
}

static const char *check_id(struct check *check, struct record *record, struct str *value)
{
	const struct catalog_product *product = record->product;

	if (!missing(*value) || product->id_from_column == CATALOG_NONE)
		return missing(*value);
	return check_reason(check, "Missing required field, for which %.*s would do as well",
	                    STR_ARGS(product->columns[product->id_from_column].name));
}

static const char *check_direction(struct check *check, struct record *record, struct str *value)
{
	static const struct str words[] = {
		[CATALOG_OUTBOUND] = { "outbound", 8 },
		[CATALOG_INBOUND] = { "inbound", 7 },
	};
	enum catalog_direction direction = catalog_direction_parse(*value);

	if (missing(*value))
		return record->product->partition_direction && !check->merge && !check->updates ?
		               "Missing required field; must be inbound or outbound" :
		               NULL;
	if (direction == CATALOG_NO_DIRECTION)
		return check_reason(check, "\"%.*s\": must be inbound or outbound", CHECK_SHOWN(*value));
	*value = words[direction];
	return NULL;
}

/* In the order in which faults are listed. */
static const struct rule {
	size_t column; /* offset of the column's place in struct catalog_product */
	const char *(*check)(struct check *check, struct record *record, struct str *value);
} rules[] = {
	{ offsetof(struct catalog_product, account_column), check_account },
	{ offsetof(struct catalog_product, id_column), check_id },
	{ offsetof(struct catalog_product, direction_column), check_direction },
};

static void check_rules(struct check *check, struct record *record, uint64_t skip)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		uint8_t column = *((const uint8_t *)record->product + rules[i].column);

		if (column != CATALOG_NONE && !(skip >> column & 1))
			add_column_fault(check, record, column, rules[i].check(check, record, &record->values[column]));
	}
}

/* --- times --- */

static const char *outside_retention(struct check *check, int64_t time_us)
{
	bool late = time_us > check->newest_us;
	struct buf text = { 0 };

	buf_add_text(&text, "time outside retention: ");
	clock_format_record(&text, time_us);
	buf_add_text(&text, late ? " is after " : " is before ");
	clock_format_record(&text, late ? check->newest_us : check->oldest_us);
	if (late)
		buf_add_text(&text, " (future_max)");
	else
		buf_addf(&text, " (retention_months %lld)", (long long)check->config->retention_months);
	const char *whole = buf_cstr(&text);
	const char *told = whole ? check_reason(check, "%s", whole) : "time outside retention";
	buf_free(&text);
	return told;
}

static void check_main_time(struct check *check, struct record *record, int64_t *time_us)
{
	uint8_t column = record->product->time_column;
	struct str *value = &record->values[column];
	const char *reason = missing(*value);

	if (!reason)
		reason = check_time(check, value, time_us);
	if (!reason && (*time_us < check->oldest_us || *time_us > check->newest_us))
		reason = outside_retention(check, *time_us);
	add_column_fault(check, record, column, reason);
}

static void check_times(struct check *check, struct record *record, uint64_t skip, int64_t *time_us)
{
	const struct catalog_product *product = record->product;
	uint64_t main = UINT64_C(1) << product->time_column;
	int64_t other_us;

	if (!(skip & main))
		check_main_time(check, record, time_us);
	for (uint64_t left = product->time_columns & ~skip & ~main; left; left &= left - 1) {
		uint8_t column = (uint8_t)__builtin_ctzll(left);

		if (record->values[column].len > 0)
			add_column_fault(check, record, column, check_time(check, &record->values[column], &other_us));
	}
}

/* --- other values --- */

static void check_kind(struct check *check, struct record *record, uint64_t columns,
                       const char *(*check_value)(struct check *check, struct str *value))
{
	for (; columns; columns &= columns - 1) {
		uint8_t column = (uint8_t)__builtin_ctzll(columns);

		add_column_fault(check, record, column, check_value(check, &record->values[column]));
	}
}

/* A value that cannot be compared would silently let an older version win. */
static void check_version(struct check *check, struct record *record, uint64_t skip)
{
	uint8_t column = catalog_column_find(record->product, str_from(check->version));

	if (column == CATALOG_NONE || skip >> column & 1)
		return;
	struct str *value = &record->values[column], sent = *value;
	if (sent.len == 0 || versions_can_compare(sent) || !check_decimal(check, value))
		return;
	add_column_fault(check, record, column,
	                 check_reason(check, "\"%.*s\": must be a number or a time, as it tells which version is newer",
	                              CHECK_SHOWN(sent)));
}

static void count_unknown(struct check *check, const struct record *record)
{
	const struct catalog_product *product = record->product;

	for (size_t i = product->listed_first; i < (size_t)product->listed_first + product->listed_count; i++) {
		const struct catalog_filter *filter = catalog_listed[i].filter;
		struct str value = record->values[filter->column];

		check->unknown_values[i] += value.len > 0 && !catalog_filter_knows(filter, value);
	}
}

/* A missing id is made from the record's other columns. */
static void complete_id(struct record *record, uint64_t skip)
{
	const struct catalog_product *product = record->product;
	struct str *id = &record->values[product->id_column];

	if (id->len == 0 && product->id_from_column != CATALOG_NONE && !(skip >> product->id_column & 1))
		*id = record->values[product->id_from_column];
}

static void check_all(struct check *check, struct record *record, uint64_t skip, int64_t *time_us)
{
	const struct catalog_product *product = record->product;

	if (product->own) {
		add_fault(check, "product",
		          check_reason(check, "%.*s records are written by the daemon alone", STR_ARGS(product->name)));
		return;
	}
	complete_id(record, skip);
	check_rules(check, record, skip);
	check_times(check, record, skip, time_us);
	check_kind(check, record, product->decimal_columns & ~skip, check_decimal);
	check_kind(check, record, product->currency_columns & ~skip, check_currency);
	if (check->version[0])
		check_version(check, record, skip | product->time_columns | product->decimal_columns);
}

void check_refuse_update(struct check *check, const struct record *record)
{
	add_column_fault(check, record, record->product->id_column,
	                 "No record with this id is stored in the days around it, which this one could update");
}

void check_refuse_direction(struct check *check, const struct record *record)
{
	add_column_fault(check, record, record->product->direction_column,
	                 "Missing required field; no record is stored that this one could be merged into");
}

bool check_item(struct check *check, const struct parse_item *item, struct record *record, int64_t *time_us)
{
	buf_clear(&check->values);
	check->failed = false;
	check->updates = item->updates;
	check->mapped = item->format == PARSE_MAPPED;
	check->faults_count = item->faults_count;
	if (item->faults_count > 0)
		memcpy(check->faults, item->faults, item->faults_count * sizeof(check->faults[0]));
	if (item->record) {
		record->product = item->record->product;
		memcpy(record->values, item->record->values,
		       record->product->columns_count * sizeof(record->values[0]));
		check_all(check, record, item->columns_at_fault, time_us);
	}
	if (check->faults_count > 0 || check->failed)
		return false;
	count_unknown(check, record);
	check->erased += erased_clean(check->store, record, *time_us);
	return true;
}
