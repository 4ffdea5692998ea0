/* SPDX-License-Identifier: ISC */
/*
 * feed_file.c: reads a feed's file into a batch, from its place on. See feed.h.
 *
 * Rejected rows wait in the catalog's transaction, which any change of the catalog commits, without their place. So they
 * are committed together with it before anything else runs; where nothing is rejected, a commit follows now and then.
 * Where commits end later, rejected rows are held until theirs, and reading pauses when as much waits as a commit takes.
 *
 * A piece of the file is fed without a commit in between (ingest_batch_hold), so that a commit never decides about rows
 * beyond the place that is noted with it.
 */
#include <errno.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "feed/feed_private.h"

#define CHUNK_BYTES ((size_t)32 << 10) /* less than a millisecond's work */
#define COMMIT_EVERY_US 200000         /* while there is more to read */

static void on_done(void *arg, const struct ingest_summary *summary, struct buf *answer, const struct error *err)
{
	struct feed *feed = arg;

	(void)summary;
	feed->batch = NULL;
	feed->ending = false;
	feed->ended = true;
	feed->failed = err != NULL;
	if (err)
		feed->failure = *err;
	buf_clear(&feed->answer);
	buf_add_str(&feed->answer, buf_str(answer));
	feed_wake(feed, 0);
}

/* The file's first bytes, by which it is known again. */
static int note_head(struct feed *feed, struct error *err)
{
	char head[FEED_HEAD_MAX];
	ssize_t len = pread(feed->fd, head, sizeof(head), 0);

	if (len < 0)
		return error_set_errno(err, errno, "%s", feed->path);
	feed->place.head_len = (uint64_t)len < feed->place.offset ? (uint64_t)len : feed->place.offset;
	feed->place.head_hash = id_hash64(head, feed->place.head_len, 0);
	return 0;
}

int feed_file_begin(struct feed *feed, int fd, struct error *err)
{
	const char *producer = feed->kind == FEED_SPOOL ? "spool" : "tail";
	struct place *place = &feed->place;

	feed->fd = fd;
	if (fstat(fd, &feed->stat) != 0)
		return error_set_errno(err, errno, "%s", feed->path);
	int is_in = place_is_in(place, fd, &feed->stat, feed->path, err);
	if (is_in < 0)
		return -1;
	bool is_new = is_in == 0;
	if (is_new) {
		buf_free(&place->header);
		*place = (struct place){ .inode = (uint64_t)feed->stat.st_ino, .line = 1 };
	}
	feed->batch = ingest_batch_new(feed->feeds->ingest, PARSE_MAPPED, producer, NULL, &feed->settings, on_done,
	                               feed, err);
	if (!feed->batch)
		return -1;
	ingest_batch_fold_errors(feed->batch);
	ingest_batch_hold(feed->batch);
	feed->before = place->counts;
	feed->read_to = place->offset;
	feed->rejected = 0;
	feed->ended = feed->ending = feed->dirty = feed->has_noted = false;
	if (ingest_batch_resume(feed->batch, buf_str(&place->header), place->line, place->offset, err) != 0)
		return -1;
	/* From now on a tail's file is known, even if it is renamed before any of it is stored. Nothing waits of the one before. */
	if (!is_new || feed->kind != FEED_TAIL)
		return 0;
	if (place_put(feed, place, err) != 0)
		return -1;
	return ingest_commit_own(feed->feeds->ingest, err);
}

static int note_place(struct feed *feed, struct error *err)
{
	struct parse_position position;
	struct str header;

	ingest_batch_place(feed->batch, &position, &header);
	feed->place.offset = position.byte;
	feed->place.line = position.line;
	feed->place.finished = false;
	feed->dirty = feed->moved_on = true;
	feed->losses = ingest_losses(feed->feeds->ingest);
	if (feed->place.header.len == 0)
		buf_add_str(&feed->place.header, header);
	if (feed->place.header.failed)
		return error_set(err, ERROR_NOMEM, "%s: out of memory", feed->path);
	return feed->place.head_len < FEED_HEAD_MAX ? note_head(feed, err) : 0;
}

static void commit(struct feed *feed, bool at_end)
{
	int64_t now_us = clock_monotonic_us();
	bool due = feed->dirty && (at_end || now_us - feed->committed_us >= COMMIT_EVERY_US);

	if (due)
		feed->committed_us = now_us;
	ingest_commit_held(feed->feeds->ingest, due);
}

/* What was rejected since the last time is committed with its place. */
static int commit_rejected(struct feed *feed, struct error *err)
{
	struct ingest_summary now = { 0 };

	ingest_batch_summary(feed->batch, &now);
	if (now.rejected == feed->rejected || ingest_ends_later(feed->feeds->ingest))
		return 0;
	feed->rejected = now.rejected;
	return ingest_commit(feed->feeds->ingest, err);
}

static enum feed_result read_slice(struct feed *feed, int64_t deadline_us, struct error *err)
{
	do {
		if (ingest_batch_is_over(feed->batch))
			return FEED_END; /* its end says why */
		if (ingest_is_full(feed->feeds->ingest)) {
			feed->is_full = true;
			return FEED_FULL;
		}
		ssize_t len = pread(feed->fd, feed->feeds->chunk, CHUNK_BYTES, (off_t)feed->read_to);
		if (len < 0) {
			error_set_errno(err, errno, "%s", feed->path);
			return FEED_FAILED;
		}
		if (len == 0) {
			commit(feed, true);
			return FEED_END;
		}
		feed->read_to += (uint64_t)len;
		ingest_batch_feed(feed->batch, feed->feeds->chunk, (size_t)len);
		if (!ingest_batch_is_over(feed->batch) && note_place(feed, err) != 0)
			return FEED_FAILED;
		commit(feed, false);
	} while (clock_monotonic_us() < deadline_us);
	return FEED_MORE;
}

enum feed_result feed_file_read(struct feed *feed, int64_t deadline_us, struct error *err)
{
	enum feed_result result = read_slice(feed, deadline_us, err);

	if (result == FEED_FAILED || commit_rejected(feed, err) != 0)
		return FEED_FAILED;
	return result;
}

void feed_file_finish(struct feed *feed)
{
	struct error err;

	feed->ending = true;
	if (!ingest_batch_is_over(feed->batch)) {
		feed->place.finished = true;
		feed->place.offset = feed->read_to;
		feed->dirty = feed->moved_on = true;
	}
	ingest_batch_finish(feed->batch);
	MAY_FAIL(commit_rejected(feed, &err)); /* the batch's end says so, too */
}

void feed_file_close(struct feed *feed)
{
	struct error err;

	/* What was rejected will be in quarantine, so the place after it must be known, too. If this fails, neither is. */
	if (feed->batch && feed->dirty && !ingest_ends_later(feed->feeds->ingest))
		MAY_FAIL(ingest_commit(feed->feeds->ingest, &err));
	if (feed->batch)
		ingest_batch_abandon(feed->batch);
	feed->batch = NULL;
	feed->ending = feed->ended = feed->dirty = feed->has_noted = feed->is_full = feed->reloads = false;
	if (feed->fd >= 0)
		close(feed->fd);
	feed->fd = -1;
	feed->still_since_us = 0;
}

bool feed_file_is_on_disk(struct feed *feed)
{
	struct ingest *ingest = feed->feeds->ingest;

	if (!feed->batch || !feed->dirty || ingest_batch_is_over(feed->batch) || !ingest_ends_later(ingest))
		return true;
	feed->is_full = true;
	ingest_commit_held(ingest, true);
	feed_wake(feed, FEED_FULL_US);
	return false;
}
