/* SPDX-License-Identifier: ISC */
/*
 * takeover_compare.c: counts and sums of a day by product and account, here and in the cluster.
 *
 * What is here is added up record by record (takeover_sums.c), by the rule by which rows of tables get their amounts; the
 * servers add theirs up in spans of accounts, which tables are ordered by first, so that a span costs as much as it has;
 * the day is divided only within one account. Sums wrap at 128 bits in both, those of numbers at 64. Rows on another shard
 * than the account's are not there: nobody would find them.
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
	compare->count = 0;
	compare->product = compare->shard = 0;
	buf_clear(&compare->spans);
	compare->span_at = 0;
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
                         const struct record *record, uint64_t seq, struct error *err)
{
	const struct catalog_product *product = record->product;
	struct takeover_entry *entry = get_entry(compare, product->number, account, err);
	uint8_t amounts[SCHEMA_AMOUNTS_MAX];
	size_t count = schema_amounts(product, amounts);

	if (!entry)
		return -1;
	entry->here.rows++;
	entry->here.numbers += seq;
	for (size_t i = 0; i < count; i++) {
		struct str text = record->values[amounts[i]];
		struct decimal value;

		if (text.len > 0 && decimal_read_stored(text, &value))
			add(&entry->here.amounts[i], value.units);
	}
	return 0;
}

/* --- there --- */

/* A row of the answer: the account, how many records, a sum of the numbers of their places, and one of each amount. */
static bool read_sums(struct str *text, size_t amounts_count, struct account_key *account, struct takeover_sums *sums)
{
	uint64_t number, low, high;

	*sums = (struct takeover_sums){ 0 };
	if (!cluster_take_number(text, 8, &number) || !cluster_take_number(text, 8, &sums->rows) ||
	    !cluster_take_number(text, 8, &sums->numbers))
		return false;
	number = htobe64(number);
	memcpy(account->bytes, &number, sizeof(account->bytes));
	for (size_t i = 0; i < amounts_count; i++) {
		if (!cluster_take_number(text, 8, &low) || !cluster_take_number(text, 8, &high))
			return false;
		sums->amounts[i].units = (decimal_units)(int64_t)high * ((decimal_units)1 << 64) + (decimal_units)low;
	}
	return true;
}

int takeover_compare_take(struct takeover_compare *compare, struct str *text, struct error *err)
{
	const struct catalog_product *product = &catalog_products[compare->product];
	uint8_t amounts[SCHEMA_AMOUNTS_MAX];
	size_t count = schema_amounts(product, amounts);
	struct takeover_sums sums;
	struct account_key account;

	if (!read_sums(text, count, &account, &sums))
		return error_set(err, ERROR_CORRUPT, "ClickHouse: sums of %.*s cannot be read",
		                 STR_ARGS(product->name));
	if (cluster_shard(compare->cluster, &account) != compare->shard)
		return 0;
	struct takeover_entry *entry = get_entry(compare, product->number, &account, err);

	if (!entry)
		return -1;
	entry->there.rows += sums.rows;
	entry->there.numbers += sums.numbers;
	for (size_t i = 0; i < count; i++)
		add(&entry->there.amounts[i], sums.amounts[i].units);
	return 0;
}

/* --- which spans --- */

static int by_account(const void *a, const void *b)
{
	const struct takeover_span *one = a, *other = b;

	return (one->account > other->account) - (one->account < other->account);
}

/* Makes of accounts, in order, as few spans as there may be. The first one begins with the least key, and each ends where
 * the next begins: what is there and not here is in one of them, too. Returns how many. */
static size_t join_spans(struct takeover_span *spans, size_t count)
{
	size_t joined = 0;

	for (size_t i = 0; i < count; i++) {
		if (joined > 0 && spans[joined - 1].rows + spans[i].rows <= SPAN_ROWS)
			spans[joined - 1].rows += spans[i].rows;
		else
			spans[joined++] = spans[i];
	}
	spans[0].account = 0;
	return joined;
}

