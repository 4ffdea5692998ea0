/* SPDX-License-Identifier: ISC */
/*
 * groups_check.h: are two sets of groups the same?
 */
#ifndef CDRD_TESTS_UNIT_GROUPS_CHECK_H
#define CDRD_TESTS_UNIT_GROUPS_CHECK_H

#include <check.h>
#include <string.h>

#include "expect.h"
#include "store/aggregate.h"

static inline void groups_check_amounts(const struct aggregate_groups *left, uint32_t a,
                                        const struct aggregate_groups *right, uint32_t b)
{
	while (a && b) {
		const struct aggregate_amount *one = aggregate_amount_at(left, a - 1);
		const struct aggregate_amount *other = aggregate_amount_at(right, b - 1);

		expect(str_equal(aggregate_currency(left, one), aggregate_currency(right, other)), "other currencies");
		expect(one->count == other->count && one->total_price.units == other->total_price.units &&
		               one->price.units == other->price.units,
		       "other amounts");
		a = one->next;
		b = other->next;
	}
	expect(!a && !b, "one has more currencies");
}

/* Sorts both, and fails the test if they differ. */
static inline void groups_check_equal(struct aggregate_groups *left, struct aggregate_groups *right)
{
	aggregate_groups_sort(left);
	aggregate_groups_sort(right);
	ck_assert_uint_eq(left->count, right->count);
	for (size_t i = 0; i < left->count; i++) {
		const struct aggregate_group *one = aggregate_group_at(left, i), *other = aggregate_group_at(right, i);

		expect(one->start_us == other->start_us && one->key_len == other->key_len &&
		               memcmp(left->texts.data + one->key_at, right->texts.data + other->key_at,
		                      one->key_len) == 0,
		       "group %zu has another key", i);
		expect(one->count == other->count && one->unreadable == other->unreadable, "group %zu: %llu, %llu", i,
		       (unsigned long long)one->count, (unsigned long long)other->count);
		expect(one->unpriced == other->unpriced, "group %zu: %llu, %llu without a price", i,
		       (unsigned long long)one->unpriced, (unsigned long long)other->unpriced);
		expect(one->duration.units == other->duration.units, "group %zu has another duration", i);
		groups_check_amounts(left, one->amounts, right, other->amounts);
	}
}

#endif
