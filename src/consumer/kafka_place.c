/* SPDX-License-Identifier: ISC */
/*
 * kafka_place.c: places of partitions on disk. See kafka_place.h.
 */
#include "consumer/kafka_place.h"
#include "lmdb/value.h"
#include "meta/rows.h"

#define PLACE_VERSION 1
#define PLACE_COUNT 2
#define KEY_MAX ((size_t)500) /* bytes; LMDB takes 511 */

static int write_key(const struct consumer *consumer, const char *cluster, int32_t partition, struct buf *key,
                     struct error *err)
{
	buf_addf(key, "kafka:%s/%s/%s/%d", cluster, consumer->settings.group, consumer->settings.queue, (int)partition);
	if (key->failed)
		return error_set(err, ERROR_NOMEM, "%s: out of memory", consumer->settings.queue);
	if (key->len > KEY_MAX)
		return error_set(err, ERROR_INVALID,
		                 "the names of cluster, group and topic have %zu bytes, at most %zu allowed", key->len,
		                 KEY_MAX);
	return 0;
}

static enum meta_next read_place(void *arg, struct str key, struct str value, struct error *err)
{
	struct kafka_place *place = arg;
	struct value_reader r;

	value_open(&r, value, PLACE_VERSION);
	place->next = value_int(&r, 0, INT64_MAX);
	place->newest = value_int(&r, INT64_MIN, INT64_MAX);
	if (value_close(&r))
		return META_STOP;
	error_set(err, value_error(&r), "%.*s: the place is not readable", STR_ARGS(key));
	return META_FAILED;
}

int kafka_place_load(struct consumer *consumer, const char *cluster, int32_t partition, struct kafka_place *place,
                     struct error *err)
{
	struct buf key = { 0 };
	int result = write_key(consumer, cluster, partition, &key, err);

	*place = (struct kafka_place){ .newest = INT64_MIN };
	if (result == 0)
		result = meta_find(consumer->consumers->meta, META_DB_FEEDS, buf_str(&key), read_place, place, err);
	buf_free(&key);
	return result < 0 ? -1 : 0;
}

int kafka_place_put(struct consumer *consumer, const char *cluster, int32_t partition, const struct kafka_place *place,
                    struct error *err)
{
	struct buf key = { 0 }, value = { 0 };
	struct value_writer w;
	int result = write_key(consumer, cluster, partition, &key, err);

	value_begin(&w, &value, PLACE_VERSION, PLACE_COUNT);
	value_put_int(&w, place->next);
	value_put_int(&w, place->newest);
	if (result == 0 && value.failed)
		result = error_set(err, ERROR_NOMEM, "%s: out of memory", consumer->settings.queue);
	if (result == 0)
		result = meta_put(consumer->consumers->meta, META_DB_FEEDS, buf_str(&key), buf_str(&value), err);
	buf_free(&key);
	buf_free(&value);
	return result;
}
