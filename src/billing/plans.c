/* SPDX-License-Identifier: ISC */
/*
 * plans.c: reads plans, and computes prices. See plans.h.
 */
#include "billing/plans.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Bounds that keep every product and sum far within 128 bits. */
#define PRICE_MAX "1000000"
#define COUNT_MAX UINT64_C(1000000000000000)
#define LIMIT_MAX UINT64_C(1000000)

struct reading {
	struct plans *plans;
	struct plan *plan; /* the current one */
	bool tiers_closed; /* its last tier has no end */
	struct error *err;
};

/* --- words --- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct str trim(struct str text)
{
	while (text.len > 0 && is_blank(text.p[0])) {
		text.p++;
		text.len--;
	}
	while (text.len > 0 && is_blank(text.p[text.len - 1]))
		text.len--;
	return text;
}

/* Cuts the part up to `separator`, or the rest, off *text; false when nothing is left. */
static bool next_part(struct str *text, char separator, struct str *part)
{
	if (!text->p)
		return false;
	const char *end = memchr(text->p, separator, text->len);
	size_t len = end ? (size_t)(end - text->p) : text->len;

	*part = trim((struct str){ text->p, len });
	*text = end ? (struct str){ end + 1, text->len - len - 1 } : (struct str){ NULL, 0 };
	return true;
}

static struct str next_word(struct str *text)
{
	size_t len = 0;

	while (len < text->len && !is_blank(text->p[len]))
		len++;
	struct str word = { text->p, len };

	*text = trim((struct str){ text->p + len, text->len - len });
	return word;
}

static bool is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

static int read_count(const struct reading *r, const char *item, struct str word, uint64_t max, uint64_t *count)
{
	uint64_t value = 0;
	size_t i = 0;

	for (; i < word.len && i < 16 && word.p[i] >= '0' && word.p[i] <= '9'; i++)
		value = value * 10 + (uint64_t)(word.p[i] - '0');
	if (word.len == 0 || i < word.len || value > max)
		return error_set(r->err, ERROR_INVALID, "plans: plan %s: %s: \"%.*s\" is not a number from 0 to %llu",
		                 r->plan->name, item, STR_ARGS(word), (unsigned long long)max);
	*count = value;
	return 0;
}

static int read_price(const struct reading *r, const char *item, struct str word, struct decimal *price)
{
	struct decimal max;

	decimal_parse(STR_LITERAL(PRICE_MAX), &max);
	if (!decimal_parse(word, price) || price->units < 0 || price->units > max.units)
		return error_set(r->err, ERROR_INVALID,
		                 "plans: plan %s: %s: \"%.*s\" is not an amount such as 0.0004, from 0 to " PRICE_MAX,
		                 r->plan->name, item, STR_ARGS(word));
	return 0;
}

/* --- items --- */

static int take_record(struct reading *r, const char *item, struct str words)
{
	struct plan *plan = r->plan;
	uint64_t before = plan->tiers_count > 0 ? plan->tiers[plan->tiers_count - 1].to : 0;
	struct plan_tier tier = { .to = UINT64_MAX };

	if (r->tiers_closed)
		return error_set(r->err, ERROR_INVALID,
		                 "plans: plan %s: another record price after one without \"to COUNT\"", plan->name);
	if (plan->tiers_count == PLAN_TIERS_MAX)
		return error_set(r->err, ERROR_INVALID, "plans: plan %s: more than %d record prices", plan->name,
		                 PLAN_TIERS_MAX);
	if (read_price(r, item, next_word(&words), &tier.price) != 0)
		return -1;
	r->tiers_closed = words.len == 0;
	if (!r->tiers_closed && !str_is(next_word(&words), "to"))
		return error_set(r->err, ERROR_INVALID,
		                 "plans: plan %s: must be \"record PRICE\" or \"record PRICE to COUNT\"", plan->name);
	if (!r->tiers_closed && read_count(r, "record PRICE to", words, COUNT_MAX, &tier.to) != 0)
		return -1;
	if (tier.to <= before)
		return error_set(r->err, ERROR_INVALID,
		                 "plans: plan %s: record PRICE to %llu: must be more than the one before, %llu",
		                 plan->name, (unsigned long long)tier.to, (unsigned long long)before);
	plan->tiers[plan->tiers_count++] = tier;
	return 0;
}

static int take_free(struct reading *r, const char *item, struct str words)
{
	return read_count(r, item, words, COUNT_MAX, &r->plan->free);
}

static int take_month(struct reading *r, const char *item, struct str words)
{
	return read_price(r, item, words, &r->plan->month);
}

static int set_currency(struct reading *r, const char *what, struct str code)
{
	size_t len = 0;

	while (len < code.len &&
	       ((code.p[len] >= 'A' && code.p[len] <= 'Z') || (code.p[len] >= '0' && code.p[len] <= '9')))
		len++;
	if (len == 0 || len < code.len || len > PLAN_CURRENCY_MAX)
		return error_set(r->err, ERROR_INVALID, "%s: \"%.*s\" is not 1 to %d upper case letters or digits",
		                 what, STR_ARGS(code), PLAN_CURRENCY_MAX);
	memset(r->plan->currency, 0, sizeof(r->plan->currency));
	memcpy(r->plan->currency, code.p, code.len);
	return 0;
}

static int take_currency(struct reading *r, const char *item, struct str words)
{
	char what[PLAN_NAME_MAX + 32];

	(void)snprintf(what, sizeof(what), "plans: plan %s: %s", r->plan->name, item);
	return set_currency(r, what, words);
}

static int take_limit(struct reading *r, const char *item, struct str words);

