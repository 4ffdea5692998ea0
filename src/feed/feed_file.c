/* SPDX-License-Identifier: ISC */
/*
 * feed_file.c: reads a feed's file into a batch, from its place on. See feed.h.
 *
 * A commit follows now and then; rejected rows are held until it (ingest/held.c). Where commits end later, reading pauses when
 * as much waits as a commit takes.
 *
 * A piece of the file is fed without a commit in between (ingest_batch_hold), so that a commit never decides about rows
 * beyond the place that is noted with it.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "feed/feed_private.h"

#define CHUNK_BYTES ((size_t)32 << 10) /* less than a millisecond's work */
#define COMMIT_EVERY_US 200000         /* while there is more to read */
#define BEGINNING_BYTES 4              /* a byte order mark of any encoding */

static void on_done(void *arg, const struct ingest_summary *summary, struct buf *answer, const struct error *err)
{
	struct feed_file *file = arg;

	(void)summary;
	file->batch = NULL;
	file->is_ending = false;
	file->has_ended = true;
	file->failed = err != NULL;
	if (err)
		file->failure = *err;
	buf_clear(&file->answer);
	buf_add_str(&file->answer, buf_str(answer));
	feed_wake(file->feed, 0);
}

struct feed_file *feed_file_new(struct feed *feed, struct error *err)
{
	struct feed_file *file = calloc(1, sizeof(*file));

	if (!file) {
		error_set(err, ERROR_NOMEM, "%s: out of memory", feed->path);
		return NULL;
	}
	file->feed = feed;
	file->fd = -1;
	file->place.line = 1;
	TAILQ_INSERT_TAIL(&feed->files, file, link);
	feed->files_count++;
	return file;
}

void feed_file_free(struct feed_file *file)
{
	feed_file_stop(file);
	TAILQ_REMOVE(&file->feed->files, file, link);
	file->feed->files_count--;
	buf_free(&file->place.header);
	buf_free(&file->stored);
	buf_free(&file->answer);
	free(file);
}

static int begin_batch(struct feed_file *file, struct error *err)
{
	struct feed *feed = file->feed;
	const char *producer = feed->kind == FEED_SPOOL ? "spool" : "tail";
	char beginning[BEGINNING_BYTES];
	ssize_t len = 0;

	if (file->place.offset > 0 && feed->settings.encoding[0])
		len = pread(file->fd, beginning, sizeof(beginning), 0);
	if (len < 0)
		return error_set_errno(err, errno, "%s", feed->path);
	file->batch = ingest_batch_new(feed->feeds->ingest, PARSE_MAPPED, producer, NULL, &feed->settings, on_done,
	                               file, err);
	if (!file->batch)
		return -1;
	ingest_batch_fold_errors(file->batch);
	ingest_batch_hold(file->batch);
	file->before = file->place.counts;
	file->read_to = file->place.offset;
	return ingest_batch_resume(file->batch, (struct str){ beginning, (size_t)len }, buf_str(&file->place.header),
	                           file->place.line, file->place.offset, err);
}

int feed_file_begin(struct feed_file *file, int fd, struct error *err)
{
	struct feed *feed = file->feed;
	struct place *place = &file->place;

	file->fd = fd;
	feed->file = file;
	if (fstat(fd, &file->stat) != 0)
		return error_set_errno(err, errno, "%s", feed->path);
	int is_in = place_is_in(place, fd, &file->stat, feed->path, err);
	if (is_in < 0)
		return -1;
	bool is_new = is_in == 0;
	if (is_new) {
		buf_free(&place->header);
		*place = (struct place){ .inode = (uint64_t)file->stat.st_ino,
			                 .line = 1,
			                 .time = file->stat.st_mtim,
			                 .end_hash = id_hash64("", 0, 0) };
	}
	if (begin_batch(file, err) != 0)
		return -1;
	if (!is_new || feed->kind != FEED_TAIL)
		return 0;
	/* From now on a tail's file is known, even if it is renamed before any of it is stored; or, if something waits of
	 * those before it, from the commit that decides about their ends. */
	if (file != TAILQ_FIRST(&feed->files)) {
		file->dirty = file->moved_on = true;
		return 0;
	}
	if (place_store(file, place, err) != 0 || places_put(feed, err) != 0)
		return -1;
	if (ingest_commit_own(feed->feeds->ingest, err) != 0)
		return -1;
	places_note_stored(feed);
	return 0;
}

static int note_place(struct feed_file *file, const struct feed_bytes *read, struct error *err)
{
	const char *path = file->feed->path;
	struct parse_position position;
	struct str header;

	ingest_batch_place(file->batch, &position, &header);
	/* What the rows after the place need comes first: a place is never stored without it. */
	if (file->place.header.len == 0)
		buf_add_str(&file->place.header, header);
	if (file->place.header.failed) {
		buf_free(&file->place.header);
		return error_set(err, ERROR_NOMEM, "%s: out of memory", path);
	}
	struct place place = file->place;
	place.offset = position.byte;
	place.line = position.line;
	place.finished = false;
	if (fstat(file->fd, &file->stat) != 0)
		return error_set_errno(err, errno, "%s", path);
	if (place_mark(&place, file->fd, &file->stat, read, path, err) != 0)
		return -1;
	file->place = place;
	file->dirty = file->moved_on = true;
	file->losses = ingest_losses(file->feed->feeds->ingest);
	return 0;
}

