/* SPDX-License-Identifier: ISC */
/*
 * maker_parquet.c: a report's rows as row groups of a Parquet file (parquet/parquet.h).
 *
 * Times, amounts and counts are typed, everything else is text; values that are not there are null. Counts are decimals,
 * as a duration may have a fraction. A value that does not fit its column's type, which only records have that were
 * stored before ingest checked values, ends the report with an error that names it.
 *
 * A group is put in steps: its columns are finished, the room that is left is checked, and it is written. So is the
 * footer, for which what the groups said of themselves is read back from the file.
 */
#include "report/maker_private.h"

#include <stdlib.h>

#include "base/clock.h"
#include "parquet/parquet.h"

#define VALUE_SHOWN 64

enum stage { STAGE_ROWS, STAGE_WRITING, STAGE_FOOTER };

struct maker_parquet {
	struct parquet_group *group;
	size_t count;
	struct parquet_column columns[CATALOG_COLUMNS_MAX];
	uint8_t numbers[CATALOG_COLUMNS_MAX]; /* which columns of the product they are */
	enum stage stage;
	uint64_t written;       /* bytes of the group */
	uint64_t footer_before; /* bytes of it before the directories */
	uint64_t groups_copied; /* into the footer */
	uint64_t next_group;    /* where in the file the next one to be copied is */
	struct buf text;
};

static enum parquet_type type_of(enum catalog_kind kind)
{
	switch (kind) {
	case CATALOG_TIME:
		return PARQUET_TIME;
	case CATALOG_MONEY:
	case CATALOG_COUNT:
		return PARQUET_DECIMAL;
	default:
		return PARQUET_TEXT;
	}
}

static void add_column(struct maker_parquet *parquet, const struct catalog_product *product, uint8_t number)
{
	const struct catalog_column *column = &product->columns[number];

	parquet->columns[parquet->count] = (struct parquet_column){ column->name, type_of(column->kind) };
	parquet->numbers[parquet->count++] = number;
}

struct maker_parquet *maker_parquet_new(const struct report_spec *spec, const struct maker_lines *lines)
{
	struct maker_parquet *parquet = calloc(1, sizeof(*parquet));

	if (!parquet)
		return NULL;
	for (size_t i = 0; i < spec->columns_count; i++)
		add_column(parquet, spec->query.product, spec->columns[i]);
	for (uint64_t left = spec->columns ? 0 : lines->shown; left != 0; left &= left - 1)
		add_column(parquet, spec->query.product, (uint8_t)__builtin_ctzll(left));
	parquet->group = parquet_group_new(parquet->columns, parquet->count);
	if (parquet->group)
		return parquet;
	maker_parquet_free(parquet);
	return NULL;
}

void maker_parquet_free(struct maker_parquet *parquet)
{
	if (!parquet)
		return;
	parquet_group_free(parquet->group);
	buf_free(&parquet->text);
	free(parquet);
}

void maker_parquet_drop(struct maker_parquet *parquet)
{
	parquet_group_clear(parquet->group);
	parquet->stage = STAGE_ROWS;
	parquet->written = 0;
}

bool maker_parquet_is_full(const struct maker_parquet *parquet)
{
	return parquet_group_is_full(parquet->group);
}

static int refuse(const struct maker_parquet *parquet, const struct record *record, size_t i, struct str value,
                  struct error *err)
{
	struct str id = record_value(record, record->product->id_column);
	static const char *const wanted[] = { [PARQUET_TIME] = "a time", [PARQUET_DECIMAL] = "a number" };

	return error_set(err, ERROR_INVALID,
	                 "%.*s of record %.*s: \"%.*s\" is not %s, as its column in Parquet is: ask for csv or ndjson, "
	                 "or for columns without it",
	                 STR_ARGS(parquet->columns[i].name), STR_ARGS(id),
	                 (int)(value.len < VALUE_SHOWN ? value.len : VALUE_SHOWN), value.p,
	                 wanted[parquet->columns[i].type]);
}

int maker_parquet_add(struct maker_parquet *parquet, const struct record *record, struct error *err)
{
	for (size_t i = 0; i < parquet->count; i++) {
		struct str value = record->values[parquet->numbers[i]];

		if (!parquet_group_add(parquet->group, i, value))
			return refuse(parquet, record, i, value, err);
	}
	parquet_group_end_row(parquet->group);
	return 0;
}

static enum archive_put no_memory(struct error *err)
{
	error_set(err, ERROR_NOMEM, "Out of memory for a report's rows");
	return ARCHIVE_FAILED;
}

/* Puts parquet->text. */
static enum archive_put put_text(struct maker_parquet *parquet, struct archive *archive, struct error *err)
{
	if (parquet->text.failed)
		return no_memory(err);
	return archive_put(archive, buf_str(&parquet->text), 0, err);
}

/* --- a group --- */

static uint64_t footer_bytes(struct maker_parquet *parquet, uint64_t rows, uint64_t groups)
{
	buf_clear(&parquet->text);
	parquet_footer_begin(&parquet->text, parquet->columns, parquet->count, rows, groups);
	parquet_footer_end(&parquet->text, parquet->count, 0, 0);
	return parquet->text.len;
}

