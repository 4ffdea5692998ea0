/* SPDX-License-Identifier: ISC */
/*
 * takeover_compare.c: counts and sums of a day by product and account, here and in the cluster.
 *
 * What is here is added up record by record (takeover_sums.c), by the rule by which rows of tables get their amounts; the
 * servers add theirs up in spans of the day, which are shorter where there is much. Sums wrap at 128 bits in both.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/id.h"
#include "store/takeover/takeover_private.h"

#define SPAN_ROWS 500000
#define SPAN_US_MIN CLOCK_US_PER_SECOND
#define TABLE_MIN 256

void takeover_compare_begin(struct takeover_compare *compare, int32_t day)
{
	clickhouse_cancel(compare->query);
	compare->query = NULL;
	compare->day = day;
	if (compare->entries)
		memset(compare->entries, 0, compare->cap * sizeof(*compare->entries));
	memset(compare->rows, 0, sizeof(compare->rows));
	compare->count = 0;
	compare->product = compare->shard = 0;
	compare->from_us = compare->span_us = 0;
	compare->failure.code = ERROR_NONE;
}

static struct takeover_entry *slot_of(struct takeover_entry *entries, size_t cap, uint8_t product,
                                      const struct account_key *account)
{
	size_t at = id_hash64(account->bytes, ACCOUNT_KEY_LEN, product) & (cap - 1);

	while (entries[at].product != 0 &&
	       (entries[at].product != product || !account_key_equal(&entries[at].account, account)))
		at = (at + 1) & (cap - 1);
	return &entries[at];
}

static int grow(struct takeover_compare *compare, struct error *err)
{
	size_t cap = compare->cap ? 2 * compare->cap : TABLE_MIN;
	struct takeover_entry *entries = calloc(cap, sizeof(*entries));

	if (!entries)
		return error_set(err, ERROR_NOMEM, "comparing with the cluster: out of memory");
	for (size_t i = 0; i < compare->cap; i++) {
		const struct takeover_entry *entry = &compare->entries[i];

		if (entry->product != 0)
			*slot_of(entries, cap, entry->product, &entry->account) = *entry;
	}
	free(compare->entries);
	compare->entries = entries;
	compare->cap = cap;
	return 0;
}

static struct takeover_entry *get_entry(struct takeover_compare *compare, uint8_t product,
                                        const struct account_key *account, struct error *err)
{
	if (4 * (compare->count + 1) > 3 * compare->cap && grow(compare, err) != 0)
		return NULL;
	struct takeover_entry *entry = slot_of(compare->entries, compare->cap, product, account);

	if (entry->product == 0) {
		*entry = (struct takeover_entry){ .product = product, .account = *account };
		compare->count++;
	}
	return entry;
}

static void add(struct decimal *sum, decimal_units units)
{
	__extension__ typedef unsigned __int128 bits;

	sum->units = (decimal_units)((bits)sum->units + (bits)units);
}

int takeover_compare_add(struct takeover_compare *compare, const struct account_key *account,
                         const struct record *record, struct error *err)
{
	const struct catalog_product *product = record->product;
	struct takeover_entry *entry = get_entry(compare, product->number, account, err);
	uint8_t amounts[SCHEMA_AMOUNTS_MAX];
	size_t count = schema_amounts(product, amounts);

	if (!entry)
		return -1;
	entry->here.rows++;
	compare->rows[product->number]++;
	for (size_t i = 0; i < count; i++) {
		struct str text = record->values[amounts[i]];
		struct decimal value;

		if (text.len > 0 && decimal_read_stored(text, &value))
			add(&entry->here.amounts[i], value.units);
	}
	return 0;
}

/* --- there --- */

/* A row of the answer: the account, how many records, and a sum of each amount. */
static bool take_sums(struct takeover_compare *compare, const struct catalog_product *product, struct str *text,
                      struct error *err)
{
	uint8_t amounts[SCHEMA_AMOUNTS_MAX];
	size_t count = schema_amounts(product, amounts);
	uint64_t number, rows, low, high;
	struct account_key account;

	if (!cluster_take_number(text, 8, &number) || !cluster_take_number(text, 8, &rows))
		return false;
	number = htobe64(number);
	memcpy(account.bytes, &number, sizeof(account.bytes));
	struct takeover_entry *entry = get_entry(compare, product->number, &account, err);

	if (!entry)
		return false;
	entry->there.rows += rows;
	for (size_t i = 0; i < count; i++) {
		if (!cluster_take_number(text, 8, &low) || !cluster_take_number(text, 8, &high))
			return false;
		add(&entry->there.amounts[i],
		    (decimal_units)(int64_t)high * ((decimal_units)1 << 64) + (decimal_units)low);
	}
	return true;
}

