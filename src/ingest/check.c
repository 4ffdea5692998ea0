/*
 * check.c: the rules that a record must keep to be stored. See check.h.
 *
 * Reasons show at most SHOWN_MAX bytes of what was sent, so that a long value does not crowd out the limit.
 */
#include "ingest/check.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"
#include "store/accounts.h"
#include "store/erased.h"

#define SHOWN_MAX 64
#define TIME_TEXT_MAX 40 /* 2025-04-01T23:55:06.123456+00:00 and some room */

/* Printf arguments for "%.*s" of a value that may be long. */
#define SHOWN(value) (int)((value).len < SHOWN_MAX ? (value).len : SHOWN_MAX), ((value).p ? (value).p : "")

int check_init(struct check *check, const struct config *config, struct store *store, struct error *err)
{
	*check = (struct check){ .config = config, .store = store };
	/* All times of a record at once: the buffer must not move while values point into it. */
	if (!buf_reserve(&check->times, (size_t)CATALOG_COLUMNS_MAX * TIME_TEXT_MAX))
		return error_set(err, ERROR_NOMEM, "ingest: out of memory");
	return 0;
}

void check_free(struct check *check)
{
	buf_free(&check->times);
}

void check_set_now(struct check *check, int64_t now_us)
{
	check_set_span(check, now_us, now_us);
}

void check_set_span(struct check *check, int64_t earliest_us, int64_t latest_us)
{
	check->oldest_us = clock_months_before(earliest_us, (int)check->config->retention_months);
	check->newest_us = latest_us + check->config->future_max;
}

__attribute__((format(printf, 2, 3))) static const char *reason(struct check *check, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(check->reason, sizeof(check->reason), format, args);
	va_end(args);
	return check->reason;
}

/* --- the rules: NULL, or the reason against the value of the rule's column --- */

static const char *missing(struct str value)
{
	return value.len == 0 ? "Missing required field" : NULL;
}

static const char *check_product(struct check *check, const struct record *record, struct str value)
{
	(void)value;
	if (!record->product->own)
		return NULL;
	return reason(check, "%.*s records are written by the daemon alone", STR_ARGS(record->product->name));
}

static const char *check_account(struct check *check, const struct record *record, struct str value)
{
	(void)record;
	if (missing(value))
		return missing(value);
	if (accounts_exists(check->store, value))
		return NULL;
	return reason(check, "Unknown account \"%.*s\"", SHOWN(value));
}

static const char *check_id(struct check *check, const struct record *record, struct str value)
{
	(void)check;
	(void)record;
	return missing(value);
}

static const char *check_direction(struct check *check, const struct record *record, struct str value)
{
	if (!record->product->partition_direction || catalog_direction_parse(value) != CATALOG_NO_DIRECTION)
		return NULL;
	if (missing(value))
		return "Missing required field; must be inbound or outbound";
	return reason(check, "\"%.*s\": must be inbound or outbound", SHOWN(value));
}

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
	const char *told = whole ? reason(check, "%s", whole) : "time outside retention";
	buf_free(&text);
	return told;
}

static const char *check_time(struct check *check, const struct record *record, struct str value)
{
	int64_t time_us;
	(void)record;
	if (missing(value))
		return missing(value);
	if (!clock_parse_iso8601(value, &time_us))
		return reason(check, "\"%.*s\": must be a time such as 2026-11-24T14:20:11Z", SHOWN(value));
	if (time_us < check->oldest_us || time_us > check->newest_us)
		return outside_retention(check, time_us);
	return NULL;
}

#define NO_COLUMN SIZE_MAX

/* In the order in which faults are reported: what a person would mend first. */
static const struct rule {
	size_t column; /* offset of the column's place in struct catalog_product, or NO_COLUMN */
	const char *(*check)(struct check *check, const struct record *record, struct str value);
} rules[] = {
	{ NO_COLUMN, check_product },
	{ offsetof(struct catalog_product, account_column), check_account },
	{ offsetof(struct catalog_product, id_column), check_id },
	{ offsetof(struct catalog_product, direction_column), check_direction },
	{ offsetof(struct catalog_product, time_column), check_time },
};

static uint8_t rule_column(const struct rule *rule, const struct catalog_product *product)
{
	return rule->column == NO_COLUMN ? CATALOG_NONE : *((const uint8_t *)product + rule->column);
}

static bool find_fault(struct check *check, const struct record *record, struct check_fault *fault)
{
	const struct catalog_product *product = record->product;
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		uint8_t column = rule_column(&rules[i], product);
		fault->reason = rules[i].check(check, record, record_value(record, column));
		if (!fault->reason)
			continue;
		/* The catalogue's names are C strings, being literals of its table. */
		fault->field = column == CATALOG_NONE ? "product" : product->columns[column].name.p;
		return true;
	}
	return false;
}

/* The value in its one form, if it is a time; as it was sent if not. */
static struct str normalised(struct check *check, struct str value, int64_t *time_us)
{
	size_t begin = check->times.len;
	if (value.len == 0 || !clock_parse_iso8601(value, time_us))
		return value;
	clock_format_record(&check->times, *time_us);
	return (struct str){ check->times.data + begin, check->times.len - begin };
}

bool check_record(struct check *check, const struct record *sent, struct record *record, int64_t *time_us,
                  struct check_fault *fault)
{
	const struct catalog_product *product = sent->product;
	if (find_fault(check, sent, fault))
		return false;
	record->product = product;
	buf_clear(&check->times);
	for (uint8_t i = 0; i < product->columns_count; i++) {
		int64_t value_us = 0;
		record->values[i] = sent->values[i];
		if (product->columns[i].kind == CATALOG_TIME)
			record->values[i] = normalised(check, sent->values[i], &value_us);
		if (i == product->time_column)
			*time_us = value_us;
	}
	check->erased += erased_clean(check->store, record, *time_us);
	return true;
}
