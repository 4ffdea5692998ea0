/* SPDX-License-Identifier: ISC */
/*
 * fuzz_plans.c: plans and what records cost under them.
 *
 * An input is three lines: the plans, the default one, the currency. What must hold: reading and checking agree; prices
 * are exact: they are written as texts that mean the same, and what two shares of a month's records cost is what all of
 * them cost at once, wherever they are divided.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "billing/plans.h"

#define LINES 3
#define LINE_MAX 4000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void check_text(struct decimal price)
{
	struct buf text = { 0 };
	struct decimal again;

	decimal_format(&text, price);
	must(decimal_parse(buf_str(&text), &again) && again.units == price.units);
	buf_free(&text);
}

static void check_shares(const struct plan *plan, uint64_t volume, uint64_t first, uint64_t second)
{
	struct decimal unit, all, shares[2];

	plan_price(plan, volume, first + second, &unit, &all);
	plan_price(plan, volume, first, &unit, &shares[0]);
	plan_price(plan, volume + first, second, &unit, &shares[1]);
	must(shares[0].units + shares[1].units == all.units);
}

static void check_plan(const struct plan *plan, uint64_t seed)
{
	must(plan->tiers_count <= PLAN_TIERS_MAX);
	check_text(plan->month);
	for (size_t i = 0; i < plan->tiers_count; i++) {
		const struct plan_tier *tier = &plan->tiers[i];

		check_text(tier->price);
		must(i == 0 || tier->to > plan->tiers[i - 1].to);
		must((tier->to == UINT64_MAX) == (i + 1 == plan->tiers_count));
		if (tier->to > 3 && tier->to < UINT64_MAX / 2)
			check_shares(plan, tier->to - 2, seed % 5, seed / 5 % 5);
	}
	check_shares(plan, seed % 1000, seed / 7 % 100000, seed / 11 % 100000);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct plans plans;
	static char lines[LINES][LINE_MAX];
	const char *at = (const char *)data, *end = at + size;
	uint64_t seed = size * UINT64_C(2654435761);
	struct error err;

	for (size_t i = 0; i < LINES; i++) {
		const char *line_end = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;
		size_t len = (size_t)((line_end ? line_end : end) - at);

		if (len >= LINE_MAX || (len > 0 && memchr(at, '\0', len)))
			return 0;
		memcpy(lines[i], at, len);
		lines[i][len] = '\0';
		at = line_end ? line_end + 1 : end;
	}
	int result = plans_read(&plans, lines[0], lines[1], lines[2], &err);
	must(plans_check(lines[0], lines[1], lines[2], &err) == result);
	if (result != 0)
		return 0;
	must(plans.count <= PLANS_MAX && (plans.count == 0 || plans.fallback < plans.count));
	for (size_t i = 0; i < plans.count; i++) {
		must(plans_find(&plans, str_from(plans.list[i].name)) == &plans.list[i]);
		check_plan(&plans.list[i], seed + i);
	}
	return 0;
}