int takeover_compare_divide(struct takeover_compare *compare, struct error *err)
{
	const struct catalog_product *product = &catalog_products[compare->product];
	struct buf *spans = &compare->spans;
	struct takeover_span span = { 0 };

	buf_clear(spans);
	for (size_t i = 0; i < compare->cap; i++) {
		const struct takeover_entry *entry = &compare->entries[i];

		if (entry->product != product->number || entry->here.rows == 0 ||
		    cluster_shard(compare->cluster, &entry->account) != compare->shard)
			continue;
		span = (struct takeover_span){ cluster_account(&entry->account), entry->here.rows };
		buf_add(spans, &span, sizeof(span));
	}
	if (spans->len == 0) {
		span = (struct takeover_span){ 0 };
		buf_add(spans, &span, sizeof(span));
	}
	if (spans->failed)
		return error_set(err, ERROR_NOMEM, "comparing with the cluster: out of memory");
	qsort(spans->data, spans->len / sizeof(span), sizeof(span), by_account);
	spans->len = sizeof(span) * join_spans((struct takeover_span *)(void *)spans->data, spans->len / sizeof(span));
	return 0;
}

/* --- asking --- */

static void next(struct takeover_compare *compare)
{
	compare->from_us += compare->span_us;
	if (compare->from_us < CLOCK_US_PER_DAY)
		return;
	compare->from_us = compare->span_us = 0;
	if (++compare->span_at < compare->spans.len / sizeof(struct takeover_span))
		return;
	compare->span_at = 0;
	buf_clear(&compare->spans);
	if (++compare->shard < clickhouse_shards(compare->cluster->clickhouse))
		return;
	compare->shard = 0;
	compare->product++;
}

static void on_answer(void *arg, struct buf *answer, const struct error *err)
{
	struct takeover_compare *compare = arg;
	struct str text = buf_str(answer);
	struct error failure = { .code = ERROR_NONE };

	compare->query = NULL;
	while (!err && failure.code == ERROR_NONE && text.len > 0)
		MAY_FAIL(takeover_compare_take(compare, &text, &failure));
	compare->failure = err ? *err : failure;
	if (compare->failure.code == ERROR_NONE)
		next(compare);
	else if (err && err->code != ERROR_UNAVAILABLE && compare->span_us > SPAN_US_MIN)
		compare->span_us /= 4; /* it may have been too much for a server */
	compare->ended(compare->arg);
}

static const struct takeover_span *span_of(const struct takeover_compare *compare)
{
	return (const struct takeover_span *)(const void *)compare->spans.data + compare->span_at;
}

static void write_query(struct buf *sql, const struct takeover_compare *compare, const struct catalog_product *product)
{
	uint8_t amounts[SCHEMA_AMOUNTS_MAX];
	size_t count = schema_amounts(product, amounts);
	const struct takeover_span *span = span_of(compare);
	int64_t begin_us = compare->day * CLOCK_US_PER_DAY;
	int64_t from_us = begin_us + compare->from_us, to_us = from_us + compare->span_us;

	if (to_us > begin_us + CLOCK_US_PER_DAY)
		to_us = begin_us + CLOCK_US_PER_DAY;
	buf_add_text(sql, "SELECT account, count(), sum(first)");
	for (size_t i = 0; i < count; i++)
		buf_addf(sql, ", sum(n_%.*s)", STR_ARGS(product->columns[amounts[i]].name));
	buf_add_text(sql, " FROM ");
	cluster_write_table(sql, compare->cluster, product);
	/* Whether the newest row is dead is looked at after FINAL (cluster_aggregate.c). */
	buf_addf(sql, " FINAL WHERE day = toDate(%d) AND time >= %lld AND time < %lld AND dead = 0 AND account >= %llu",
	         compare->day, (long long)from_us, (long long)to_us, (unsigned long long)span[0].account);
	if ((compare->span_at + 1) * sizeof(*span) < compare->spans.len)
		buf_addf(sql, " AND account < %llu", (unsigned long long)span[1].account);
	buf_add_text(sql, " GROUP BY account SETTINGS optimize_move_to_prewhere = 0 FORMAT RowBinary");
}

static int ask(struct takeover_compare *compare, struct error *err)
{
	const struct catalog_product *product = &catalog_products[compare->product];
	struct buf sql = { 0 };

	if (compare->spans.len == 0 && takeover_compare_divide(compare, err) != 0)
		return -1;
	if (compare->span_us == 0)
		compare->span_us = CLOCK_US_PER_DAY / (int64_t)(span_of(compare)->rows / SPAN_ROWS + 1);
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
	bool are_equal = a->rows == b->rows && a->numbers == b->numbers;

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
	buf_free(&compare->spans);
}