/* Would the file be within its limit if it ended after this group? */
static bool has_room(struct maker_parquet *parquet, const struct archive *archive, const struct maker_state *state,
                     uint64_t max_bytes)
{
	uint64_t bytes = archive_state(archive)->bytes + parquet_group_bytes(parquet->group) +
	                 state->groups.directory_bytes + parquet_group_directory_bytes(parquet->group);

	return max_bytes == 0 ||
	       bytes + footer_bytes(parquet, state->totals.rows, state->groups.count + 1) <= max_bytes;
}

/* Finishes the columns. PUT when the group may be written. */
static enum archive_put finish(struct maker_parquet *parquet, const struct archive *archive,
                               const struct maker_state *state, const struct maker_limits *limits, struct error *err)
{
	int more;

	while ((more = parquet_group_finish_some(parquet->group)) > 0)
		if (clock_monotonic_us() >= limits->deadline_us)
			return ARCHIVE_MORE;
	if (more < 0 || !parquet_group_close(parquet->group, archive_state(archive)->bytes))
		return no_memory(err);
	bool fits = has_room(parquet, archive, state, limits->max_bytes);
	if (parquet->text.failed) /* a footer that could not be written is not a short one */
		return no_memory(err);
	return fits ? ARCHIVE_PUT : ARCHIVE_NO_ROOM;
}

static enum archive_put write_group(struct maker_parquet *parquet, struct archive *archive,
                                    const struct maker_limits *limits, struct error *err)
{
	struct str piece;

	while (parquet_group_piece(parquet->group, parquet->written, &piece)) {
		if (archive_put(archive, piece, 0, err) != ARCHIVE_PUT)
			return ARCHIVE_FAILED;
		parquet->written += piece.len;
		if (clock_monotonic_us() >= limits->deadline_us)
			return ARCHIVE_MORE;
	}
	return ARCHIVE_PUT;
}

enum archive_put maker_parquet_put(struct maker_parquet *parquet, struct archive *archive, struct maker_state *state,
                                   const struct maker_limits *limits, struct error *err)
{
	enum archive_put put;

	if (parquet->stage == STAGE_ROWS) {
		put = finish(parquet, archive, state, limits, err);
		if (put != ARCHIVE_PUT)
			return put;
		parquet->stage = STAGE_WRITING;
	}
	put = write_group(parquet, archive, limits, err);
	if (put != ARCHIVE_PUT)
		return put;
	state->groups.count++;
	state->groups.directory_bytes += parquet_group_directory_bytes(parquet->group);
	maker_parquet_drop(parquet);
	return ARCHIVE_PUT;
}

/* --- the footer --- */

static enum archive_put begin_footer(struct maker_parquet *parquet, struct archive *archive,
                                     const struct maker_state *state, struct error *err)
{
	buf_clear(&parquet->text);
	parquet_footer_begin(&parquet->text, parquet->columns, parquet->count, state->totals.rows, state->groups.count);
	parquet->stage = STAGE_FOOTER;
	parquet->footer_before = parquet->text.len;
	parquet->groups_copied = 0;
	parquet->next_group = PARQUET_MAGIC.len;
	return put_text(parquet, archive, err);
}

/* Copies what a group said of itself into the footer. */
static enum archive_put copy_directory(struct maker_parquet *parquet, struct archive *archive, struct error *err)
{
	size_t index_bytes = parquet_index_bytes(parquet->count);
	uint64_t chunks_bytes;
	uint32_t directory_bytes;

	if (archive_read(archive, parquet->next_group, index_bytes, &parquet->text, err) < 0)
		return ARCHIVE_FAILED;
	if (!parquet_index_read(buf_str(&parquet->text), &chunks_bytes, &directory_bytes)) {
		error_set(err, ERROR_CORRUPT, "The report's file has no row group at byte %llu",
		          (unsigned long long)parquet->next_group);
		return ARCHIVE_FAILED;
	}
	parquet->next_group += index_bytes + chunks_bytes;
	if (archive_read(archive, parquet->next_group, directory_bytes, &parquet->text, err) < 0)
		return ARCHIVE_FAILED;
	parquet->next_group += directory_bytes;
	parquet->groups_copied++;
	return put_text(parquet, archive, err);
}

enum archive_put maker_parquet_end(struct maker_parquet *parquet, struct archive *archive,
                                   const struct maker_state *state, int64_t deadline_us, struct error *err)
{
	if (parquet->stage != STAGE_FOOTER && begin_footer(parquet, archive, state, err) != ARCHIVE_PUT)
		return ARCHIVE_FAILED;
	while (parquet->groups_copied < state->groups.count) {
		if (copy_directory(parquet, archive, err) != ARCHIVE_PUT)
			return ARCHIVE_FAILED;
		if (clock_monotonic_us() >= deadline_us)
			return ARCHIVE_MORE;
	}
	buf_clear(&parquet->text);
	parquet_footer_end(&parquet->text, parquet->count, parquet->footer_before, state->groups.directory_bytes);
	return put_text(parquet, archive, err);
}
