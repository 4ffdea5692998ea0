/* SPDX-License-Identifier: ISC */
/*
 * tariff.c: see tariff.h.
 */
#include "mapping/tariff.h"

#include <stdio.h>

#include "base/clock.h"

#define UNITS_PER_ONE INT64_C(1000000000000)
#define SECONDS_MAX 86400

/* --- a line --- */

static bool read_seconds(struct str word, int64_t *seconds)
{
	int64_t number = 0;

	for (size_t i = 0; i < word.len; i++) {
		if (word.p[i] < '0' || word.p[i] > '9' || number > SECONDS_MAX)
			return false;
		number = number * 10 + (word.p[i] - '0');
	}
	*seconds = number;
	return word.len > 0 && number >= 1 && number <= SECONDS_MAX;
}

/* A word and what follows it: false if that is not one of a rate. */
static bool take_option(struct rate *rate, struct str name, struct str value)
{
	if (str_is(name, "per"))
		return read_seconds(value, &rate->interval_s);
	if (str_is(name, "minimum"))
		return read_seconds(value, &rate->minimum_s);
	if (str_is(name, "from"))
		return clock_parse_day(value, &rate->from);
	return str_is(name, "until") && clock_parse_day(value, &rate->until);
}

static bool read_rate(struct mapfile *source, struct str value, struct rate *rate)
{
	struct str word, option;
	bool quoted;

	if (!mapfile_word(source->pool, &value, &word, &quoted) || !decimal_parse(word, &rate->price))
		return false;
	while (mapfile_word(source->pool, &value, &option, &quoted))
		if (!mapfile_word(source->pool, &value, &word, &quoted) || !take_option(rate, option, word))
			return false;
	return rate->from <= rate->until && (rate->minimum_s == 0 || rate->interval_s > 0);
}

static bool overlaps(const struct rate *others, const struct rate *rate)
{
	for (; others; others = others->next)
		if (rate->from <= others->until && others->from <= rate->until)
			return true;
	return false;
}

static bool is_prefix(struct str key)
{
	for (size_t i = 0; i < key.len; i++)
		if (key.p[i] < '0' || key.p[i] > '9')
			return false;
	return key.len > 0 && key.len <= LOOKUP_KEY_MAX;
}

void tariff_take(struct mapfile *source, struct lookup *table, const struct mapfile_line *line)
{
	struct str key = str_is(line->key, "*") ? (struct str){ "", 0 } : line->key;
	struct rate *rate = pool_alloc(source->pool, sizeof(*rate));

	if (!rate)
		return;
	*rate = (struct rate){ .from = INT32_MIN, .until = INT32_MAX };
	if (key.len > 0 && !is_prefix(key)) {
		mapfile_fault(source, line->path, line->number,
		              "\"%.*s\": must be the digits that numbers begin with, "
		              "at most %d, or *",
		              MAPFILE_SHOWN(line->key), LOOKUP_KEY_MAX);
		return;
	}
	if (!read_rate(source, line->value, rate)) {
		mapfile_fault(
			source, line->path, line->number,
			"\"%.*s\": must be a price, maybe followed by \"per SECONDS\", \"minimum SECONDS\", \"from "
			"DAY\" and \"until DAY\"",
			MAPFILE_SHOWN(line->value));
		return;
	}
	struct lookup_entry *entry = lookup_find(table, key);
	entry = entry ? entry : lookup_add(table, key);
	if (entry && overlaps(entry->rates, rate))
		mapfile_fault(source, line->path, line->number, "\"%.*s\": has another rate on the same days",
		              MAPFILE_SHOWN(line->key));
	if (entry) {
		rate->next = entry->rates;
		entry->rates = rate;
	}
}

/* --- a price --- */

/* The day that a time is in, as it is written; of a number of seconds, in UTC. */
static bool day_of(struct str time, int32_t *day)
{
	struct decimal number;
	int64_t time_us;

	if (clock_parse_iso8601(time, &time_us) || clock_parse_local(time, &time_us)) {
		*day = clock_day_of(time_us);
		return true;
	}
	if (decimal_read(time, &number) != DECIMAL_FINE || number.units < 0)
		return false;
	decimal_units seconds = number.units / UNITS_PER_ONE;
	if (seconds >= 100000000000) /* milliseconds, as ingest tells them apart */
		seconds /= 1000;
	*day = (int32_t)(seconds / 86400);
	return true;
}

static const struct rate *rate_on(const struct rate *rates, int32_t day)
{
	while (rates && (day < rates->from || day > rates->until))
		rates = rates->next;
	return rates;
}

/* Intervals that have begun in `amount` seconds: none in 0, and at least those of the minimum in more. */
static uint64_t count_intervals(const struct rate *rate, struct decimal amount)
{
	decimal_units interval = (decimal_units)rate->interval_s * UNITS_PER_ONE;
	decimal_units minimum = (decimal_units)rate->minimum_s * UNITS_PER_ONE;

	if (rate->interval_s == 0)
		return 1;
	if (amount.units <= 0)
		return 0;
	amount.units = amount.units < minimum ? minimum : amount.units;
	return (uint64_t)((amount.units + interval - 1) / interval);
}

/* The rate of the longest prefix that has one on that day. */
static const struct rate *find_rate(const struct lookup *table, struct str number, int32_t day)
{
	if (number.len > 0 && number.p[0] == '+')
		number = (struct str){ number.p + 1, number.len - 1 };
	for (;;) {
		const struct lookup_entry *entry = lookup_find_prefix(table, number);
		const struct rate *rate = entry ? rate_on(entry->rates, day) : NULL;

		if (rate || !entry || entry->key.len == 0)
			return rate;
		number.len = entry->key.len - 1;
	}
}

const char *tariff_price(const struct lookup *table, const struct rate_call *call, struct decimal *price, char *reason,
                         size_t room)
{
	struct decimal amount = { 0 };
	int32_t day = 0;

	if (!day_of(call->time, &day)) {
		snprintf(reason, room, "no rate: \"%.*s\" is no time", MAPFILE_SHOWN(call->time));
		return reason;
	}
	if (call->amount.len > 0 && (decimal_read(call->amount, &amount) != DECIMAL_FINE || amount.units < 0)) {
		snprintf(reason, room, "no rate: \"%.*s\" is no number of seconds", MAPFILE_SHOWN(call->amount));
		return reason;
	}
	const struct rate *rate = find_rate(table, call->number, day);
	if (!rate) {
		snprintf(reason, room, "no rate for \"%.*s\" at %.*s in %.*s", MAPFILE_SHOWN(call->number),
		         MAPFILE_SHOWN(call->time), MAPFILE_SHOWN(table->name));
		return reason;
	}
	if (decimal_multiply(rate->price, count_intervals(rate, amount), price))
		return NULL;
	snprintf(reason, room, "no rate: the price of \"%.*s\" seconds is too large", MAPFILE_SHOWN(call->amount));
	return reason;
}
