/* SPDX-License-Identifier: ISC */
/*
 * maker_totals.c: the manifest's counts and sums of a report's rows, updated row by row. Sums are exact decimals.
 */
#include "report/maker_private.h"

static void count_time(struct maker_totals *totals, int64_t first_us, int64_t last_us)
{
	if (totals->rows == 0 || first_us < totals->first_us)
		totals->first_us = first_us;
	if (totals->rows == 0 || last_us > totals->last_us)
		totals->last_us = last_us;
}

/* The sum of a currency, made if needed; NULL if its name is too long, or there are too many. */
static struct maker_sum *sum_of(struct maker_totals *totals, struct str currency)
{
	if (totals->sums_count > 0 && str_is(currency, totals->sums[totals->sum_last].currency))
		return &totals->sums[totals->sum_last];
	for (size_t i = 0; i < totals->sums_count; i++) {
		if (str_is(currency, totals->sums[i].currency)) {
			totals->sum_last = i;
			return &totals->sums[i];
		}
	}
	if (currency.len >= sizeof(totals->sums[0].currency) || totals->sums_count == MAKER_CURRENCIES_MAX)
		return NULL;
	totals->sum_last = totals->sums_count++;
	struct maker_sum *sum = &totals->sums[totals->sum_last];
	*sum = (struct maker_sum){ .rows = 0 };
	if (currency.len > 0)
		memcpy(sum->currency, currency.p, currency.len);
	return sum;
}

static void count_price(struct maker_totals *totals, struct str currency, struct decimal price, uint64_t rows)
{
	struct maker_sum *sum = sum_of(totals, currency);

	if (sum && decimal_add(&sum->total_price, price))
		sum->rows += rows;
	else
		totals->unsummed += rows;
}

void maker_count_record(struct maker_totals *totals, const struct maker_lines *lines, const struct record *record,
                        int64_t time_us)
{
	struct str text = record_value(record, lines->price_column);
	struct decimal price;

	count_time(totals, time_us, time_us);
	totals->rows++;
	if (text.len == 0)
		return;
	if (decimal_read_stored(text, &price))
		count_price(totals, record_value(record, lines->currency_column), price, 1);
	else
		totals->unsummed++;
}

void maker_count_lines(struct maker_totals *totals, const struct scan_lines *lines)
{
	count_time(totals, lines->first_us, lines->last_us);
	totals->rows += lines->rows;
	for (size_t i = 0; i < lines->sums_count; i++) {
		const struct scan_sum *sum = &lines->sums[i];

		count_price(totals, str_from(sum->currency), sum->total_price, sum->rows);
	}
}

void maker_count_span(struct maker_totals *totals, const struct scan_span *span)
{
	count_time(totals, span->first_us, span->last_us);
	totals->rows += span->rows;
	for (size_t i = 0; i < span->sums_count; i++) {
		const struct scan_sum *sum = &span->sums[i];

		/* records with neither price nor currency have no sum */
		if (sum->rows > 0 && (sum->currency[0] || sum->total_price.units != 0))
			count_price(totals, str_from(sum->currency), sum->total_price, sum->rows);
	}
}