static void next(struct takeover_compare *compare)
{
	compare->from_us += compare->span_us;
	if (compare->from_us < CLOCK_US_PER_DAY)
		return;
	compare->from_us = compare->span_us = 0;
	if (++compare->shard < clickhouse_shards(compare->cluster->clickhouse))
		return;
	compare->shard = 0;
	compare->product++;
}

static void on_answer(void *arg, struct buf *answer, const struct error *err)
{
	struct takeover_compare *compare = arg;
	const struct catalog_product *product = &catalog_products[compare->product];
	struct str text = buf_str(answer);
	struct error failure = { .code = ERROR_NONE };

	compare->query = NULL;
	while (!err && failure.code == ERROR_NONE && text.len > 0)
		if (!take_sums(compare, product, &text, &failure) && failure.code == ERROR_NONE)
			error_set(&failure, ERROR_CORRUPT, "ClickHouse: sums of %.*s cannot be read",
			          STR_ARGS(product->name));
	compare->failure = err ? *err : failure;
	if (compare->failure.code == ERROR_NONE)
		next(compare);
	else if (compare->span_us > SPAN_US_MIN)
		compare->span_us /= 4; /* it may have been too much for an answer's time */
	compare->ended(compare->arg);
}

static void write_query(struct buf *sql, const struct takeover_compare *compare, const struct catalog_product *product)
{
	uint8_t amounts[SCHEMA_AMOUNTS_MAX];
	size_t count = schema_amounts(product, amounts);
	int64_t begin_us = compare->day * CLOCK_US_PER_DAY;
	int64_t to_us = compare->from_us + compare->span_us;

	if (to_us > CLOCK_US_PER_DAY)
		to_us = CLOCK_US_PER_DAY;
	buf_add_text(sql, "SELECT account, count()");
	for (size_t i = 0; i < count; i++)
		buf_addf(sql, ", sum(n_%.*s)", STR_ARGS(product->columns[amounts[i]].name));
	buf_add_text(sql, " FROM ");
	cluster_write_table(sql, compare->cluster, product);
	/* Whether the newest row is dead is looked at after FINAL (cluster_aggregate.c). */
	buf_addf(sql,
	         " FINAL WHERE day = toDate(%d) AND time >= %lld AND time < %lld AND dead = 0 GROUP BY account "
	         "SETTINGS optimize_move_to_prewhere = 0 FORMAT RowBinary",
	         compare->day, (long long)(begin_us + compare->from_us), (long long)(begin_us + to_us));
}

static int ask(struct takeover_compare *compare, struct error *err)
{
	const struct catalog_product *product = &catalog_products[compare->product];
	struct buf sql = { 0 };

	if (compare->span_us == 0)
		compare->span_us = CLOCK_US_PER_DAY / (int64_t)(compare->rows[product->number] / SPAN_ROWS + 1);
	write_query(&sql, compare, product);
	const struct clickhouse_request request = { .shard = compare->shard,
		                                    .sql = buf_str(&sql),
		                                    .settings = cluster_read_settings(compare->cluster),
		                                    .patience_us = compare->cluster->patience_us,
		                                    .ended = on_answer,
		                                    .arg = compare };

	if (sql.failed)
		error_set(err, ERROR_NOMEM, "comparing with the cluster: out of memory");
	else
		compare->query = clickhouse_start(compare->cluster->clickhouse, &request, err);
	buf_free(&sql);
	return compare->query ? 0 : -1;
}

int takeover_compare_ask(struct takeover_compare *compare, struct error *err)
{
	if (compare->query)
		return 0;
	while (compare->product < catalog_products_count && !schema_has(&catalog_products[compare->product]))
		compare->product++;
	if (compare->product == catalog_products_count)
		return 1;
	return ask(compare, err);
}

static bool sums_are_equal(const struct takeover_sums *a, const struct takeover_sums *b)
{
	bool are_equal = a->rows == b->rows;

	for (size_t i = 0; i < TAKEOVER_AMOUNTS_MAX; i++)
		are_equal &= a->amounts[i].units == b->amounts[i].units;
	return are_equal;
}

void takeover_compare_tell(const struct takeover_compare *compare, takeover_difference_fn fn, void *arg)
{
	for (size_t i = 0; i < compare->cap; i++) {
		const struct takeover_entry *entry = &compare->entries[i];

		if (entry->product == 0 || sums_are_equal(&entry->here, &entry->there))
			continue;
		const struct takeover_difference difference = { .product = catalog_product_numbered(entry->product),
			                                        .account = entry->account,
			                                        .day = compare->day,
			                                        .here = entry->here,
			                                        .there = entry->there };

		fn(arg, &difference);
	}
}

void takeover_compare_free(struct takeover_compare *compare)
{
	clickhouse_cancel(compare->query);
	compare->query = NULL;
	free(compare->entries);
	compare->entries = NULL;
	compare->cap = compare->count = 0;
}