void feed_commit(struct feed *feed, bool at_end)
{
	int64_t now_us = clock_monotonic_us();
	bool is_dirty = feed->has_finished || (feed->file && feed->file->dirty);

	if (!feed->dirty_us && is_dirty)
		feed->dirty_us = now_us;
	bool due = is_dirty && (at_end || now_us - feed->dirty_us >= COMMIT_EVERY_US);
	if (due) {
		feed->dirty_us = 0;
		feed->has_finished = false;
	}
	ingest_commit_held(feed->feeds->ingest, due);
}

/* Reads on, and once more what comes before, as the place is known by it. How many bytes are new, or -1. */
static ssize_t read_on(struct feed_file *file, struct feed_bytes *read, struct error *err)
{
	char *chunk = file->feed->feeds->chunk;
	size_t before = file->read_to < FEED_END_MAX ? (size_t)file->read_to : FEED_END_MAX;
	uint64_t from = file->read_to - before;
	ssize_t len = pread(file->fd, chunk, before + CHUNK_BYTES, (off_t)from);

	if (len < 0)
		return error_set_errno(err, errno, "%s", file->feed->path);
	*read = (struct feed_bytes){ chunk, from, (size_t)len };
	if ((size_t)len <= before)
		return 0;
	file->read_to += (size_t)len - before;
	ingest_batch_feed(file->batch, chunk + before, (size_t)len - before);
	return len - (ssize_t)before;
}

enum feed_result feed_file_read(struct feed_file *file, int64_t deadline_us, struct error *err)
{
	struct feed *feed = file->feed;
	struct feed_bytes read;

	do {
		if (ingest_batch_is_over(file->batch))
			return FEED_END; /* its end says why */
		if (ingest_is_full(feed->feeds->ingest)) {
			feed->is_full = true;
			return FEED_FULL;
		}
		ssize_t len = read_on(file, &read, err);
		if (len < 0)
			return FEED_FAILED;
		if (len == 0)
			return FEED_END;
		if (!ingest_batch_is_over(file->batch) && note_place(file, &read, err) != 0)
			return FEED_FAILED;
		feed_commit(feed, false);
	} while (clock_monotonic_us() < deadline_us);
	return FEED_MORE;
}

const struct error *feed_file_failure(const struct feed_file *file)
{
	if (file->batch)
		return ingest_batch_failure(file->batch);
	return file->has_ended && file->failed ? &file->failure : NULL;
}

/* The place is the file's end. */
static void note_end(struct feed_file *file)
{
	struct place *place = &file->place;
	struct error err;

	place->finished = true;
	place->offset = file->read_to;
	if (fstat(file->fd, &file->stat) != 0 ||
	    place_mark(place, file->fd, &file->stat, NULL, file->feed->path, &err) != 0)
		place->time = (struct timespec){ 0 };
	file->dirty = file->moved_on = true;
}

void feed_file_finish(struct feed_file *file)
{
	ingest_batch_finish(file->batch);
	if (!ingest_batch_is_over(file->batch))
		note_end(file);
	file->is_ending = true;
	file->feed->has_finished = true;
	close(file->fd); /* the batch has what it needs */
	file->fd = -1;
	file->feed->file = NULL;
}

void feed_file_stop(struct feed_file *file)
{
	if (file->batch)
		ingest_batch_abandon(file->batch);
	file->batch = NULL;
	if (file->fd >= 0)
		close(file->fd);
	file->fd = -1;
	buf_free(&file->storing);
	file->is_ending = file->dirty = file->has_noted = false;
	if (file->feed->file == file)
		file->feed->file = NULL;
}

/* So that what is stored is not read, and counted, again. */
static void commit_places(struct feed *feed)
{
	const struct feed_file *file;
	bool is_dirty = false;
	struct error err;

	TAILQ_FOREACH(file, &feed->files, link)
		is_dirty |= file->batch && file->dirty;
	if (is_dirty && !ingest_ends_later(feed->feeds->ingest))
		MAY_FAIL(ingest_commit(feed->feeds->ingest, &err));
}

/* What is kept of a spool's file that has ended: that it has, if it is to be moved. */
static void stop_one(struct feed_file *file)
{
	bool is_spool = file->feed->kind == FEED_SPOOL;
	bool has_ended = file->has_ended && (!file->failed || file->failure.code == ERROR_INVALID);

	feed_file_stop(file);
	if (is_spool && has_ended)
		return;
	file->has_ended = false;
	if (is_spool && file->stored.len > 0)
		return;
	feed_scan_end(&file->feed->scan); /* it is not known any more */
	feed_file_free(file);
}

void feed_stop(struct feed *feed)
{
	struct feed_file *file, *next;

	commit_places(feed);
	if (feed->kind == FEED_TAIL)
		tail_pass(feed);
	for (file = TAILQ_FIRST(&feed->files); file; file = next) {
		next = TAILQ_NEXT(file, link);
		stop_one(file);
	}
	feed->file = NULL;
	feed->is_full = feed->reloads = feed->is_between = feed->is_lost = feed->is_cut = false;
	feed->was_cut = false;
	if (feed->kind == FEED_TAIL) {
		feed->is_loaded = false;
		feed_scan_end(&feed->scan);
	}
	feed->still_since_us = 0;
}

static bool is_on_disk(const struct feed_file *file)
{
	return !file->batch || !file->dirty || ingest_batch_is_over(file->batch);
}

bool feed_is_on_disk(struct feed *feed)
{
	struct ingest *ingest = feed->feeds->ingest;
	const struct feed_file *file;
	bool waits = false;

	TAILQ_FOREACH(file, &feed->files, link)
		waits |= (file == feed->file || feed->kind == FEED_TAIL) && !is_on_disk(file);
	if (!waits || !ingest_ends_later(ingest))
		return true;
	feed->is_full = true;
	ingest_commit_held(ingest, true);
	feed_wake(feed, FEED_FULL_US);
	return false;
}
