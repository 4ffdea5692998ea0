/* SPDX-License-Identifier: ISC */
/*
 * cluster_chunk.c: see cluster_chunk.h.
 */
#include "store/cluster/cluster_chunk.h"

#include <stdlib.h>

#define PLACE_BYTES 18

bool cluster_place_read(struct str *text, struct cluster_place *place)
{
	uint16_t day;
	uint64_t account, time;

	if (text->len < PLACE_BYTES)
		return false;
	memcpy(&day, text->p, 2);
	memcpy(&account, text->p + 2, 8);
	memcpy(&time, text->p + 10, 8);
	*place = (struct cluster_place){ le16toh(day), le64toh(account), (int64_t)le64toh(time) };
	*text = (struct str){ text->p + PLACE_BYTES, text->len - PLACE_BYTES };
	return true;
}

static bool is_same_moment(const struct cluster_row *a, const struct cluster_row *b)
{
	return a->time_us == b->time_us && a->account == b->account && a->day == b->day;
}

/* Puts the last row among those with its time: there are few. */
static void settle_last(struct cluster_chunk_rows *rows)
{
	for (size_t i = rows->count - 1; i > 0; i--) {
		struct cluster_row *row = &rows->list[i], moved = *row;

		if (!is_same_moment(row, row - 1) || row[-1].first <= row->first)
			break;
		*row = row[-1];
		row[-1] = moved;
	}
}

static bool add(struct cluster_chunk_rows *rows, const struct cluster_row *row)
{
	if (rows->count == rows->cap) {
		size_t cap = rows->cap ? 2 * rows->cap : 1024;
		struct cluster_row *list = realloc(rows->list, cap * sizeof(*list));

		if (!list)
			return false;
		rows->list = list;
		rows->cap = cap;
	}
	rows->list[rows->count++] = *row;
	settle_last(rows);
	return true;
}

int cluster_chunk_take(struct cluster_chunk_rows *rows, struct buf *answer, uint64_t snapshot, struct error *err)
{
	struct cluster_row row, last = { .time_us = INT64_MIN };
	uint64_t passes;
	struct str text;

	struct buf before = rows->text;

	rows->text = *answer;
	buf_clear(&before);
	*answer = before;
	rows->count = rows->at = 0;
	text = buf_str(&rows->text);
	while (text.len > 0) {
		if (!cluster_row_read(&text, &row) || !cluster_take_number(&text, 1, &passes))
			return error_set(err, ERROR_CORRUPT, "ClickHouse: rows cannot be read");
		if (passes && cluster_row_is_shown(&row, snapshot) &&
		    !(is_same_moment(&row, &last) && str_equal(row.id, last.id)) && !add(rows, &row))
			return error_set(err, ERROR_NOMEM, "rows of ClickHouse: out of memory");
		last = row;
	}
	return 0;
}

void cluster_chunk_rows_free(struct cluster_chunk_rows *rows)
{
	buf_free(&rows->text);
	free(rows->list);
}
