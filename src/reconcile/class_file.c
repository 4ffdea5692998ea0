/* SPDX-License-Identifier: ISC */
/*
 * class_file.c: see class_file.h.
 */
#include "reconcile/class_file.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "record/record.h"

#define PART_BYTES ((size_t)256 << 10) /* compressed at once: about a millisecond */

const char class_file_pairs[] =
	"id_ours,id_theirs,account_id,from,to,country,time_ours,time_theirs,duration_ours,duration_theirs,status_ours,"
	"status_theirs,price_ours,price_theirs,currency_ours,currency_theirs,line_theirs,note";

static int no_memory(struct error *err)
{
	return error_set(err, ERROR_NOMEM, "Out of memory for a reconciliation");
}

int class_file_open(struct class_file *file, const char *path, const struct archive_options *options,
                    const char *header, struct error *err)
{
	file->sums = calloc(1, sizeof(*file->sums));
	if (!file->sums)
		return no_memory(err);
	file->archive = archive_new(path, options, err);
	if (!file->archive)
		return -1;
	buf_add_text(&file->lines, header);
	buf_add_char(&file->lines, '\n');
	return 0;
}

/* Compresses the lines, if there are many. */
static int put(struct class_file *file, size_t many, struct error *err)
{
	if (file->lines.failed)
		return no_memory(err);
	if (file->lines.len < many)
		return 0;
	if (archive_put(file->archive, buf_str(&file->lines), 0, err) != ARCHIVE_PUT)
		return -1;
	buf_clear(&file->lines);
	return 0;
}

int class_file_add(struct class_file *file, const struct str *values, size_t count, struct error *err)
{
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			buf_add_char(&file->lines, ',');
		record_write_csv_value(&file->lines, values[i]);
	}
	buf_add_char(&file->lines, '\n');
	file->rows++;
	return put(file, PART_BYTES, err);
}

static struct str text_of(const struct match_row *row, enum match_text text)
{
	return row ? row->texts[text] : STR_LITERAL("");
}

static struct str ours_or_theirs(const struct match_row *ours, const struct match_row *theirs, enum match_text text)
{
	return ours && (ours->texts[text].len > 0 || !theirs) ? ours->texts[text] : text_of(theirs, text);
}

static struct str time_of(const struct match_row *row, struct buf *text)
{
	if (row)
		clock_format_record(text, row->time_us);
	return buf_str(text);
}

int class_file_add_pair(struct class_file *file, const struct match_row *ours, const struct match_row *theirs,
                        struct str note, struct error *err)
{
	struct buf time_ours = { 0 }, time_theirs = { 0 };
	char line[24] = "";

	if (theirs)
		(void)snprintf(line, sizeof(line), "%llu", (unsigned long long)theirs->serial);
	const struct str values[] = {
		text_of(ours, MATCH_ID),
		text_of(theirs, MATCH_ID),
		text_of(ours, MATCH_ACCOUNT),
		ours_or_theirs(ours, theirs, MATCH_FROM),
		ours_or_theirs(ours, theirs, MATCH_TO),
		ours_or_theirs(ours, theirs, MATCH_COUNTRY),
		time_of(ours, &time_ours),
		time_of(theirs, &time_theirs),
		text_of(ours, MATCH_DURATION),
		text_of(theirs, MATCH_DURATION),
		text_of(ours, MATCH_STATUS),
		text_of(theirs, MATCH_STATUS),
		text_of(ours, MATCH_PRICE),
		text_of(theirs, MATCH_PRICE),
		text_of(ours, MATCH_CURRENCY),
		text_of(theirs, MATCH_CURRENCY),
		str_from(line),
		note,
	};
	struct str country = values[5];

	if (ours)
		class_sums_add(file->sums, CLASS_OURS, ours->texts[MATCH_CURRENCY], country, ours->texts[MATCH_PRICE]);
	if (theirs) /* of a carrier who names no currency, it is ours */
		class_sums_add(file->sums, CLASS_THEIRS,
		               theirs->texts[MATCH_CURRENCY].len > 0 ? theirs->texts[MATCH_CURRENCY] :
		                                                       text_of(ours, MATCH_CURRENCY),
		               country, theirs->texts[MATCH_PRICE]);
	file->lines.failed |= time_ours.failed || time_theirs.failed;
	int result = class_file_add(file, values, sizeof(values) / sizeof(values[0]), err);
	buf_free(&time_ours);
	buf_free(&time_theirs);
	return result;
}

int class_file_finish(struct class_file *file, struct class_file_result *result, struct error *err)
{
	uint8_t sha256[ARCHIVE_SHA256_BYTES];

	if (put(file, 1, err) != 0 || archive_finish(file->archive, err) != 0 ||
	    archive_sync(file->archive, err) != 0 || archive_sha256(file->archive, sha256, err) != 0)
		return -1;
	result->rows = file->rows;
	result->bytes = archive_state(file->archive)->bytes;
	str_write_hex(result->sha256, sha256, sizeof(sha256));
	return 0;
}

void class_file_close(struct class_file *file)
{
	archive_free(file->archive);
	buf_free(&file->lines);
	free(file->sums);
	*file = (struct class_file){ 0 };
}