static const struct item_row {
	const char *word;
	int (*take)(struct reading *r, const char *item, struct str words);
	enum plan_limit limit; /* of take_limit */
} items[] = {
	{ "record", take_record, PLAN_LIMITS },      { "free", take_free, PLAN_LIMITS },
	{ "month", take_month, PLAN_LIMITS },        { "currency", take_currency, PLAN_LIMITS },
	{ "sync", take_limit, PLAN_SYNC },           { "async", take_limit, PLAN_ASYNC },
	{ "downloads", take_limit, PLAN_DOWNLOADS }, { "queued", take_limit, PLAN_QUEUED },
};

static const struct item_row *find_item(struct str word)
{
	for (size_t i = 0; i < sizeof(items) / sizeof(items[0]); i++)
		if (str_is(word, items[i].word))
			return &items[i];
	return NULL;
}

static int take_limit(struct reading *r, const char *item, struct str words)
{
	uint64_t count;

	if (read_count(r, item, words, LIMIT_MAX, &count) != 0)
		return -1;
	r->plan->limits[find_item(str_from(item))->limit] = (int64_t)count;
	return 0;
}

static int read_item(struct reading *r, struct str text)
{
	struct str words = text;
	const struct item_row *row = find_item(next_word(&words));

	if (row)
		return row->take(r, row->word, words);
	return error_set(
		r->err, ERROR_INVALID,
		"plans: plan %s: \"%.*s\" is not one of: record, free, month, currency, sync, async, downloads, "
		"queued",
		r->plan->name, STR_ARGS(text));
}

/* --- plans --- */

static int begin_plan(struct reading *r, struct str name)
{
	struct plans *plans = r->plans;
	size_t len = 0;

	while (len < name.len && is_name_char(name.p[len]))
		len++;
	if (len == 0 || len < name.len || len > PLAN_NAME_MAX)
		return error_set(
			r->err, ERROR_INVALID,
			"plans: \"%.*s\" is not a name of 1 to %d letters, digits, - or _, followed by a colon",
			STR_ARGS(name), PLAN_NAME_MAX);
	if (plans_find(plans, name))
		return error_set(r->err, ERROR_INVALID, "plans: plan %.*s: is given twice", STR_ARGS(name));
	if (plans->count == PLANS_MAX)
		return error_set(r->err, ERROR_INVALID, "plans: more than %d plans", PLANS_MAX);
	r->plan = &plans->list[plans->count];
	*r->plan = (struct plan){ .limits = { -1, -1, -1, -1 } };
	memcpy(r->plan->name, name.p, name.len);
	r->tiers_closed = false;
	plans->count++;
	return 0;
}

static int read_plan(struct reading *r, struct str text, const char *currency)
{
	struct str name, item;

	(void)next_part(&text, ':', &name);
	if (!text.p)
		return error_set(r->err, ERROR_INVALID, "plans: \"%.*s\" is not NAME: ITEM, ITEM, ...", STR_ARGS(name));
	if (begin_plan(r, name) != 0 || set_currency(r, "currency", str_from(currency)) != 0)
		return -1;
	while (next_part(&text, ',', &item))
		if (item.len > 0 && read_item(r, item) != 0)
			return -1;
	if (r->plan->tiers_count > 0 && !r->tiers_closed)
		return error_set(r->err, ERROR_INVALID,
		                 "plans: plan %s: the last record price must have no \"to COUNT\"", r->plan->name);
	return 0;
}

int plans_read(struct plans *plans, const char *text, const char *fallback, const char *currency, struct error *err)
{
	struct reading r = { .plans = plans, .err = err };
	struct str rest = str_from(text), part;

	plans->count = 0;
	while (next_part(&rest, '|', &part))
		if (read_plan(&r, part, currency) != 0)
			return -1;
	const struct plan *plan = plans_find(plans, str_from(fallback));

	if (!plan)
		return error_set(err, ERROR_INVALID,
		                 "plan_default: \"%.100s\" is none of the plans that the setting plans has", fallback);
	plans->fallback = (size_t)(plan - plans->list);
	return 0;
}

int plans_check(const char *text, const char *fallback, const char *currency, struct error *err)
{
	struct plans *plans = malloc(sizeof(*plans));
	int result = plans ? plans_read(plans, text, fallback, currency, err) :
	                     error_set(err, ERROR_NOMEM, "plans: out of memory");

	free(plans);
	return result;
}

const struct plan *plans_find(const struct plans *plans, struct str name)
{
	for (size_t i = 0; i < plans->count; i++)
		if (str_is(name, plans->list[i].name))
			return &plans->list[i];
	return NULL;
}

/* --- prices --- */

/* The price of the record after `at` others of the month, and the last record (inclusive) that has the same price. */
static struct decimal price_at(const struct plan *plan, uint64_t at, uint64_t *until)
{
	struct decimal nothing = { 0 };

	*until = UINT64_MAX;
	if (at < plan->free) {
		*until = plan->free;
		return nothing;
	}
	for (size_t i = 0; i < plan->tiers_count; i++) {
		if (at < plan->tiers[i].to) {
			*until = plan->tiers[i].to;
			return plan->tiers[i].price;
		}
	}
	return nothing;
}

void plan_price(const struct plan *plan, uint64_t volume, uint64_t count, struct decimal *unit, struct decimal *total)
{
	uint64_t until;

	total->units = 0;
	*unit = price_at(plan, volume, &until);
	while (count > 0) {
		uint64_t part;
		struct decimal sum = { 0 };

		*unit = price_at(plan, volume, &until);
		part = count < until - volume ? count : until - volume;
		/* neither can fail: prices and counts are bounded when they are read */
		(void)decimal_multiply(*unit, part, &sum);
		(void)decimal_add(total, sum);
		volume += part;
		count -= part;
	}
}
