/*
 * erase.c: see erase.h.
 *
 * A day's blocks are walked in the order of their keys. A run that is written anew or merged gets blocks with higher
 * numbers, so it comes up again behind the walk's place; nothing moves to before it.
 */
#include "store/erase.h"

#include <stdlib.h>

#include "base/clock.h"
#include "store/block_skip.h"
#include "store/ids.h"
#include "store/repack.h"
#include "store/seal.h"
#include "store/store_private.h"

#define PUTS_MAX 256 /* of hot rows between commits */
#define LOOK_EVERY 64

enum stage { STAGE_HOT, STAGE_DRAIN, STAGE_FIND, STAGE_REWRITE, STAGE_PACK };

struct erase {
	struct store *store;
	struct buf accounts; /* SCAN_ACCOUNT_LEN bytes each: those of the scope, then owners */
	size_t accounts_count;
	size_t all_count;    /* owners included */
	char number[ERASE_NUMBER_MAX + 2]; /* a plus, then the number */
	size_t number_len;   /* without the plus */

	int32_t day;   /* the one at hand, or the next to look for */
	bool has_day;
	enum stage stage;
	size_t account; /* at hand */
	uint8_t key[PLACE_KEY_LEN]; /* looked at last, unless the account is begun anew */
	bool has_key;
	int64_t drain_us;           /* jobs of sealing that began until then have to end */
	struct partition partition; /* of the runs */
	struct buf runs;            /* uint32_t: to be written anew */
	bool packing;
	uint64_t found;             /* in this pass */

	struct block_reader reader;
	struct buf json;
	struct erase_counts counts;
};

/* --- its life --- */

static int take_number(struct erase *erase, struct str number, struct error *err)
{
	if (number.len > 0 && number.p[0] == '+')
		number = (struct str){ number.p + 1, number.len - 1 };
	bool bad = number.len < ERASE_NUMBER_MIN || number.len > ERASE_NUMBER_MAX;
	for (size_t i = 0; i < number.len && !bad; i++)
		bad = (unsigned char)number.p[i] < ' ' || number.p[i] == '"' || number.p[i] == '\\' || number.p[i] == 0x7f;
	if (bad || (number.len == sizeof(ERASE_TEXT) - 1 && memcmp(number.p, ERASE_TEXT, number.len) == 0))
		return error_set(err, ERROR_INVALID, "number \"%.*s\": must have %d to %d characters, no quote among them",
		                 (int)(number.len < 80 ? number.len : 80), number.p, ERASE_NUMBER_MIN, ERASE_NUMBER_MAX);
	erase->number[0] = '+';
	memcpy(erase->number + 1, number.p, number.len);
	erase->number_len = number.len;
	return 0;
}

struct erase *erase_new(struct store *store, const struct erase_scope *scope, struct error *err)
{
	struct erase *erase = calloc(1, sizeof(*erase));
	if (!erase) {
		error_set(err, ERROR_NOMEM, "erasing: out of memory");
		return NULL;
	}
	if (take_number(erase, scope->number, err) != 0) {
		free(erase);
		return NULL;
	}
	if (scope->accounts_count)
		buf_add(&erase->accounts, scope->accounts, scope->accounts_count * SCAN_ACCOUNT_LEN);
	if (scope->owners_count)
		buf_add(&erase->accounts, scope->owners, scope->owners_count * SCAN_ACCOUNT_LEN);
	if (store->erasing || erase->accounts.failed) {
		if (store->erasing)
			error_set(err, ERROR_CONFLICT, "erasing: another number is being erased");
		else
			error_set(err, ERROR_NOMEM, "erasing: out of memory");
		buf_free(&erase->accounts);
		free(erase);
		return NULL;
	}
	erase->accounts_count = scope->accounts_count;
	erase->all_count = scope->accounts_count + scope->owners_count;
	erase->store = store;
	erase->day = INT32_MIN;
	erase->counts.pass = 1;
	erase->counts.days_total = store->days_count;
	store->erasing = true;
	return erase;
}

