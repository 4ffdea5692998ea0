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

static enum meta_next read_place(void *arg, struct str key, struct str value, struct error *err)
{
	struct place *place = arg;
	struct value_reader r;

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
		return META_STOP;
	error_set(err, place->header.failed ? ERROR_NOMEM : value_error(&r), "%.*s: the place is not readable",
	          STR_ARGS(key));
	return META_FAILED;
}

int place_load(struct feed *feed, struct error *err)
{
	struct place *place = &feed->place;
	struct buf key = { 0 };

	buf_free(&place->header);
	*place = (struct place){ .line = 1 };
	write_key(feed, &key);
	int found = key.failed ? error_set(err, ERROR_NOMEM, "%s: out of memory", feed->path) :
	                         meta_find(feed->feeds->meta, META_DB_FEEDS, buf_str(&key), read_place, place, err);
	buf_free(&key);
	return found < 0 ? -1 : 0;
}

int place_put(const struct feed *feed, const struct place *place, struct error *err)
{
	struct buf key = { 0 }, value = { 0 };
	struct value_writer w;

	write_key(feed, &key);
	value_begin(&w, &value, PLACE_VERSION, PLACE_COUNT);
	value_put_int(&w, (int64_t)place->inode);
	value_put_bytes(&w, str_from(place->name));
	value_put_int(&w, (int64_t)place->offset);
	value_put_int(&w, (int64_t)place->line);
	value_put_int(&w, place->finished);
	value_put_int(&w, (int64_t)place->head_len);
	value_put_int(&w, (int64_t)place->head_hash);
	value_put_bytes(&w, buf_str(&place->header));
	value_put_int(&w, (int64_t)place->counts.accepted);
	value_put_int(&w, (int64_t)place->counts.updated);
	value_put_int(&w, (int64_t)place->counts.duplicates);
	value_put_int(&w, (int64_t)place->counts.outdated);
	value_put_int(&w, (int64_t)place->counts.rejected);
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
