/* SPDX-License-Identifier: ISC */
/*
 * batch_record.c: what becomes of a record of a batch: it is checked and put into the store, or rejected, and counted.
 *
 * Every record passes ingest_take_item, the hot path of ingest: nothing in it allocates or logs, unless the store ends the
 * put later.
 */
#include <stdlib.h>

#include "ingest/ingest_private.h"
#include "meta/accounts.h"

/* --- counts: a record counts for its batch, and in the sums of its round --- */

static void count(struct ingest_summary *summary, enum store_put_result result)
{
	summary->accepted += result == STORE_ACCEPTED;
	summary->updated += result == STORE_UPDATED;
	summary->duplicates += result == STORE_DUPLICATE;
	summary->outdated += result == STORE_OUTDATED;
}

static void count_result(struct ingest_batch *batch, uint64_t round, enum store_put_result result)
{
	struct ingest *ingest = batch->ingest;
	bool decides = ingest_is_deciding(ingest, round);

	count(&batch->summary, result);
	if (decides)
		count(&batch->deciding, result);
	count(decides ? &ingest->commit.pending : &ingest->pending, result);
}

static void count_rejected(struct ingest_batch *batch, uint64_t round)
{
	struct ingest *ingest = batch->ingest;
	bool decides = ingest_is_deciding(ingest, round);

	batch->summary.rejected++;
	batch->deciding.rejected += decides;
	(decides ? &ingest->commit.pending : &ingest->pending)->rejected++;
}

static void count_account(struct ingest *ingest, struct str account, enum store_put_result result)
{
	if (result == STORE_ACCEPTED || result == STORE_UPDATED)
		heavy_hitters_add(&ingest->accounts, account, "", 1);
}

/* --- records that are rejected, and batches that fail --- */

/* Rejects the record with all faults that check_item found. */
static int reject(struct ingest_batch *batch, uint64_t round, const struct parse_item *item, struct error *err)
{
	const struct check *check = &batch->ingest->check;

	for (size_t i = 0; i < check->faults_count; i++)
		errors_add(&batch->errors, (uint64_t)batch->ingest->config->errors_max, item->line,
		           check->faults[i].field, check->faults[i].reason);
	if (ingest_quarantine(batch, round, item, check->faults, check->faults_count, err) != 0)
		return -1;
	count_rejected(batch, round);
	return 0;
}

void ingest_fail_batch(struct ingest_batch *batch, uint64_t losses, const struct error *err)
{
	/* Only this batch needs the data that could not be read, if what others have put is intact. */
	if (ingest_losses(batch->ingest) != losses) {
		ingest_fail_round(batch->ingest, err);
		return;
	}
	batch->failure = *err;
	if (batch->held_count > 0)
		ingest_drop_held_of_failed(batch->ingest);
}

/* --- into the store --- */

/* How versions of a product's records are compared. A product without the version field uses the status. */
static const struct store_versions *versions_of(struct ingest_batch *batch, const struct catalog_product *product,
                                                bool updates)
{
	if (batch->versions_product != product) {
		batch->versions_product = product;
		batch->versions.column = catalog_column_find(product, str_from(batch->settings.version));
	}
	batch->versions.updates = updates;
	return &batch->versions;
}

/* Has the store rejected the record after all? */
static bool is_refused(const struct ingest_put *put)
{
	return put->result == STORE_LACKS_DIRECTION || put->result == STORE_LACKS_RECORD;
}

/* Counts what the store did with a record. */
static int take_result(struct ingest_batch *batch, const struct ingest_put *put, const struct parse_item *item,
                       struct error *err)
{
	struct ingest *ingest = batch->ingest;
	struct record unread;

	if (!is_refused(put)) {
		count_result(batch, put->round, put->result);
		ingest->round_records += !put->is_late && put->result != STORE_DUPLICATE;
		return 0;
	}
	record_clear(&unread, put->product);
	if (put->result == STORE_LACKS_RECORD)
		check_refuse_update(&ingest->check, &unread);
	else
		check_refuse_direction(&ingest->check, &unread);
	if (!ingest->check.failed)
		return reject(batch, put->round, item, err);
	*err = ingest->check.failure;
	return -1;
}

static void put_free(struct ingest_put *put)
{
	if (!put)
		return;
	buf_free(&put->text);
	free(put);
}

void ingest_puts_free(struct ingest *ingest)
{
	struct ingest_put *put;

	while ((put = LIST_FIRST(&ingest->late))) {
		LIST_REMOVE(put, link);
		put_free(put);
	}
	put_free(ingest->put);
	ingest->put = NULL;
}

void ingest_leave_puts(struct ingest_batch *batch)
{
	struct ingest_put *put;

	LIST_FOREACH(put, &batch->ingest->late, link)
		if (put->batch == batch)
			put->batch = NULL;
}

