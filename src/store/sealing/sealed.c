/* SPDX-License-Identifier: ISC */
/*
 * sealed.c: merging blocks by position. See sealed.h.
 */
#include "store/sealing/sealed.h"

#include <stdlib.h>

#include "store/blocks/skip_index.h"

#define PASSED_OVER_MAX 16 /* blocks; each takes some microseconds, or a few reads from disk */

static void close_head(struct sealed *sealed, size_t at)
{
	store_reader_give(sealed->store, sealed->heads[at].reader);
	sealed->heads[at] = sealed->heads[--sealed->heads_count];
}

static bool is_chosen(const struct sealed_head *head, uint32_t row)
{
	return !head->chooses || head->chosen[row / 8] >> row % 8 & 1;
}

/* Chooses rows by the block's columns. 1, 0 if none of them passes the filters, -1. */
static int choose_rows(struct sealed *sealed, struct sealed_head *head)
{
	int has_columns = sealed->filters_count ? block_reader_columns(head->reader, sealed->err) : 0;

	if (has_columns < 0)
		return -1;
	head->chooses = has_columns > 0;
	head->decides = false;
	if (!head->chooses)
		return 1;
	head->chosen_count = block_columns_choose(&head->reader->columns, sealed->filters, sealed->filters_count,
	                                          head->chosen, &head->decides);
	return head->chosen_count > 0;
}

/* Moves a head to its first living row from `row` on. 1, 0 when the block has ended, -1. */
static int settle(struct sealed *sealed, struct sealed_head *head, uint32_t row)
{
	while (row < head->reader->view.head.rows &&
	       (block_reader_is_deleted(head->reader, row) || !is_chosen(head, row)))
		row++;
	if (row >= head->reader->view.head.rows)
		return 0;
	int loaded = sealed->places_only ? block_reader_load_places(head->reader, row, sealed->err) :
	                                   block_reader_load(head->reader, row, sealed->err);
	if (loaded != 0)
		return -1;
	head->row = row;
	head->position = *block_reader_position(head->reader, row);
	return 1;
}

/* The first row of a block that is after sealed->after. */
static int first_row(struct sealed *sealed, struct block_reader *reader, const struct day_block *block, uint32_t *row)
{
	struct position first = day_block_first(block, sealed->partition.direction);
	struct position from = sealed->after;

	*row = 0;
	if (position_compare(&first, &from) > 0)
		return 0;
	from.seq++;
	return block_reader_seek(reader, &from, row, sealed->err);
}

static int heads_grow(struct sealed *sealed)
{
	if (sealed->heads_count < sealed->heads_cap)
		return 0;
	size_t cap = sealed->heads_cap ? 2 * sealed->heads_cap : 4;
	struct sealed_head *heads = realloc(sealed->heads, cap * sizeof(*heads));
	if (!heads)
		return error_set(sealed->err, ERROR_NOMEM, "%zu blocks at once: out of memory", cap);
	sealed->heads = heads;
	sealed->heads_cap = cap;
	return 0;
}

/* Opens an entry, unless it has nothing to give. */
static int open_entry(struct sealed *sealed, const struct block_index_entry *entry)
{
	struct position last = day_block_last(&entry->block, sealed->partition.direction);

	if (entry->block.deleted == entry->block.rows || position_compare(&last, &sealed->after) <= 0)
		return 0;
	struct block_reader *reader = heads_grow(sealed) == 0 ? store_reader_take(sealed->store, sealed->err) : NULL;
	if (!reader)
		return -1;
	uint32_t row = 0;
	int result = block_reader_begin(reader, sealed->day, sealed->txn, sealed->product, &sealed->partition,
	                                entry->number, sealed->err);
	if (result > 0 && sealed->filters_count && block_reader_check_skip(reader, sealed->err) != 0)
		result = -1;
	if (result > 0 && !skip_index_may_pass(reader->view.skip, sealed->filters, sealed->filters_count))
		result = 0;
	if (result > 0 && first_row(sealed, reader, &entry->block, &row) != 0)
		result = -1;
	struct sealed_head *head = &sealed->heads[sealed->heads_count];
	head->reader = reader;
	head->entry = entry;
	if (result > 0)
		result = choose_rows(sealed, head);
	if (result > 0)
		result = settle(sealed, head, row);
	if (result > 0)
		sealed->heads_count++;
	else
		store_reader_give(sealed->store, reader);
	return result < 0 ? -1 : 0;
}

static void choose_first(struct sealed *sealed)
{
	sealed->first = 0;
	for (size_t i = 1; i < sealed->heads_count; i++)
		if (position_compare(&sealed->heads[i].position, &sealed->heads[sealed->first].position) < 0)
			sealed->first = i;
}

int sealed_open(struct sealed *sealed)
{
	unsigned passed_over = 0;

	choose_first(sealed);
	while (sealed->next < sealed->entries_count) {
		const struct block_index_entry *entry = &sealed->entries[sealed->next];
		struct position begin = day_block_first(&entry->block, sealed->partition.direction);

		if (sealed->heads_count && position_compare(&begin, &sealed->heads[sealed->first].position) > 0)
			break;
		sealed->next++;
		if (open_entry(sealed, entry) != 0)
			return -1;
		choose_first(sealed);
		if (sealed->filters_count && !sealed->heads_count && ++passed_over == PASSED_OVER_MAX)
			break;
	}
	return 0;
}

void sealed_begin(struct sealed *sealed, size_t next, const struct position *after)
{
	sealed->next = next;
	sealed->after = *after;
	sealed->heads = NULL;
	sealed->heads_count = sealed->heads_cap = sealed->first = 0;
}

int sealed_next(struct sealed *sealed)
{
	const struct sealed_head *head = &sealed->heads[sealed->first];

	return sealed_go_to(sealed, head->row + 1, &head->position);
}

int sealed_go_to(struct sealed *sealed, uint32_t row, const struct position *last)
{
	struct sealed_head *head = &sealed->heads[sealed->first];

	sealed->after = *last;
	int result = settle(sealed, head, row);
	if (result < 0)
		return -1;
	if (result == 0)
		close_head(sealed, sealed->first);
	return sealed->heads_count ? sealed_open(sealed) : 0;
}

void sealed_skip_entry(struct sealed *sealed)
{
	const struct block_index_entry *entry = &sealed->entries[sealed->next++];

	sealed->after = day_block_last(&entry->block, sealed->partition.direction);
}

void sealed_end(struct sealed *sealed)
{
	while (sealed->heads_count)
		close_head(sealed, 0);
	free(sealed->heads);
	sealed->heads = NULL;
	sealed->heads_cap = 0;
}
