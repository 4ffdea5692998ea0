/* SPDX-License-Identifier: ISC */
/*
 * batch.c: one body of records, from its first piece to its answer. See ingest.h.
 *
 * Every record passes take_item, the hot path of ingest: nothing in it allocates or logs.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "ingest/ingest_private.h"
#include "ingest/repeats.h"
#include "meta/accounts.h"
#include "store/clock_watch.h"
#include "store/takeover.h"

#define CONVERTED_MAX ((size_t)16 << 10) /* bytes of another encoding converted to UTF-8 at a time */

/* Counts a rejected record in the sums of its round, besides its batch's. */
static void count_rejected(struct ingest_batch *batch, uint64_t round)
{
	struct ingest *ingest = batch->ingest;
	bool decides = ingest_is_deciding(ingest, round);

	batch->summary.rejected++;
	batch->deciding.rejected += decides;
	(decides ? &ingest->commit.pending : &ingest->pending)->rejected++;
}

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

static void count(struct ingest_summary *summary, enum store_put_result result)
{
	summary->accepted += result == STORE_ACCEPTED;
	summary->updated += result == STORE_UPDATED;
	summary->duplicates += result == STORE_DUPLICATE;
	summary->outdated += result == STORE_OUTDATED;
}

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

/* --- into the store --- */

