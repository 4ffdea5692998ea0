/* SPDX-License-Identifier: ISC */
/*
 * trial.c: what ingest would make of a mapping's rows. See ingest.h.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "ingest/ingest_private.h"
#include "store/clock_watch.h"

struct ingest_trial {
	struct ingest *ingest;
	struct ingest_settings settings; /* with what the mapping says */
	struct mapping_reader *reader;
	struct encoding *encoding; /* NULL: UTF-8 */
	struct buf text;           /* of the piece, converted */
	ingest_trial_fn on_row;
	void *arg;
};

static void take_item(void *arg, const struct parse_item *item)
{
	struct ingest_trial *trial = arg;
	struct check *check = &trial->ingest->check;
	struct record record;
	int64_t time_us;
	bool passed = check_item(check, item, &record, &time_us);
	struct parse_fault failure = { "", check->failure.message };
	struct ingest_trial_row row = { .line = item->line, .updates = item->updates };

	row.record = passed ? &record : NULL;
	row.faults = check->failed ? &failure : check->faults;
	row.faults_count = check->failed ? 1 : check->faults_count;
	trial->on_row(trial->arg, &row);
}

static int begin(struct ingest_trial *trial, struct error *err)
{
	const struct config *config = trial->ingest->config;
	struct parse_limits limits = { (size_t)config->line_max, (size_t)config->value_max,
		                       (int)config->json_depth_max };
	struct mapping *mapping = mappings_get(trial->ingest->mappings, trial->settings.mapping);

	if (!mapping)
		return error_set(err, ERROR_NOT_FOUND, "\"%s\": there is no such mapping", trial->settings.mapping);
	ingest_take_mapping(&trial->settings, mapping);
	trial->reader = mapping_reader_new(mapping, &limits, take_item, trial);
	mapping_release(mapping);
	if (!trial->reader)
		return error_set(err, ERROR_NOMEM, "Out of memory for a trial");
	if (trial->settings.encoding[0])
		trial->encoding = encoding_new(trial->settings.encoding, err);
	return trial->settings.encoding[0] && !trial->encoding ? -1 : 0;
}

struct ingest_trial *ingest_trial_new(struct ingest *ingest, const struct ingest_settings *settings,
                                      ingest_trial_fn on_row, void *arg, struct error *err)
{
	struct ingest_trial *trial = calloc(1, sizeof(*trial));

	if (!trial) {
		error_set(err, ERROR_NOMEM, "Out of memory for a trial");
		return NULL;
	}
	trial->ingest = ingest;
	trial->settings = *settings;
	trial->on_row = on_row;
	trial->arg = arg;
	if (begin(trial, err) == 0)
		return trial;
	ingest_trial_free(trial);
	return NULL;
}

/* The check is shared with batches: it is told about the trial's settings before each piece. */
static int feed(struct ingest_trial *trial, struct str piece, struct error *err)
{
	struct ingest *ingest = trial->ingest;
	int64_t earliest_us, latest_us;

	store_clock_span(ingest->store, clock_now_us(), &earliest_us, &latest_us);
	if (check_set_batch(&ingest->check, &trial->settings, earliest_us, latest_us, err) != 0)
		return -1;
	return piece.len > 0 ? mapping_reader_feed(trial->reader, piece.p, piece.len, err) : 0;
}

int ingest_trial_feed(struct ingest_trial *trial, struct str piece, struct error *err)
{
	if (!trial->encoding)
		return feed(trial, piece, err);
	buf_clear(&trial->text);
	encoding_convert(trial->encoding, piece, &trial->text);
	if (trial->text.failed)
		return error_set(err, ERROR_NOMEM, "Out of memory for a trial");
	return feed(trial, buf_str(&trial->text), err);
}

int ingest_trial_finish(struct ingest_trial *trial, uint64_t *skipped, struct error *err)
{
	int result = feed(trial, (struct str){ NULL, 0 }, err);

	if (result == 0)
		result = mapping_reader_finish(trial->reader, err);
	*skipped = mapping_reader_skipped(trial->reader);
	return result;
}

void ingest_trial_free(struct ingest_trial *trial)
{
	if (!trial)
		return;
	mapping_reader_free(trial->reader);
	encoding_free(trial->encoding);
	buf_free(&trial->text);
	free(trial);
}