void erase_free(struct erase *erase)
{
	if (!erase)
		return;
	/* The job under way calls back into what is freed here. */
	if (seal_is_under_way(erase->store, INT64_MAX))
		seal_forget(erase->store);
	erase->store->erasing = false;
	buf_free(&erase->accounts);
	buf_free(&erase->runs);
	buf_free(&erase->json);
	block_reader_free(&erase->reader);
	free(erase);
}

void erase_counts(const struct erase *erase, struct erase_counts *counts)
{
	*counts = erase->counts;
}

/* --- is it the number? --- */

static struct str bare_number(const struct erase *erase)
{
	return (struct str){ erase->number + 1, erase->number_len };
}

static bool is_the_number(const struct erase *erase, struct str value)
{
	if (value.len > 0 && value.p[0] == '+')
		value = (struct str){ value.p + 1, value.len - 1 };
	return str_equal(value, bare_number(erase));
}

static bool is_word(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Where the number begins in a text from `at` on; text.len if nowhere. */
static size_t find_in(const struct erase *erase, struct str text, size_t at)
{
	struct str number = bare_number(erase);
	while (at < text.len) {
		const char *found = memmem(text.p + at, text.len - at, number.p, number.len);
		if (!found)
			break;
		size_t begin = (size_t)(found - text.p), end = begin + number.len;
		if ((begin == 0 || !is_word(text.p[begin - 1])) && (end == text.len || !is_word(text.p[end])))
			return begin;
		at = begin + 1;
	}
	return text.len;
}

bool erase_is_in(const struct erase *erase, struct str text)
{
	return find_in(erase, text, 0) < text.len;
}

size_t erase_from_text(const struct erase *erase, struct str text, struct buf *out)
{
	size_t at = 0, count = 0;
	for (;;) {
		size_t begin = find_in(erase, text, at);
		bool plus = begin < text.len && begin > at && text.p[begin - 1] == '+';
		buf_add(out, text.p + at, begin - at - plus);
		if (begin == text.len)
			return count;
		buf_add_text(out, ERASE_TEXT);
		at = begin + erase->number_len;
		count++;
	}
}

/* Is it there at all, if only as a part of something? */
static bool may_be_in(const struct erase *erase, const void *data, size_t len)
{
	return len > 0 && memmem(data, len, erase->number + 1, erase->number_len) != NULL;
}

/* The columns that may hold it. */
static uint64_t columns_of(const struct erase *erase, const struct catalog_product *product)
{
	uint64_t columns = 0;
	for (uint8_t i = 0; i < product->columns_count; i++) {
		enum catalog_kind kind = product->columns[i].kind;
		if ((kind == CATALOG_NUMBER && erase->account < erase->accounts_count) ||
		    (kind == CATALOG_JSON && product->own))
			columns |= UINT64_C(1) << i;
	}
	return columns;
}

static bool record_has_it(const struct erase *erase, const struct record *record, uint64_t columns)
{
	for (uint64_t left = columns; left; left &= left - 1) {
		int column = __builtin_ctzll(left);
		struct str value = record->values[column];
		bool json = record->product->columns[column].kind == CATALOG_JSON;
		if (json ? erase_is_in(erase, value) : is_the_number(erase, value))
			return true;
	}
	return false;
}

/* --- a record without it --- */

static void change_column(struct erase *erase, struct record *record, uint8_t column)
{
	struct str *value = &record->values[column];
	switch (record->product->columns[column].kind) {
	case CATALOG_NUMBER:
		if (is_the_number(erase, *value))
			*value = STR_LITERAL(ERASE_TEXT);
		break;
	case CATALOG_BODY:
		*value = (struct str){ NULL, 0 };
		break;
	case CATALOG_JSON:
		if (!record->product->own || !erase_is_in(erase, *value))
			break;
		/* There is one such column; a text that cannot be changed for want of memory goes altogether. */
		buf_clear(&erase->json);
		erase_from_text(erase, *value, &erase->json);
		*value = erase->json.failed ? STR_LITERAL("{}") : buf_str(&erase->json);
		break;
	default:
		break;
	}
}

static bool change(void *arg, struct record *record)
{
	struct erase *erase = arg;
	if (!record_has_it(erase, record, columns_of(erase, record->product)))
		return false;
	for (uint8_t i = 0; i < record->product->columns_count; i++)
		change_column(erase, record, i);
	erase->counts.records++;
	return true;
}

/* --- hot rows --- */

static const char *account_at_hand(const struct erase *erase)
{
	return erase->accounts.data + erase->account * SCAN_ACCOUNT_LEN;
}

/* The entry behind erase->key, or the account's first; MDB_NOTFOUND when the account has no more. */
static int seek(const struct erase *erase, MDB_cursor *cursor, MDB_val *key, MDB_val *val)
{
	const void *from = erase->has_key ? (const void *)erase->key : account_at_hand(erase);
	size_t len = !erase->has_key ? SCAN_ACCOUNT_LEN : erase->stage == STAGE_HOT ? PLACE_KEY_LEN : NUMBER_KEY_LEN;
	*key = env_val(from, len);
	int rc = mdb_cursor_get(cursor, key, val, MDB_SET_RANGE);
	if (!rc && erase->has_key && key->mv_size == len && memcmp(key->mv_data, erase->key, len) == 0)
		rc = mdb_cursor_get(cursor, key, val, MDB_NEXT);
	return rc;
}

static bool is_of_account(const struct erase *erase, MDB_val key)
{
	return key.mv_size >= SCAN_ACCOUNT_LEN && memcmp(key.mv_data, account_at_hand(erase), SCAN_ACCOUNT_LEN) == 0;
}

static void next_account(struct erase *erase)
{
	erase->account++;
	erase->has_key = false;
}

/* Puts a hot row anew if it holds the number. 1 if it did, 0, -1. */
static int erase_hot(struct erase *erase, struct day *day, MDB_val key, MDB_val val, struct error *err)
{
	struct partition partition;
	struct place place;
	struct day_ghost ghost;
	struct record record;
	enum store_put_result put;
	uint64_t changed_seq;
	if (!place_key_read(key, &partition, &place) || day_ghost_read(val, &ghost) ||
	    !may_be_in(erase, val.mv_data, val.mv_size))
		return 0;
	const struct catalog_product *product = catalog_product_numbered(partition.product);
	if (!product)
		return error_set(err, ERROR_CORRUPT, "%s: product number %u is unknown", day->env.path, partition.product);
	if (record_unpack(&record, product, env_str(val), &changed_seq, err) != 0)
		return -1;
	if (!change(erase, &record))
		return 0;
	erase->found++;
	if (repack_demand(erase->store, day, err) != 0)
		return -1;
	return store_put(erase->store, &record, place.time_us, &put, err) == 0 ? 1 : -1;
}

/* Hot rows of the account at hand. 1 at their end, 0, -1. */
static int walk_hot(struct erase *erase, struct day *day, MDB_cursor *cursor, int64_t deadline_us, bool *dirty,
                    struct error *err)
{
	MDB_val key, val;
	unsigned puts = 0, looks = 0;
	int rc = seek(erase, cursor, &key, &val);
	for (; !rc && is_of_account(erase, key); rc = mdb_cursor_get(cursor, &key, &val, MDB_NEXT)) {
		int found = erase_hot(erase, day, key, val, err);
		if (found < 0)
			return -1;
		if (key.mv_size == PLACE_KEY_LEN)
			memcpy(erase->key, key.mv_data, PLACE_KEY_LEN);
		erase->has_key = true;
		erase->counts.rows++;
		puts += found > 0;
		*dirty |= found > 0;
		if (puts == PUTS_MAX || (++looks % LOOK_EVERY == 0 && clock_monotonic_us() >= deadline_us))
			return 0;
	}
	return rc && rc != MDB_NOTFOUND ? env_fail(&day->env, rc, "read hot rows", err) : 1;
}

/* What is put and not committed must not be overwritten by what was before it: nothing may wait for a commit. */
static int step_hot(struct erase *erase, struct day *day, int64_t deadline_us, bool *dirty, struct error *err)
{
	MDB_cursor *cursor;
	if (day->env.write || day->blocks_changed) {
		*dirty = true;
		return 0;
	}
	MDB_txn *txn = env_read(&day->env, err);
	if (!txn)
		return -1;
	int rc = mdb_cursor_open(txn, day->env.dbi[DAY_HOT], &cursor);
	int result = rc ? env_fail(&day->env, rc, "open cursor", err) :
	                  walk_hot(erase, day, cursor, deadline_us, dirty, err);
	if (!rc)
		mdb_cursor_close(cursor);
	mdb_txn_abort(txn);
	if (result > 0)
		next_account(erase);
	if (erase->account == erase->all_count) {
		erase->stage = STAGE_DRAIN;
		erase->drain_us = clock_monotonic_us();
	}
	return result < 0 ? -1 : 0;
}

/* --- sealed runs --- */

/* Can the block hold it, by what it says of its values? */
static bool block_may_have_it(const struct erase *erase, const struct block_view *view, uint64_t columns)
{
	for (uint64_t left = columns; left; left &= left - 1) {
		struct scan_filter filter = { .column = (uint8_t)__builtin_ctzll(left), .value = bare_number(erase) };
		if (block_skip_may_pass(view->skip, &filter, 1))
			return true;
		filter.value = (struct str){ erase->number, erase->number_len + 1 };
		if (block_skip_may_pass(view->skip, &filter, 1))
			return true;
	}
	return false;
}

/* Is it in the columns that lines do not show? Loads these. 1, 0, -1. */
static int extra_may_have_it(struct erase *erase, uint64_t columns, struct error *err)
{
	struct block_reader *reader = &erase->reader;
	struct record record;
	columns &= ~reader->line_columns;
	if (!columns)
		return 0;
	if (block_reader_load(reader, 0, err) != 0 || block_reader_record(reader, 0, columns, &record, err) != 0)
		return -1;
	return may_be_in(erase, reader->extra.data, reader->extra.len);
}

/* Rows of the block that hold it, dead ones too; or -1. */
static int64_t count_in_block(struct erase *erase, uint64_t columns, struct error *err)
{
	struct block_reader *reader = &erase->reader;
	uint32_t rows = reader->view.head.rows;
	int64_t found = 0;
	int in_extra = extra_may_have_it(erase, columns, err);
	if (in_extra < 0)
		return -1;
	erase->counts.blocks++;
	erase->counts.rows += rows;
	for (uint32_t row = 0; row < rows;) {
		struct record record;
		if (block_reader_load(reader, row, err) != 0)
			return -1;
		uint32_t end = reader->segment.first_row + reader->segment.rows;
		if (!in_extra && !may_be_in(erase, reader->text.data, reader->text.len))
			row = end;
		for (; row < end; row++) {
			if (block_reader_record(reader, row, columns, &record, err) != 0)
				return -1;
			found += record_has_it(erase, &record, columns);
		}
	}
	return found;
}

/* Looks at a block; notes its run if it holds the number. */
static int look_in_block(struct erase *erase, struct day *day, MDB_txn *txn, const struct partition *partition,
                         uint32_t number, uint32_t run, struct error *err)
{
	const uint32_t *runs = (const uint32_t *)(void *)erase->runs.data;
	size_t count = erase->runs.len / sizeof(run);
	const struct catalog_product *product = catalog_product_numbered(partition->product);
	if (!product)
		return error_set(err, ERROR_CORRUPT, "%s: product number %u is unknown", day->env.path, partition->product);
	uint64_t columns = columns_of(erase, product);
	for (size_t i = 0; i < count; i++)
		if (runs[i] == run)
			return 0; /* noted */
	if (!columns)
		return 0;
	int there = block_reader_begin(&erase->reader, day, txn, product, partition, number, err);
	if (there <= 0 || !block_may_have_it(erase, &erase->reader.view, columns))
		return there < 0 ? -1 : 0;
	int64_t found = count_in_block(erase, columns, err);
	if (found <= 0)
		return found < 0 ? -1 : 0;
	erase->found += (uint64_t)found;
	erase->partition = *partition;
	buf_add(&erase->runs, &run, sizeof(run));
	return erase->runs.failed ? error_set(err, ERROR_NOMEM, "erasing: out of memory") : 0;
}

/* The next block. 1 at the account's end, 0, -1. */
static int walk_blocks(struct erase *erase, struct day *day, MDB_txn *txn, MDB_cursor *cursor, struct error *err)
{
	struct partition partition;
	struct day_block block;
	uint32_t number;
	MDB_val key, val;
	int rc = seek(erase, cursor, &key, &val);
	if (rc && rc != MDB_NOTFOUND)
		return env_fail(&day->env, rc, "read blocks", err);
	if (rc || !is_of_account(erase, key)) {
		if (!erase->runs.len)
			return 1;
		erase->stage = STAGE_REWRITE;
		return 0;
	}
	if (!number_key_read(key, &partition, &number) || !day_block_read(val, &block))
		return error_set(err, ERROR_CORRUPT, "%s: an entry of blocks cannot be read", day->env.path);
	if (erase->runs.len && !partition_equal(&partition, &erase->partition)) {
		erase->stage = STAGE_REWRITE; /* and then this one */
		return 0;
	}
	if (look_in_block(erase, day, txn, &partition, number, block.run, err) != 0)
		return -1;
	memcpy(erase->key, key.mv_data, NUMBER_KEY_LEN);
	erase->has_key = true;
	return 0;
}

static int step_find(struct erase *erase, struct day *day, struct error *err)
{
	MDB_cursor *cursor;
	MDB_txn *txn = env_read(&day->env, err);
	if (!txn)
		return -1;
	erase->reader.number = UINT32_MAX; /* what it had was another transaction's */
	int rc = mdb_cursor_open(txn, day->env.dbi[DAY_BLOCKS], &cursor);
	int result = rc ? env_fail(&day->env, rc, "open cursor", err) : walk_blocks(erase, day, txn, cursor, err);
	if (!rc)
		mdb_cursor_close(cursor);
	mdb_txn_abort(txn);
	if (result > 0)
		next_account(erase);
	if (result >= 0 && erase->account == erase->all_count)
		erase->stage = STAGE_PACK;
	return result < 0 ? -1 : 0;
}

/* Lets sealing, merging and packing do a slice. */
static int drive(struct erase *erase, int64_t deadline_us, bool *dirty, struct error *err)
{
	bool more;
	return store_upkeep(erase->store, deadline_us, &more, dirty, err);
}

static int step_rewrite(struct erase *erase, struct day *day, int64_t deadline_us, bool *dirty, struct error *err)
{
	struct store *store = erase->store;
	uint32_t run;
	if (repack_is_of(store, day))
		repack_forget(store);
	if (repack_is_running(store) || seal_is_under_way(store, INT64_MAX))
		return drive(erase, deadline_us, dirty, err);
	if (day->env.write || day->blocks_changed) {
		*dirty = true;
		return 0;
	}
	if (!erase->runs.len) {
		erase->stage = STAGE_FIND;
		return 0;
	}
	if (repack_demand(store, day, err) != 0)
		return -1;
	erase->runs.len -= sizeof(run);
	memcpy(&run, erase->runs.data + erase->runs.len, sizeof(run));
	int begun = seal_begin_change(store, day, &erase->partition, run, change, erase, err);
	if (begun <= 0)
		return begun; /* one that was merged meanwhile comes up again */
	erase->counts.runs++;
	return drive(erase, deadline_us, dirty, err);
}

/* --- files --- */

/* Packs a day, or (NULL) the catalog. 1 when that is done or need not be, 0, -1. */
static int pack(struct erase *erase, struct day *day, int64_t deadline_us, bool *dirty, struct error *err)
{
	struct store *store = erase->store;
	const struct env *env = day ? &day->env : &store->catalog;
	if (!(day ? day->repack_demanded : store->repack_demanded)) {
		erase->counts.days_packed += erase->packing && day;
		erase->packing = false;
		return 1;
	}
	if (env->write) {
		*dirty = true;
		return 0;
	}
	if (repack_is_running(store) || (day && day->pins && seal_is_under_way(store, INT64_MAX)))
		return drive(erase, deadline_us, dirty, err);
	if (day && day->pins)
		return 0; /* a backup is copying it */
	if ((day ? repack_begin(store, day, err) : repack_begin_catalog(store, err)) != 0)
		return -1;
	erase->packing = true;
	return 0;
}

int erase_demand_catalog(struct erase *erase, struct error *err)
{
	return repack_demand(erase->store, NULL, err);
}

int erase_pack_catalog(struct erase *erase, int64_t deadline_us, bool *dirty, bool *done, struct error *err)
{
	int result = 0;
	*dirty = *done = false;
	while (result == 0 && !*dirty && clock_monotonic_us() < deadline_us)
		result = pack(erase, NULL, deadline_us, dirty, err);
	*done = result > 0;
	return result < 0 ? -1 : 0;
}

/* --- days and passes --- */

static void begin_day(struct erase *erase, int32_t day)
{
	erase->day = day;
	erase->has_day = true;
	erase->stage = STAGE_HOT;
	erase->account = 0;
	erase->has_key = false;
	buf_clear(&erase->runs);
}

static void next_day(struct erase *erase)
{
	erase->day++;
	erase->has_day = false;
	erase->counts.days_done++;
}

static int step_day(struct erase *erase, struct day *day, int64_t deadline_us, bool *dirty, struct error *err)
{
	int result;
	switch (erase->stage) {
	case STAGE_HOT:
		return step_hot(erase, day, deadline_us, dirty, err);
	case STAGE_DRAIN:
		if (seal_is_under_way(erase->store, erase->drain_us))
			return drive(erase, deadline_us, dirty, err);
		if (day->env.write || day->blocks_changed) {
			*dirty = true;
			return 0;
		}
		erase->stage = STAGE_FIND;
		erase->account = 0;
		erase->has_key = false;
		return 0;
	case STAGE_FIND:
		return step_find(erase, day, err);
	case STAGE_REWRITE:
		return step_rewrite(erase, day, deadline_us, dirty, err);
	case STAGE_PACK:
		result = pack(erase, day, deadline_us, dirty, err);
		if (result > 0)
			next_day(erase);
		return result < 0 ? -1 : 0;
	}
	return 0;
}

/* All days are done. True if that was the last pass. */
static bool end_pass(struct erase *erase)
{
	struct erase_counts *counts = &erase->counts;
	counts->left = erase->found;
	if (erase->found == 0 || counts->pass == ERASE_PASSES_MAX)
		return true;
	counts->pass++;
	counts->rows = counts->days_done = 0;
	counts->days_total = erase->store->days_count;
	erase->found = 0;
	erase->day = INT32_MIN;
	return false;
}

int erase_step(struct erase *erase, int64_t deadline_us, bool *dirty, bool *done, struct error *err)
{
	struct store *store = erase->store;
	*dirty = *done = false;
	do {
		size_t at = store_day_index(store, erase->day);
		if (at == store->days_count) {
			*done = end_pass(erase);
			continue;
		}
		if (!erase->has_day || store->day_numbers[at] != erase->day)
			begin_day(erase, store->day_numbers[at]);
		struct day *day = store_day(store, erase->day, false, err);
		if (!day || step_day(erase, day, deadline_us, dirty, err) != 0)
			return -1;
	} while (!*dirty && !*done && clock_monotonic_us() < deadline_us);
	return 0;
}
