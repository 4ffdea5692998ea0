/* SPDX-License-Identifier: ISC */
/*
 * place.c: where reading a feed has got to, on disk.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "feed/feed_private.h"
#include "lmdb/value.h"
#include "meta/rows.h"

#define PLACE_VERSION 1
#define PLACE_COUNT 16   /* versions before had 13, and leave out what follows these */
#define PLACES_VERSION 2 /* of a spool's row, which has such a value for each file */
#define PASSED "passed:" /* and a tail's path: the inodes of files that were read */
#define PASSED_VERSION 1
#define HEADER_MAX ((size_t)1 << 24)

static int write_key(const struct feed *feed, const char *kind, struct buf *key, struct error *err)
{
	buf_add_text(key, kind);
	buf_add_text(key, feed->path);
	return key->failed ? error_set(err, ERROR_NOMEM, "%s: out of memory", feed->path) : 0;
}

static const char *kind_of(const struct feed *feed)
{
	return feed->kind == FEED_SPOOL ? "spool:" : "tail:";
}

static uint64_t count_value(struct value_reader *r)
{
	return (uint64_t)value_int(r, 0, INT64_MAX);
}

static int read_place(struct place *place, struct str value, const char *path, struct error *err)
{
	struct value_reader r;

	buf_free(&place->header);
	*place = (struct place){ .line = 1 };
	value_open(&r, value, PLACE_VERSION);
	place->inode = count_value(&r);
	struct str name = value_str(&r, 0, sizeof(place->name) - 1);
	place->offset = count_value(&r);
	place->line = count_value(&r);
	place->finished = value_int(&r, 0, 1) != 0;
	place->head_len = (uint64_t)value_int(&r, 0, FEED_HEAD_MAX);
	place->head_hash = (uint64_t)value_int(&r, INT64_MIN, INT64_MAX);
	buf_add_str(&place->header, value_str(&r, 0, HEADER_MAX));
	place->counts.accepted = count_value(&r);
	place->counts.updated = count_value(&r);
	place->counts.duplicates = count_value(&r);
	place->counts.outdated = count_value(&r);
	place->counts.rejected = count_value(&r);
	if (value_left(&r) > 0) {
		place->time.tv_sec = value_int(&r, INT64_MIN, INT64_MAX);
		place->time.tv_nsec = value_int(&r, 0, 999999999);
		place->end_hash = (uint64_t)value_int(&r, INT64_MIN, INT64_MAX);
	}
	if (name.len > 0)
		memcpy(place->name, name.p, name.len);
	place->name[name.len] = '\0';
	if (value_close(&r) && !place->header.failed)
		return 0;
	return error_set(err, place->header.failed ? ERROR_NOMEM : value_error(&r), "%s: the place is not readable",
	                 path);
}

/* Its offset counts bytes of the text that was made of the file, as versions before did. */
static bool is_of_text(const struct feed *feed, const struct place *place)
{
	return feed->settings.encoding[0] && place->time.tv_sec == 0 && place->end_hash == 0;
}

static void begin_again(struct place *place)
{
	buf_free(&place->header);
	place->offset = 0;
	place->line = 1;
	place->finished = false;
	place->counts = (struct ingest_summary){ 0 };
}

int place_take_back(struct feed_file *file, struct error *err)
{
	if (read_place(&file->place, buf_str(&file->stored), file->feed->path, err) != 0)
		return -1;
	if (is_of_text(file->feed, &file->place))
		begin_again(&file->place);
	return 0;
}

static int add_file(struct feed *feed, struct str value, struct error *err)
{
	struct feed_file *file = feed_file_new(feed, err);

	if (!file)
		return -1;
	buf_add_str(&file->stored, value);
	if (file->stored.failed)
		return error_set(err, ERROR_NOMEM, "%s: out of memory", feed->path);
	if (place_take_back(file, err) != 0)
		return -1;
	if (is_of_text(feed, &file->place))
		log_warn("feed",
		         "%s%s%s: the place that a version before this one has noted counts bytes of the text that "
		         "was made by the encoding, and not of the file; reading it from its beginning",
		         feed->path, file->place.name[0] ? "/" : "", file->place.name);
	return 0;
}

static enum meta_next read_places(void *arg, struct str key, struct str value, struct error *err)
{
	struct feed *feed = arg;
	struct value_reader r;
	int result = 0;

	(void)key;
	value_open(&r, value, PLACES_VERSION);
	bool is_list = value_left(&r) > 0;
	while (result == 0 && value_left(&r) > 0)
		result = add_file(feed, value_str(&r, 1, SIZE_MAX), err);
	bool is_read = value_close(&r);
	if (!is_list)
		result = add_file(feed, value, err); /* a tail's, or of a spool as versions before had it */
	else if (!is_read && result == 0)
		result = error_set(err, value_error(&r), "%s: the places are not readable", feed->path);
	return result == 0 ? META_STOP : META_FAILED;
}