/* A put has ended after its call returned. */
static void end_late(struct ingest_put *put, const struct error *failure)
{
	struct ingest_batch *batch = put->batch;
	uint64_t losses = ingest_losses(put->ingest);
	struct error err;

	LIST_REMOVE(put, link);
	if (batch && batch->failure.code == ERROR_NONE) {
		put->ingest->check.faults_count = 0;
		put->ingest->check.failed = false;
		if (failure)
			ingest_fail_batch(batch, put->losses, failure);
		else if (take_result(batch, put, &put->item, &err) != 0)
			ingest_fail_batch(batch, losses, &err);
		if (!failure)
			count_account(put->ingest, put->account, put->result);
	}
	put_free(put);
}

static void on_put(void *arg, enum store_put_result result, const struct error *err)
{
	struct ingest_put *put = arg;

	put->ended = true;
	put->result = result;
	put->failed = err != NULL;
	if (put->is_late)
		end_late(put, err);
	else if (err)
		*put->err = *err;
}

/* The store ends the put later: keeps what is needed of the item and the record until then. */
static int keep(struct ingest_put *put, const struct parse_item *item, const struct record *record, struct error *err)
{
	struct ingest *ingest = put->ingest;
	struct str account = record_value(record, record->product->account_column);

	ingest->put = NULL;
	LIST_INSERT_HEAD(&ingest->late, put, link);
	put->is_late = true;
	ingest->round_records++;
	put->item = *item;
	put->item.record = NULL;
	put->item.faults = NULL;
	buf_add_str(&put->text, item->raw);
	buf_add_str(&put->text, item->header);
	buf_add_str(&put->text, account);
	if (put->text.failed) {
		put->item.raw = put->item.header = put->account = (struct str){ NULL, 0 };
		return error_set(err, ERROR_NOMEM, "A record on its way into the store: out of memory");
	}
	put->item.raw = (struct str){ put->text.data, item->raw.len };
	put->item.header = (struct str){ put->text.data + item->raw.len, item->header.len };
	put->account = (struct str){ put->text.data + item->raw.len + item->header.len, account.len };
	return 0;
}

/* The current put, which is reused as long as none is late. */
static struct ingest_put *get_put(struct ingest *ingest, struct error *err)
{
	if (!ingest->put)
		ingest->put = calloc(1, sizeof(*ingest->put));
	if (!ingest->put)
		error_set(err, ERROR_NOMEM, "A record on its way into the store: out of memory");
	return ingest->put;
}

static int put(struct ingest_batch *batch, const struct parse_item *item, const struct record *record, int64_t time_us,
               struct error *err)
{
	struct ingest *ingest = batch->ingest;
	struct ingest_put *put = get_put(ingest, err);

	if (!put)
		return -1;
	put->ingest = ingest;
	put->batch = batch;
	put->product = record->product;
	put->losses = ingest_losses(ingest);
	put->round = ingest->round;
	put->ended = false;
	put->err = err;
	store_put_begin(ingest->store, record, time_us, versions_of(batch, record->product, item->updates), on_put,
	                put);
	if (!put->ended)
		return keep(put, item, record, err);
	if (!put->failed)
		count_account(ingest, record_value(record, record->product->account_column), put->result);
	return put->failed ? -1 : take_result(batch, put, item, err);
}

/* --- a record --- */

/* What putting the record will read is on its way from memory while the record is checked. */
static void expect(const struct ingest *ingest, const struct record *record)
{
	struct account_key account;

	if (accounts_key_known(ingest->meta, record_value(record, record->product->account_column), &account))
		store_expect(ingest->store, record, &account);
}

static int check_and_put(struct ingest_batch *batch, const struct parse_item *item, struct error *err)
{
	struct check *check = &batch->ingest->check;
	struct record record;
	int64_t time_us;

	if (item->record)
		expect(batch->ingest, item->record);
	if (!check_item(check, item, &record, &time_us)) {
		if (!check->failed)
			return reject(batch, batch->round, item, err);
		*err = check->failure;
		return -1;
	}
	return put(batch, item, &record, time_us, err);
}

void ingest_take_item(void *arg, const struct parse_item *item)
{
	struct ingest_batch *batch = arg;
	struct error err;

	if (batch->failure.code != ERROR_NONE)
		return;
	batch->round = batch->ingest->round;
	uint64_t losses = ingest_losses(batch->ingest);
	if (check_and_put(batch, item, &err) != 0)
		ingest_fail_batch(batch, losses, &err);
	else if (!batch->holds)
		ingest_commit_if_large(batch->ingest);
}

int ingest_batch_keep_unreadable(struct ingest_batch *batch, struct str body, bool cut, struct error *err)
{
	const struct parse_fault fault = { "", batch->stop.message };
	const struct parse_item item = {
		.line = batch->stopped.line, .raw = body, .size = body.len, .raw_cut = cut, .format = batch->format
	};
	uint64_t losses = ingest_losses(batch->ingest);

	if (batch->stop.code != ERROR_INVALID || batch->failure.code != ERROR_NONE)
		return 0;
	batch->round = batch->ingest->round;
	if (ingest_quarantine(batch, batch->round, &item, &fault, 1, err) != 0) {
		ingest_fail_batch(batch, losses, err);
		return -1;
	}
	count_rejected(batch, batch->round);
	return 1;
}
