/* SPDX-License-Identifier: ISC */
/*
 * statement.c: see statement.h.
 *
 * Lines are found by a hash of their keys, and sorted at the end. The accounts are listed first; their fees and the
 * records follow in slices.
 */
#include "billing/statement.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/id.h"
#include "billing/fees.h"
#include "store/scan.h"

#define USAGE_PRODUCT_NAME STR_LITERAL("REPORTS-USAGE")

struct statement {
	struct meta *meta;
	struct store *store;
	struct plans plans;
	int64_t from_us;
	int64_t to_us;
	int64_t now_us;
	const struct catalog_product *product;
	uint8_t account_column, product_column, items_column, currency_column, total_column;
	struct scan_query query;
	struct scan *scan;   /* of `query`; NULL: not begun */
	struct buf accounts; /* struct account_key each, in order */
	struct buf lines;    /* struct statement_line each */
	uint32_t *slots;     /* by hash: a line's number + 1 */
	size_t slots_count;
	size_t fees_done; /* accounts */
	struct error *err;
	bool failed;
};

/* --- months --- */

static int64_t month_start_us(int year, int month)
{
	struct tm utc = { .tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = 1 };

	return (int64_t)timegm(&utc) * CLOCK_US_PER_SECOND;
}

static bool read_month(const char *text, int *year, int *month)
{
	for (int i = 0; i < 7; i++)
		if (i == 4 ? text[i] != '-' : text[i] < '0' || text[i] > '9')
			return false;
	*year = (text[0] - '0') * 1000 + (text[1] - '0') * 100 + (text[2] - '0') * 10 + (text[3] - '0');
	*month = (text[5] - '0') * 10 + (text[6] - '0');
	return text[7] == '\0' && *year >= 1970 && *month >= 1 && *month <= 12;
}

bool statement_month(const char *text, int64_t now_us, int64_t *from_us, int64_t *to_us)
{
	time_t seconds = (time_t)(now_us / CLOCK_US_PER_SECOND);
	struct tm utc;
	int year, month;

	gmtime_r(&seconds, &utc);
	year = utc.tm_year + 1900;
	month = utc.tm_mon + 1;
	if (text && !read_month(text, &year, &month))
		return false;
	*from_us = month_start_us(year, month);
	*to_us = month_start_us(year, month + 1); /* timegm takes month 13 */
	return true;
}

/* --- lines --- */

static struct statement_line *lines_of(const struct statement *statement)
{
	return (struct statement_line *)(void *)statement->lines.data;
}

static size_t lines_count(const struct statement *statement)
{
	return statement->lines.len / sizeof(struct statement_line);
}

static uint64_t line_hash(const struct statement_line *line)
{
	uint64_t hash = id_hash64(line->account, strlen(line->account), line->is_fee);

	hash = id_hash64(line->what, strlen(line->what), hash);
	return id_hash64(line->currency, strlen(line->currency), hash);
}

static bool is_same(const struct statement_line *a, const struct statement_line *b)
{
	return a->is_fee == b->is_fee && strcmp(a->account, b->account) == 0 && strcmp(a->what, b->what) == 0 &&
	       strcmp(a->currency, b->currency) == 0;
}

static bool grow(struct statement *statement)
{
	size_t count = statement->slots_count ? 2 * statement->slots_count : 256;
	uint32_t *slots = calloc(count, sizeof(*slots));

	if (!slots)
		return false;
	for (size_t i = 0; i < lines_count(statement); i++) {
		size_t at = line_hash(&lines_of(statement)[i]) & (count - 1);

		while (slots[at] != 0)
			at = (at + 1) & (count - 1);
		slots[at] = (uint32_t)(i + 1);
	}
	free(statement->slots);
	statement->slots = slots;
	statement->slots_count = count;
	return true;
}

/* The line with the same keys as `like`, or a new one; NULL when out of memory. */
static struct statement_line *find_line(struct statement *statement, const struct statement_line *like)
{
	size_t count = lines_count(statement);

	if (2 * (count + 1) > statement->slots_count && !grow(statement))
		return NULL;
	size_t at = line_hash(like) & (statement->slots_count - 1);

	for (; statement->slots[at] != 0; at = (at + 1) & (statement->slots_count - 1)) {
		struct statement_line *line = &lines_of(statement)[statement->slots[at] - 1];

		if (is_same(line, like))
			return line;
	}
	buf_add(&statement->lines, like, sizeof(*like));
	if (statement->lines.failed)
		return NULL;
	statement->slots[at] = (uint32_t)(count + 1);
	return &lines_of(statement)[count];
}

