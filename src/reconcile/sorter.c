/* SPDX-License-Identifier: ISC */
/*
 * sorter.c: an external merge sort. See sorter.h.
 */
#include "reconcile/sorter.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "reconcile/match_row.h"

#define OPEN_AT_ONCE 32
#define WRITE_BYTES ((size_t)64 << 10) /* at once; a whole run is a few milliseconds' writing on a busy disk */
#define READ_MAX ((size_t)256 << 10)   /* of one run */

/* A row of the run that is being collected. */
struct entry {
	struct match_order order;
	size_t at;
};

/* A run in the file. */
struct run {
	uint64_t at; /* of what was not read yet */
	uint64_t end;
	struct buf piece; /* read, the row that is next at `taken` */
	size_t taken;
	struct match_order order; /* of that row */
};

struct sorter {
	char *path;
	int fd;
	struct buf rows;    /* of the run that is being collected */
	struct buf entries; /* struct entry each */
	struct buf sorted;  /* the run before, which is written while the next one is collected, */
	size_t written;     /* so far */
	uint64_t sorted_at; /* its place in the file */
	uint64_t rows_count;
	struct buf runs; /* struct run each */
	size_t opened;
	size_t read_bytes; /* at once, of a run */
	struct run **heap; /* those with rows left; the least first */
	size_t heap_count;
	bool given; /* the first run's row was given */
};

static int no_memory(struct error *err)
{
	return error_set(err, ERROR_NOMEM, "Out of memory for a reconciliation");
}

struct sorter *sorter_new(const char *path, struct error *err)
{
	struct sorter *sorter = calloc(1, sizeof(*sorter));

	if (!sorter) {
		no_memory(err);
		return NULL;
	}
	sorter->fd = -1;
	sorter->path = strdup(path);
	if (!sorter->path) {
		no_memory(err);
	} else if ((sorter->fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640)) < 0) {
		error_set_errno(err, errno, "%s: open", path);
	} else {
		return sorter;
	}
	sorter_free(sorter);
	return NULL;
}

/* --- runs are written --- */

static int compare_entries(const void *a, const void *b)
{
	return match_order_compare(&((const struct entry *)a)->order, &((const struct entry *)b)->order);
}

/* Writes what is sorted, at least so many bytes of it, as far as there are as many. */
static int write_sorted(struct sorter *sorter, size_t wanted, struct error *err)
{
	size_t end = wanted < sorter->sorted.len ? wanted : sorter->sorted.len;

	while (sorter->written < end) {
		size_t left = sorter->sorted.len - sorter->written;
		ssize_t done =
			pwrite(sorter->fd, sorter->sorted.data + sorter->written,
		               left < WRITE_BYTES ? left : WRITE_BYTES, (off_t)(sorter->sorted_at + sorter->written));

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return error_set_errno(err, errno, "%s: write", sorter->path);
		sorter->written += (size_t)done;
	}
	return 0;
}

/* What was collected is a run, which follows the one before. */
static int sort_run(struct sorter *sorter, struct error *err)
{
	struct entry *entries = (struct entry *)(void *)sorter->entries.data;
	size_t count = sorter->entries.len / sizeof(*entries);

	if (write_sorted(sorter, SIZE_MAX, err) != 0)
		return -1;
	struct run run = { .at = sorter->sorted_at + sorter->sorted.len };
	run.end = run.at + sorter->rows.len;
	if (count == 0)
		return 0;
	qsort(entries, count, sizeof(*entries), compare_entries);
	sorter->sorted_at = run.at;
	sorter->written = 0;
	buf_clear(&sorter->sorted);
	if (!buf_reserve(&sorter->sorted, sorter->rows.len))
		return no_memory(err);
	for (size_t i = 0; i < count; i++) {
		const char *row = sorter->rows.data + entries[i].at;

		buf_add(&sorter->sorted, row, match_row_size(row));
	}
	buf_add(&sorter->runs, &run, sizeof(run));
	buf_clear(&sorter->rows);
	buf_clear(&sorter->entries);
	return sorter->runs.failed ? no_memory(err) : 0;
}

int sorter_add(struct sorter *sorter, struct str packed, struct error *err)
{
	struct entry entry = { match_row_order(packed.p), sorter->rows.len };

	buf_add_str(&sorter->rows, packed);
	buf_add(&sorter->entries, &entry, sizeof(entry));
	if (sorter->rows.failed || sorter->entries.failed)
		return no_memory(err);
	sorter->rows_count++;
	if (sorter->rows.len >= SORTER_RUN_BYTES)
		return sort_run(sorter, err);
	return write_sorted(sorter, sorter->rows.len, err);
}

int sorter_end(struct sorter *sorter, struct error *err)
{
	if (sort_run(sorter, err) != 0 || write_sorted(sorter, SIZE_MAX, err) != 0)
		return -1;
	buf_free(&sorter->rows);
	buf_free(&sorter->entries);
	buf_free(&sorter->sorted);
	size_t count = sorter->runs.len / sizeof(struct run);
	sorter->heap = calloc(count + 1, sizeof(*sorter->heap)); /* never of nothing */
	if (!sorter->heap)
		return no_memory(err);
	sorter->read_bytes = SORTER_READ_BYTES / (count + 1);
	if (sorter->read_bytes > READ_MAX)
		sorter->read_bytes = READ_MAX;
	if (sorter->read_bytes < SORTER_READ_MIN)
		sorter->read_bytes = SORTER_READ_MIN;
	return 0;
}