static enum meta_next read_passed(void *arg, struct str key, struct str value, struct error *err)
{
	struct feed *feed = arg;
	struct value_reader r;

	(void)key;
	value_open(&r, value, PASSED_VERSION);
	feed->passed_time.tv_sec = value_int(&r, INT64_MIN, INT64_MAX);
	feed->passed_time.tv_nsec = value_int(&r, 0, 999999999);
	buf_free(&feed->passed);
	buf_add_str(&feed->passed, value_str(&r, 0, SIZE_MAX));
	if (value_close(&r) && !feed->passed.failed)
		return META_STOP;
	error_set(err, feed->passed.failed ? ERROR_NOMEM : value_error(&r),
	          "%s: the list of files that were read is not readable", feed->path);
	return META_FAILED;
}

static int load(struct feed *feed, const char *kind, meta_row_fn read, struct error *err)
{
	struct buf key = { 0 };
	int found = write_key(feed, kind, &key, err);

	if (found == 0)
		found = meta_find(feed->feeds->meta, META_DB_FEEDS, buf_str(&key), read, feed, err);
	buf_free(&key);
	return found < 0 ? -1 : 0;
}

int places_load(struct feed *feed, struct error *err)
{
	if (load(feed, kind_of(feed), read_places, err) != 0)
		return -1;
	return feed->kind == FEED_TAIL ? load(feed, PASSED, read_passed, err) : 0;
}

int place_store(struct feed_file *file, const struct place *place, struct error *err)
{
	struct buf value = { 0 };
	struct value_writer w;

	value_begin(&w, &value, PLACE_VERSION, PLACE_COUNT);
	value_put_int(&w, (int64_t)place->inode);
	value_put_bytes(&w, str_from(place->name));
	value_put_int(&w, (int64_t)place->offset);
	value_put_int(&w, (int64_t)place->line);
	value_put_int(&w, place->finished);
	value_put_int(&w, (int64_t)place->head_len);
	value_put_int(&w, (int64_t)place->head_hash);
	/* A tail's file may get another row after its end. */
	bool has_header = !place->finished || file->feed->kind == FEED_TAIL;
	value_put_bytes(&w, has_header ? buf_str(&place->header) : (struct str){ NULL, 0 });
	value_put_int(&w, (int64_t)place->counts.accepted);
	value_put_int(&w, (int64_t)place->counts.updated);
	value_put_int(&w, (int64_t)place->counts.duplicates);
	value_put_int(&w, (int64_t)place->counts.outdated);
	value_put_int(&w, (int64_t)place->counts.rejected);
	value_put_int(&w, place->time.tv_sec);
	value_put_int(&w, place->time.tv_nsec);
	value_put_int(&w, (int64_t)place->end_hash);
	if (value.failed) {
		buf_free(&value);
		return error_set(err, ERROR_NOMEM, "%s: out of memory", file->feed->path);
	}
	buf_free(&file->storing);
	file->storing = value;
	file->storing_time = place->time;
	return 0;
}

void places_note_stored(struct feed *feed)
{
	struct feed_file *file;

	TAILQ_FOREACH(file, &feed->files, link)
		if (file->storing.len > 0)
			buf_move(&file->stored, &file->storing);
}

/* Of the row; empty: the file has none. */
static struct str value_of(const struct feed_file *file)
{
	return buf_str(file->storing.len > 0 ? &file->storing : &file->stored);
}

static void write_places(const struct feed *feed, struct buf *value)
{
	const struct feed_file *file;
	struct value_writer w;
	size_t count = 0;

	TAILQ_FOREACH(file, &feed->files, link)
		count += value_of(file).len > 0;
	value_begin(&w, value, PLACES_VERSION, count);
	TAILQ_FOREACH(file, &feed->files, link)
		if (value_of(file).len > 0)
			value_put_bytes(&w, value_of(file));
}

/* The last one that is stored: all of those before it are. */
static const struct feed_file *last_stored(const struct feed *feed)
{
	const struct feed_file *file = TAILQ_LAST(&feed->files, feed_files);

	while (value_of(file).len == 0)
		file = TAILQ_PREV(file, feed_files, link);
	return file;
}

/* Of the very time of the file that the place is in. */
static void write_passed(const struct feed_file *file, struct buf *value)
{
	struct buf inodes = { 0 };
	struct value_writer w;

	tail_add_passed(file, &file->storing_time, &inodes);
	value_begin(&w, value, PASSED_VERSION, 3);
	value_put_int(&w, file->storing_time.tv_sec);
	value_put_int(&w, file->storing_time.tv_nsec);
	value_put_bytes(&w, buf_str(&inodes));
	value->failed |= inodes.failed;
	buf_free(&inodes);
}