static void copy(char *out, size_t room, struct str text)
{
	size_t len = text.len < room - 1 ? text.len : room - 1;

	if (len > 0)
		memcpy(out, text.p, len);
}

static bool fail(struct statement *statement, enum error_code code, const char *what)
{
	error_set(statement->err, code, "statement: %s", what);
	statement->failed = true;
	return false;
}

/* --- usage records --- */

static bool read_count(struct str text, uint64_t *count)
{
	struct decimal value;

	if (!decimal_parse(text, &value) || value.units < 0)
		return false;
	*count = (uint64_t)(value.units / INT64_C(1000000000000));
	return true;
}

static bool add_record(void *arg, const struct scan_row *row)
{
	struct statement *statement = arg;
	const struct record *record = row->record;
	struct statement_line like = { .is_fee = false }, *line;
	struct decimal total;
	uint64_t items;

	if (!read_count(record->values[statement->items_column], &items) ||
	    !decimal_parse(record->values[statement->total_column], &total))
		return fail(statement, ERROR_CORRUPT, "a usage record has no number of items or no price");
	copy(like.account, sizeof(like.account), record->values[statement->account_column]);
	copy(like.what, sizeof(like.what), record->values[statement->product_column]);
	copy(like.currency, sizeof(like.currency), record->values[statement->currency_column]);
	line = find_line(statement, &like);
	if (!line || !decimal_add(&line->total, total))
		return fail(statement, ERROR_NOMEM, line ? "a sum is too large" : "out of memory");
	line->requests++;
	line->items += items;
	return true;
}

/* --- fees --- */

/* Of one account. */
struct owed {
	struct statement *statement;
	const struct account *account;
};

static bool add_fee(void *arg, const struct plan *plan)
{
	struct owed *owed = arg;
	struct statement_line like = { .is_fee = true }, *line;

	copy(like.account, sizeof(like.account), str_from(owed->account->id));
	copy(like.what, sizeof(like.what), str_from(plan->name));
	copy(like.currency, sizeof(like.currency), str_from(plan->currency));
	line = find_line(owed->statement, &like);
	if (!line)
		return fail(owed->statement, ERROR_NOMEM, "out of memory");
	line->total = plan->month; /* once, however often it was changed */
	return true;
}

static int add_fees(struct statement *statement, const struct account *account, struct error *err)
{
	struct owed owed = { statement, account };
	struct fees_history history;

	if (accounts_plans(statement->meta, account->id, history.plans, &history.count, err) != 0)
		return -1;
	return fees_each(&statement->plans, account, &history, statement->from_us, statement->to_us, statement->now_us,
	                 add_fee, &owed) ?
	               0 :
	               -1;
}

static int get_account(const struct statement *statement, const struct account_key *key, struct account *account,
                       struct error *err)
{
	char id[ACCOUNT_ID_MAX + 1];
	int found = accounts_id_of_key(statement->meta, key, id, err);

	if (found == 0)
		error_set(err, ERROR_NOT_FOUND, "account %s: no such account", account_key_text(key).text);
	return found > 0 ? accounts_get(statement->meta, str_from(id), account, err) : -1;
}

/* The fees of all accounts, until the deadline. */
static int add_all_fees(struct statement *statement, int64_t deadline_us, struct error *err)
{
	while (statement->fees_done < statement->query.accounts_count) {
		const struct account_key *key = &statement->query.accounts[statement->fees_done++];
		struct account account;

		if (get_account(statement, key, &account, err) != 0 || add_fees(statement, &account, err) != 0)
			return -1;
		if (clock_monotonic_us() >= deadline_us)
			return 0;
	}
	return 0;
}

/* --- its course --- */

static bool add_account(void *arg, const struct account *account)
{
	struct statement *statement = arg;

	buf_add(&statement->accounts, &account->key, sizeof(account->key));
	return true;
}

static int read_accounts(struct statement *statement, const char *only, struct error *err)
{
	struct account account;

	if (only) {
		if (accounts_get(statement->meta, str_from(only), &account, err) != 0)
			return -1;
		(void)add_account(statement, &account);
	} else if (accounts_each(statement->meta, add_account, statement, err) != 0) {
		return -1;
	}
	if (statement->accounts.failed)
		return error_set(err, ERROR_NOMEM, "statement: out of memory");
	account_keys_sort((struct account_key *)(void *)statement->accounts.data,
	                  statement->accounts.len / sizeof(struct account_key));
	return 0;
}