/* --- runs are merged --- */

/* Reads until `wanted` bytes from run->taken on are in memory. */
static int fill(struct sorter *sorter, struct run *run, size_t wanted, struct error *err)
{
	buf_drain(&run->piece, run->taken);
	run->taken = 0;
	while (run->piece.len < wanted) {
		size_t room = sorter->read_bytes > wanted ? sorter->read_bytes : wanted;
		uint64_t left = run->end - run->at;
		size_t more = room - run->piece.len < left ? room - run->piece.len : (size_t)left;

		if (more == 0)
			return error_set(err, ERROR_CORRUPT, "%s: a row is cut short", sorter->path);
		if (!buf_reserve(&run->piece, more))
			return no_memory(err);
		ssize_t got = pread(sorter->fd, run->piece.data + run->piece.len, more, (off_t)run->at);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return error_set_errno(err, got < 0 ? errno : EIO, "%s: read", sorter->path);
		run->piece.len += (size_t)got;
		run->at += (uint64_t)got;
	}
	return 0;
}

/* Has all of the next row in memory: 1, 0 at the run's end, -1. */
static int load_row(struct sorter *sorter, struct run *run, struct error *err)
{
	if (run->taken == run->piece.len && run->at == run->end)
		return 0;
	if (run->piece.len - run->taken < MATCH_ROW_SIZE_BYTES && fill(sorter, run, MATCH_ROW_SIZE_BYTES, err) != 0)
		return -1;
	size_t size = match_row_size(run->piece.data + run->taken);
	if (run->piece.len - run->taken < size && fill(sorter, run, size, err) != 0)
		return -1;
	run->order = match_row_order(run->piece.data + run->taken);
	return 1;
}

static void sift_down(struct sorter *sorter)
{
	struct run **heap = sorter->heap;
	size_t at = 0;

	for (;;) {
		size_t child = 2 * at + 1;

		if (child >= sorter->heap_count)
			return;
		if (child + 1 < sorter->heap_count &&
		    match_order_compare(&heap[child + 1]->order, &heap[child]->order) < 0)
			child++;
		if (match_order_compare(&heap[at]->order, &heap[child]->order) <= 0)
			return;
		struct run *run = heap[at];
		heap[at] = heap[child];
		heap[child] = run;
		at = child;
	}
}

static void heap_add(struct sorter *sorter, struct run *run)
{
	struct run **heap = sorter->heap;
	size_t at = sorter->heap_count++;

	heap[at] = run;
	while (at > 0 && match_order_compare(&run->order, &heap[(at - 1) / 2]->order) < 0) {
		heap[at] = heap[(at - 1) / 2];
		at = (at - 1) / 2;
		heap[at] = run;
	}
}

int sorter_open(struct sorter *sorter, struct error *err)
{
	struct run *runs = (struct run *)(void *)sorter->runs.data;
	size_t count = sorter->runs.len / sizeof(*runs);

	for (int i = 0; i < OPEN_AT_ONCE && sorter->opened < count; i++) {
		struct run *run = &runs[sorter->opened++];

		if (load_row(sorter, run, err) < 0)
			return -1;
		heap_add(sorter, run);
	}
	return sorter->opened == count;
}

/* The row that was given is behind us. */
static int pass_given(struct sorter *sorter, struct error *err)
{
	struct run *run = sorter->heap[0];

	run->taken += match_row_size(run->piece.data + run->taken);
	int result = load_row(sorter, run, err);
	if (result < 0)
		return -1;
	if (result == 0) {
		buf_free(&run->piece);
		sorter->heap[0] = sorter->heap[--sorter->heap_count];
	}
	sift_down(sorter);
	return 0;
}

int sorter_next(struct sorter *sorter, const char **packed, struct error *err)
{
	if (sorter->given && pass_given(sorter, err) != 0)
		return -1;
	sorter->given = sorter->heap_count > 0;
	if (!sorter->given)
		return 0;
	*packed = sorter->heap[0]->piece.data + sorter->heap[0]->taken;
	return 1;
}

uint64_t sorter_rows(const struct sorter *sorter)
{
	return sorter->rows_count;
}

void sorter_free(struct sorter *sorter)
{
	if (!sorter)
		return;
	struct run *runs = (struct run *)(void *)sorter->runs.data;
	for (size_t i = 0; i < sorter->runs.len / sizeof(*runs); i++)
		buf_free(&runs[i].piece);
	if (sorter->fd >= 0)
		close(sorter->fd);
	buf_free(&sorter->rows);
	buf_free(&sorter->entries);
	buf_free(&sorter->sorted);
	buf_free(&sorter->runs);
	free(sorter->heap);
	free(sorter->path);
	free(sorter);
}