static int put_row(const struct feed *feed, const char *kind, const struct buf *value, struct error *err)
{
	struct buf key = { 0 };
	int result = write_key(feed, kind, &key, err);

	if (result == 0 && value->failed)
		result = error_set(err, ERROR_NOMEM, "%s: out of memory", feed->path);
	if (result == 0)
		result = meta_put(feed->feeds->meta, META_DB_FEEDS, buf_str(&key), buf_str(value), err);
	buf_free(&key);
	return result;
}

int places_put(const struct feed *feed, struct error *err)
{
	struct buf value = { 0 }, passed = { 0 };
	int result = 0;

	if (feed->kind == FEED_SPOOL) {
		write_places(feed, &value);
	} else {
		buf_add_str(&value, value_of(last_stored(feed)));
		write_passed(last_stored(feed), &passed);
		result = put_row(feed, PASSED, &passed, err);
	}
	if (result == 0)
		result = put_row(feed, kind_of(feed), &value, err);
	buf_free(&value);
	buf_free(&passed);
	return result;
}

/* Of the bytes from `from` on; how many there are, at most as many as `len`, or -1. */
static ssize_t hash_at(int fd, uint64_t from, size_t len, uint64_t *hash, const char *path, struct error *err)
{
	char bytes[FEED_HEAD_MAX];
	ssize_t got = pread(fd, bytes, len, (off_t)from);

	if (got < 0)
		return error_set_errno(err, errno, "%s", path);
	*hash = id_hash64(bytes, (size_t)got, 0);
	return got;
}

/* As hash_at, of what was read, where it is there. */
static ssize_t hash_of(const struct feed_bytes *read, int fd, uint64_t from, size_t len, uint64_t *hash,
                       const char *path, struct error *err)
{
	if (!read || from < read->from || from + len > read->from + read->len)
		return hash_at(fd, from, len, hash, path, err);
	*hash = id_hash64(read->p + (from - read->from), len, 0);
	return (ssize_t)len;
}

static ssize_t hash_end(const struct place *place, int fd, const struct feed_bytes *read, uint64_t *hash,
                        const char *path, struct error *err)
{
	size_t len = place->offset < FEED_END_MAX ? (size_t)place->offset : FEED_END_MAX;

	return hash_of(read, fd, place->offset - len, len, hash, path, err);
}

int place_mark(struct place *place, int fd, const struct stat *stat, const struct feed_bytes *read, const char *path,
               struct error *err)
{
	size_t len = place->offset < FEED_HEAD_MAX ? (size_t)place->offset : FEED_HEAD_MAX;

	if (place->head_len < len) {
		ssize_t got = hash_of(read, fd, 0, len, &place->head_hash, path, err);

		if (got < 0)
			return -1;
		place->head_len = (uint64_t)got;
	}
	place->time = stat->st_mtim;
	return hash_end(place, fd, read, &place->end_hash, path, err) < 0 ? -1 : 0;
}

/* Is all that is before the place in the file? */
static int has_all_before(const struct place *place, int fd, const struct stat *stat, const char *path,
                          struct error *err)
{
	uint64_t hash;

	if ((uint64_t)stat->st_size < place->offset)
		return 0;
	ssize_t got = hash_at(fd, 0, (size_t)place->head_len, &hash, path, err);
	if (got < 0)
		return -1;
	if (got != (ssize_t)place->head_len || (got > 0 && hash != place->head_hash))
		return 0;
	if (place->time.tv_sec == 0)
		return 1;
	got = hash_end(place, fd, NULL, &hash, path, err);
	return got < 0 ? -1 : hash == place->end_hash;
}

bool place_is_of_time(const struct place *place, const struct stat *stat)
{
	return place->time.tv_sec == 0 || clock_compare(&place->time, &stat->st_mtim) == 0;
}

bool place_is_before(const struct place *place, int fd)
{
	struct statx made;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_BTIME, &made) != 0 || !(made.stx_mask & STATX_BTIME))
		return false;
	return clock_compare(&place->time, &(struct timespec){ made.stx_btime.tv_sec, made.stx_btime.tv_nsec }) < 0;
}

int place_is_in(const struct place *place, int fd, const struct stat *stat, const char *path, struct error *err)
{
	/* A spool's files do not grow. */
	bool is_same = place->inode == (uint64_t)stat->st_ino && (!place->name[0] || place_is_of_time(place, stat));

	return is_same ? has_all_before(place, fd, stat, path, err) : 0;
}

int place_is_copied(const struct place *place, int fd, const struct stat *stat, const char *path, struct error *err)
{
	bool may_be = place->inode != (uint64_t)stat->st_ino && place->offset > 0 && place->time.tv_sec != 0;

	return may_be ? has_all_before(place, fd, stat, path, err) : 0;
}
