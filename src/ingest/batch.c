/* SPDX-License-Identifier: ISC */
/*
 * batch.c: one body of records, from its first piece to its answer. See ingest.h; what becomes of each record is
 * batch_record.c's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "ingest/ingest_private.h"
#include "store/clock_watch.h"
#include "store/takeover.h"

#define CONVERTED_MAX ((size_t)16 << 10) /* bytes of another encoding converted to UTF-8 at a time */

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
	batch->mapped = mapping_reader_new(mapping, limits, ingest_take_item, batch);
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
		batch->parser = parser_new(format, &limits, batch->product_name, ingest_take_item, batch);
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
	ingest_fail_batch(batch, ingest_losses(ingest), &err);
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
		ingest_fail_batch(batch, ingest_losses(ingest), &err);
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

	ingest_leave_puts(batch);
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

/* --- the answer --- */

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