/* The sums that count a record of the round, besides its batch's. */
static void count_result(struct ingest_batch *batch, uint64_t round, enum store_put_result result)
{
	struct ingest *ingest = batch->ingest;
	bool decides = ingest_is_deciding(ingest, round);

	count(&batch->summary, result);
	if (decides)
		count(&batch->deciding, result);
	count(decides ? &ingest->commit.pending : &ingest->pending, result);
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

static void count_account(struct ingest *ingest, struct str account, enum store_put_result result)
{
	if (result == STORE_ACCEPTED || result == STORE_UPDATED)
		heavy_hitters_add(&ingest->accounts, account, "", 1);
}

static void fail(struct ingest_batch *batch, uint64_t aborts, const struct error *err)
{
	/* Only this batch needs the data that could not be read, if what others have put is intact. */
	if (ingest_losses(batch->ingest) != aborts) {
		ingest_fail_round(batch->ingest, err);
		return;
	}
	batch->failure = *err;
	if (batch->held_count > 0)
		ingest_drop_held_of_failed(batch->ingest);
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

/* A put has ended after its call returned. */
static void end_late(struct ingest_put *put, const struct error *failure)
{
	struct ingest_batch *batch = put->batch;
	uint64_t aborts = ingest_losses(put->ingest);
	struct error err;

	LIST_REMOVE(put, link);
	if (batch && batch->failure.code == ERROR_NONE) {
		put->ingest->check.faults_count = 0;
		put->ingest->check.failed = false;
		if (failure)
			fail(batch, put->aborts, failure);
		else if (take_result(batch, put, &put->item, &err) != 0)
			fail(batch, aborts, &err);
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
	put->aborts = ingest_losses(ingest);
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

static void take_item(void *arg, const struct parse_item *item)
{
	struct ingest_batch *batch = arg;
	struct error err;

	if (batch->failure.code != ERROR_NONE)
		return;
	batch->round = batch->ingest->round;
	uint64_t aborts = ingest_losses(batch->ingest);
	if (check_and_put(batch, item, &err) != 0)
		fail(batch, aborts, &err);
	else if (!batch->holds)
		ingest_commit_if_large(batch->ingest);
}

static int begin_encoding(struct ingest_batch *batch, enum parse_format format, struct error *err)
{
	const char *name = batch->settings.encoding;

	if (format == PARSE_MSGPACK)
		return error_set(err, ERROR_INVALID, "encoding: %s: texts in msgpack are UTF-8; none may be set", name);
	batch->encoding = encoding_new(name, err);
	return batch->encoding ? 0 : -1;
}

void ingest_take_mapping(struct ingest_settings *settings, const struct mapping *mapping)
{
	if (!settings->time_zone[0])
		snprintf(settings->time_zone, sizeof(settings->time_zone), "%s", mapping_time_zone(mapping));
	if (!settings->mode[0])
		snprintf(settings->mode, sizeof(settings->mode), "%s", mapping_mode(mapping));
}

static int begin_mapping(struct ingest_batch *batch, const struct parse_limits *limits, struct error *err)
{
	struct mapping *mapping = mappings_get(batch->ingest->mappings, batch->settings.mapping);

	if (!mapping)
		return error_set(err, ERROR_INVALID, "mapping: \"%s\": there is no such mapping",
		                 batch->settings.mapping);
	batch->mapped = mapping_reader_new(mapping, limits, take_item, batch);
	ingest_take_mapping(&batch->effective, mapping);
	mapping_release(mapping);
	return batch->mapped ? 0 : error_set(err, ERROR_NOMEM, "mapping: out of memory");
}

struct ingest_batch *ingest_batch_new(struct ingest *ingest, enum parse_format format, const char *producer,
                                      const char *product_name, const struct ingest_settings *settings,
                                      ingest_done_fn done, void *arg, struct error *err)
{
	const struct config *config = ingest->config;
	struct parse_limits limits = {
		.line_max_bytes = (size_t)config->line_max,
		.value_max_bytes = (size_t)config->value_max,
		.depth_max = (int)config->json_depth_max,
	};

	if (disk_is_low(ingest->disk)) {
		disk_fail_low(ingest->disk, err);
		return NULL;
	}
	if (takeover_check_hold(ingest->store, err) != 0)
		return NULL;
	struct ingest_batch *batch = calloc(1, sizeof(*batch));
	if (!batch)
		goto fail;
	batch->ingest = ingest;
	if (settings)
		batch->settings = *settings;
	batch->effective = batch->settings;
	batch->done = done;
	batch->arg = arg;
	batch->format = format;
	batch->producer = producer ? strdup(producer) : NULL;
	batch->product_name = product_name ? strdup(product_name) : NULL;
	if ((producer && !batch->producer) || (product_name && !batch->product_name))
		goto fail;
	if (batch->settings.encoding[0] && begin_encoding(batch, format, err) != 0)
		goto fail_with;
	if (format != PARSE_MAPPED)
		batch->parser = parser_new(format, &limits, batch->product_name, take_item, batch);
	else if (begin_mapping(batch, &limits, err) != 0)
		goto fail_with;
	if (!batch->parser && !batch->mapped)
		goto fail;
	batch->versions.merge = strcmp(batch->effective.mode, "merge") == 0;
	ingest_batch_move(batch, &ingest->feeding);
	ingest->stats.batches++;
	return batch;
fail:
	error_set(err, ERROR_NOMEM, "batch of %s: out of memory", producer ? producer : "quarantine");
fail_with:
	ingest_batch_free(batch);
	return NULL;
}

void ingest_batch_fold_errors(struct ingest_batch *batch)
{
	batch->errors.fold = true;
}

int ingest_batch_resume(struct ingest_batch *batch, struct str beginning, struct str header, uint64_t line,
                        uint64_t byte, struct error *err)
{
	if (batch->encoding && byte > 0)
		encoding_take_beginning(batch->encoding, beginning);
	batch->encoded_fed = byte;
	batch->encoded = (struct parse_position){ .line = line, .byte = byte, .unit = "line" };
	return mapping_reader_resume(batch->mapped, header, line, byte, err);
}

void ingest_batch_hold(struct ingest_batch *batch)
{
	batch->holds = true;
}

void ingest_batch_place(const struct ingest_batch *batch, struct parse_position *position, struct str *header)
{
	if (batch->encoding)
		*position = batch->encoded;
	else
		mapping_reader_position(batch->mapped, position);
	*header = mapping_reader_header(batch->mapped);
}

void ingest_batch_free(struct ingest_batch *batch)
{
	if (!batch)
		return;
	parser_free(batch->parser);
	mapping_reader_free(batch->mapped);
	encoding_free(batch->encoding);
	ingest_leave_held(batch);
	free(batch->producer);
	free(batch->product_name);
	errors_free(&batch->errors);
	repeats_free(batch->repeats);
	free(batch);
}

bool ingest_batch_is_over(const struct ingest_batch *batch)
{
	return ingest_batch_has_failed(batch) || batch->stop.code != ERROR_NONE;
}

bool ingest_batch_has_failed(const struct ingest_batch *batch)
{
	return batch->failure.code != ERROR_NONE;
}

const struct error *ingest_batch_failure(const struct ingest_batch *batch)
{
	return ingest_batch_has_failed(batch) ? &batch->failure : NULL;
}

/* --- the body --- */

static int feed(struct ingest_batch *batch, const char *data, size_t len, struct error *err)
{
	return batch->mapped ? mapping_reader_feed(batch->mapped, data, len, err) :
	                       parser_feed(batch->parser, data, len, err);
}

static int end(struct ingest_batch *batch, struct error *err)
{
	return batch->mapped ? mapping_reader_finish(batch->mapped, err) : parser_finish(batch->parser, err);
}

static void find_position(const struct ingest_batch *batch, struct parse_position *position)
{
	if (batch->mapped)
		mapping_reader_position(batch->mapped, position);
	else
		parser_position(batch->parser, position);
}

/* Accepts nothing more of the body. */
static void stop(struct ingest_batch *batch, const struct error *why)
{
	if (ingest_batch_is_over(batch))
		return;
	batch->stop = *why;
	find_position(batch, &batch->stopped);
}

/* Before records of a batch are checked; false if it takes no more. */
static bool begin_run(struct ingest_batch *batch)
{
	struct ingest *ingest = batch->ingest;
	int64_t now_us = clock_now_us();
	int64_t earliest_us, latest_us;
	struct error err;

	if (ingest_batch_is_over(batch))
		return false;
	heavy_hitters_begin_day(&ingest->accounts, now_us);
	store_clock_span(ingest->store, now_us, &earliest_us, &latest_us);
	if (takeover_check_hold(ingest->store, &err) == 0 &&
	    check_set_batch(&ingest->check, &batch->effective, earliest_us, latest_us, &err) == 0)
		return true;
	fail(batch, ingest_losses(ingest), &err);
	return false;
}

static void feed_text(struct ingest_batch *batch, struct buf *text)
{
	struct error err;
	int result = 0;

	if (text->failed)
		result = error_set(&err, ERROR_NOMEM, "encoding %s: out of memory", batch->settings.encoding);
	else if (!ingest_batch_is_over(batch) && text->len > 0)
		result = feed(batch, text->data, text->len, &err);
	if (result != 0)
		stop(batch, &err);
}

static void feed_converted(struct ingest_batch *batch, struct str piece)
{
	struct buf *text = &batch->ingest->text;

	for (size_t at = 0; at < piece.len; at += CONVERTED_MAX) {
		size_t left = piece.len - at;

		buf_clear(text);
		encoding_convert(batch->encoding,
		                 (struct str){ piece.p + at, left < CONVERTED_MAX ? left : CONVERTED_MAX }, text);
		feed_text(batch, text);
	}
}

/* In lines, as the place in the text that was converted is not one in the body. */
static void feed_lines(struct ingest_batch *batch, struct str piece)
{
	while (piece.len > 0 && !ingest_batch_is_over(batch)) {
		size_t line = encoding_line_len(batch->encoding, piece, batch->encoded_fed);
		size_t len = line > 0 ? line : piece.len;

		feed_converted(batch, (struct str){ piece.p, len });
		batch->encoded_fed += len;
		piece = (struct str){ piece.p + len, piece.len - len };
		if (line == 0 || !mapping_reader_is_between(batch->mapped))
			continue;
		mapping_reader_position(batch->mapped, &batch->encoded);
		batch->encoded.byte = batch->encoded_fed;
	}
}

static void end_converted(struct ingest_batch *batch)
{
	struct buf *text = &batch->ingest->text;

	buf_clear(text);
	encoding_end(batch->encoding, text);
	feed_text(batch, text);
}

void ingest_batch_feed(struct ingest_batch *batch, const char *data, size_t len)
{
	struct ingest *ingest = batch->ingest;
	struct error err;

	if (!ingest_batch_is_over(batch) && disk_is_low(ingest->disk)) {
		disk_fail_low(ingest->disk, &err);
		fail(batch, ingest_losses(ingest), &err);
	}
	if (!begin_run(batch))
		return;
	ingest->round_bytes += len;
	ingest->stats.bytes += len;
	if (batch->encoding && batch->encoded.unit)
		feed_lines(batch, (struct str){ data, len });
	else if (batch->encoding)
		feed_converted(batch, (struct str){ data, len });
	else if (feed(batch, data, len, &err) != 0)
		stop(batch, &err);
}

bool ingest_batch_must_wait(struct ingest_batch *batch, void (*room)(void *arg))
{
	bool waits = ingest_is_full(batch->ingest) && !ingest_batch_is_over(batch);

	if (waits)
		batch->room = room;
	return waits;
}

static void await_commit(struct ingest_batch *batch)
{
	ingest_batch_move(batch, &batch->ingest->waiting);
	if (!batch->holds)
		ingest_commit_soon(batch->ingest);
}

void ingest_batch_finish(struct ingest_batch *batch)
{
	struct error err;

	if (begin_run(batch)) {
		if (batch->encoding)
			end_converted(batch);
		if (end(batch, &err) != 0)
			stop(batch, &err);
	}
	await_commit(batch);
}

int ingest_batch_keep_unreadable(struct ingest_batch *batch, struct str body, bool cut, struct error *err)
{
	const struct parse_fault fault = { "", batch->stop.message };
	const struct parse_item item = {
		.line = batch->stopped.line, .raw = body, .size = body.len, .raw_cut = cut, .format = batch->format
	};
	uint64_t aborts = ingest_losses(batch->ingest);

	if (batch->stop.code != ERROR_INVALID || batch->failure.code != ERROR_NONE)
		return 0;
	batch->round = batch->ingest->round;
	if (ingest_quarantine(batch, batch->round, &item, &fault, 1, err) != 0) {
		fail(batch, aborts, err);
		return -1;
	}
	count_rejected(batch, batch->round);
	return 1;
}

void ingest_batch_may_repeat(struct ingest_batch *batch)
{
	batch->may_repeat = true;
}

bool ingest_batch_is_decided(const struct ingest_batch *batch)
{
	const struct ingest *ingest = batch->ingest;

	return batch->queue == &ingest->deciding && batch->round <= ingest->commit.round &&
	       batch->failure.code == ERROR_NONE;
}

void ingest_batch_stop(struct ingest_batch *batch, const struct error *why)
{
	stop(batch, why);
	await_commit(batch);
}

void ingest_batch_abandon(struct ingest_batch *batch)
{
	struct ingest *ingest = batch->ingest;
	struct ingest_put *put;

	LIST_FOREACH(put, &ingest->late, link)
		if (put->batch == batch)
			put->batch = NULL;
	ingest_batch_move(batch, NULL);
	ingest_batch_free(batch);
	if (ingest->round_records > 0)
		ingest_commit_soon(ingest);
}

void ingest_batch_summary(const struct ingest_batch *batch, struct ingest_summary *summary)
{
	*summary = batch->summary;
}

void ingest_batch_decided(const struct ingest_batch *batch, struct ingest_summary *summary)
{
	*summary = batch->deciding;
}

static void write_answer(const struct ingest_batch *batch, struct buf *out)
{
	struct json j = json_to(out);

	json_object_begin(&j);
	ingest_summary_write(&batch->committed, &j);
	if (batch->mapped)
		json_member_uint(&j, "skipped", mapping_reader_skipped(batch->mapped));
	json_key(&j, "errors");
	errors_write(&batch->errors, &j);
	if (batch->errors.fold)
		json_member_uint(&j, "errors_unlisted", batch->errors.unlisted);
	if (batch->stop.code != ERROR_NONE && batch->failure.code == ERROR_NONE) {
		json_member_uint(&j, batch->stopped.unit, batch->stopped.line);
		if (!batch->encoding) /* otherwise it would count converted bytes, not those sent */
			json_member_uint(&j, "byte", batch->stopped.byte);
	}
	json_object_end(&j);
}

/* Why it ended early, and what was stored all the same. */
static void tell_end(const struct ingest_batch *batch, struct error *told)
{
	const struct ingest_summary *taken = &batch->committed;
	bool failed = batch->failure.code != ERROR_NONE;
	const struct error *why = failed ? &batch->failure : &batch->stop;
	char where[64] = "";

	if (!failed)
		snprintf(where, sizeof(where), " (at %s %llu)", batch->stopped.unit,
		         (unsigned long long)batch->stopped.line);
	error_set(
		told, why->code,
		"%.280s%s; before that %llu were accepted, %llu updated, %llu duplicates, %llu outdated, %llu rejected",
		why->message, where, (unsigned long long)taken->accepted, (unsigned long long)taken->updated,
		(unsigned long long)taken->duplicates, (unsigned long long)taken->outdated,
		(unsigned long long)taken->rejected);
}

void ingest_batch_answer(struct ingest_batch *batch)
{
	struct buf answer = { 0 };
	struct error told;

	write_answer(batch, &answer);
	if (answer.failed || errors_failed(&batch->errors)) {
		buf_clear(&answer);
		error_set(&batch->failure, ERROR_NOMEM, "answer to %s: out of memory",
		          batch->producer ? batch->producer : "a replay");
	}
	if (ingest_batch_is_over(batch))
		tell_end(batch, &told);
	batch->done(batch->arg, &batch->committed, &answer, ingest_batch_is_over(batch) ? &told : NULL);
	buf_free(&answer);
	ingest_batch_free(batch);
}
