/* SPDX-License-Identifier: ISC */
/*
 * place.c: where reading a feed has got to, on disk.
 */
#include <errno.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/id.h"
#include "feed/feed_private.h"
#include "lmdb/value.h"
#include "meta/rows.h"

#define PLACE_VERSION 1
#define PLACE_COUNT 13
#define PLACES_VERSION 2 /* of a spool's row, which has such a value for each file */
#define HEADER_MAX ((size_t)1 << 24)

static void write_key(const struct feed *feed, struct buf *key)
{
	buf_add_text(key, feed->kind == FEED_SPOOL ? "spool:" : "tail:");
	buf_add_text(key, feed->path);
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
	if (name.len > 0)
		memcpy(place->name, name.p, name.len);
	place->name[name.len] = '\0';
	if (value_close(&r) && !place->header.failed)
		return 0;
	return error_set(err, place->header.failed ? ERROR_NOMEM : value_error(&r), "%s: the place is not readable",
	                 path);
}

int place_take_back(struct feed_file *file, struct error *err)
{
	return read_place(&file->place, buf_str(&file->stored), file->feed->path, err);
}

static int add_file(struct feed *feed, struct str value, struct error *err)
{
	struct feed_file *file = feed_file_new(feed, err);

	if (!file)
		return -1;
	buf_add_str(&file->stored, value);
	if (file->stored.failed)
		return error_set(err, ERROR_NOMEM, "%s: out of memory", feed->path);
	return place_take_back(file, err);
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

int places_load(struct feed *feed, struct error *err)
{
	struct buf key = { 0 };

	write_key(feed, &key);
	int found = key.failed ? error_set(err, ERROR_NOMEM, "%s: out of memory", feed->path) :
	                         meta_find(feed->feeds->meta, META_DB_FEEDS, buf_str(&key), read_places, feed, err);
	buf_free(&key);
	return found < 0 ? -1 : 0;
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
	value_put_bytes(&w, place->finished ? (struct str){ NULL, 0 } : buf_str(&place->header));
	value_put_int(&w, (int64_t)place->counts.accepted);
	value_put_int(&w, (int64_t)place->counts.updated);
	value_put_int(&w, (int64_t)place->counts.duplicates);
	value_put_int(&w, (int64_t)place->counts.outdated);
	value_put_int(&w, (int64_t)place->counts.rejected);
	if (value.failed) {
		buf_free(&value);
		return error_set(err, ERROR_NOMEM, "%s: out of memory", file->feed->path);
	}
	buf_free(&file->storing);
	file->storing = value;
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
static void write_last(const struct feed *feed, struct buf *value)
{
	const struct feed_file *file = TAILQ_LAST(&feed->files, feed_files);

	while (value_of(file).len == 0)
		file = TAILQ_PREV(file, feed_files, link);
	buf_add_str(value, value_of(file));
}

int places_put(const struct feed *feed, struct error *err)
{
	struct buf key = { 0 }, value = { 0 };

	write_key(feed, &key);
	if (feed->kind == FEED_SPOOL)
		write_places(feed, &value);
	else
		write_last(feed, &value);
	int result = key.failed || value.failed ?
	                     error_set(err, ERROR_NOMEM, "%s: out of memory", feed->path) :
	                     meta_put(feed->feeds->meta, META_DB_FEEDS, buf_str(&key), buf_str(&value), err);
	buf_free(&key);
	buf_free(&value);
	return result;
}

int place_is_in(const struct place *place, int fd, const struct stat *stat, const char *path, struct error *err)
{
	char head[FEED_HEAD_MAX];

	if (place->inode != (uint64_t)stat->st_ino || (uint64_t)stat->st_size < place->offset)
		return 0;
	ssize_t len = pread(fd, head, place->head_len, 0);
	if (len < 0)
		return error_set_errno(err, errno, "%s", path);
	if (place->head_len == 0) /* nothing was read of it */
		return 1;
	return len == (ssize_t)place->head_len && id_hash64(head, place->head_len, 0) == place->head_hash;
}