static void set_query(struct statement *statement)
{
	const struct catalog_product *product = catalog_product_find(USAGE_PRODUCT_NAME);

	statement->product = product;
	statement->account_column = product->account_column;
	statement->product_column = catalog_column_find(product, STR_LITERAL("request_product"));
	statement->items_column = catalog_column_find(product, STR_LITERAL("items_written"));
	statement->currency_column = catalog_column_find(product, STR_LITERAL("currency"));
	statement->total_column = catalog_column_find(product, STR_LITERAL("total_price"));
	statement->query = (struct scan_query){
		.product = product,
		.accounts = (const struct account_key *)(const void *)statement->accounts.data,
		.accounts_count = statement->accounts.len / sizeof(struct account_key),
		.from_us = statement->from_us,
		.to_us = statement->to_us,
		.snapshot = store_snapshot(statement->store),
		.columns = UINT64_C(1) << statement->account_column | UINT64_C(1) << statement->product_column |
		           UINT64_C(1) << statement->items_column | UINT64_C(1) << statement->currency_column |
		           UINT64_C(1) << statement->total_column,
	};
}

struct statement *statement_begin(struct meta *meta, struct store *store, const struct plans *plans, int64_t from_us,
                                  int64_t to_us, const char *account, int64_t now_us, struct error *err)
{
	struct statement *statement = calloc(1, sizeof(*statement));

	if (!statement) {
		error_set(err, ERROR_NOMEM, "statement: out of memory");
		return NULL;
	}
	statement->meta = meta;
	statement->store = store;
	statement->plans = *plans;
	statement->from_us = from_us;
	statement->to_us = to_us;
	statement->now_us = now_us;
	if (read_accounts(statement, account, err) != 0) {
		statement_free(statement);
		return NULL;
	}
	set_query(statement);
	return statement;
}

static int compare(const void *a, const void *b)
{
	const struct statement_line *left = a, *right = b;
	int order = strcmp(left->account, right->account);

	if (order == 0)
		order = (int)left->is_fee - (int)right->is_fee;
	if (order == 0)
		order = strcmp(left->what, right->what);
	return order != 0 ? order : strcmp(left->currency, right->currency);
}

static int add_parents(struct statement *statement, struct error *err)
{
	struct statement_line *lines = lines_of(statement);
	struct account account;

	for (size_t i = 0; i < lines_count(statement); i++) {
		if (i > 0 && strcmp(lines[i].account, lines[i - 1].account) == 0) {
			memcpy(lines[i].parent, lines[i - 1].parent, sizeof(lines[i].parent));
			continue;
		}
		if (accounts_get(statement->meta, str_from(lines[i].account), &account, err) != 0)
			return -1;
		memcpy(lines[i].parent, account.parent, sizeof(lines[i].parent));
	}
	return 0;
}

static int read_usage(struct statement *statement, int64_t deadline_us, enum scan_end *end, struct error *err)
{
	const struct scan_sink sink = { .on_record = add_record, .arg = statement };

	if (!statement->scan)
		statement->scan = scan_start(statement->store, &statement->query, NULL, &sink, err);
	return statement->scan ? scan_step(statement->scan, deadline_us, end, err) : -1;
}

enum statement_end statement_step(struct statement *statement, int64_t deadline_us, struct error *err)
{
	enum scan_end end = SCAN_DONE;

	statement->err = err;
	if (add_all_fees(statement, deadline_us, err) != 0)
		return STATEMENT_FAILED;
	if (statement->fees_done < statement->query.accounts_count)
		return STATEMENT_MORE;
	if (statement->query.accounts_count > 0 && read_usage(statement, deadline_us, &end, err) != 0)
		return STATEMENT_FAILED;
	if (statement->failed)
		return STATEMENT_FAILED;
	if (end == SCAN_PAUSED || end == SCAN_WAITS)
		return STATEMENT_MORE;
	if (lines_count(statement) > 0)
		qsort(lines_of(statement), lines_count(statement), sizeof(struct statement_line), compare);
	return add_parents(statement, err) == 0 ? STATEMENT_DONE : STATEMENT_FAILED;
}

const struct statement_line *statement_lines(const struct statement *statement, size_t *count)
{
	*count = lines_count(statement);
	return lines_of(statement);
}

void statement_free(struct statement *statement)
{
	if (!statement)
		return;
	scan_cancel(statement->scan);
	buf_free(&statement->accounts);
	buf_free(&statement->lines);
	free(statement->slots);
	free(statement);
}
