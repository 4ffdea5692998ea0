/* SPDX-License-Identifier: ISC */
/*
 * takeover_place.c: where a move to a cluster has got to, a line of text in the catalog's values:
 *
 *	takeover     kind since until day key copied shards database
 *
 * The key is that of the block in hexadecimal digits, "-": none.
 */
#include <inttypes.h>
#include <stdio.h>

#include "meta/change.h"
#include "meta/rows.h"
#include "store/takeover/takeover_private.h"

#define NAME "takeover"
#define LINE_MAX_BYTES 256

static bool read_key(const char *text, struct takeover_at *at)
{
	size_t len = strlen(text);

	*at = (struct takeover_at){ .stage = TAKEOVER_HOT };
	if (strcmp(text, "-") == 0)
		return true;
	if (len != 2 * sizeof(at->key))
		return false;
	for (size_t i = 0; i < sizeof(at->key); i++)
		if (sscanf(text + 2 * i, "%2hhx", &at->key[i]) != 1)
			return false;
	at->stage = TAKEOVER_BLOCKS;
	at->key_len = sizeof(at->key);
	return true;
}

static enum meta_next take_line(void *arg, struct str key, struct str value, struct error *err)
{
	struct takeover_place *place = arg;
	char line[LINE_MAX_BYTES] = "", block[LINE_MAX_BYTES] = "";
	unsigned kind = 0;

	(void)key;
	if (value.len < sizeof(line))
		memcpy(line, value.p, value.len);
	if (sscanf(line, "%u %" SCNu64 " %" SCNu64 " %" SCNd32 " %255s %" SCNu64 " %zu %64s", &kind, &place->since,
	           &place->until, &place->day, block, &place->copied, &place->shards, place->database) != 8 ||
	    kind > PLACE_DONE || !read_key(block, &place->at)) {
		error_set(err, ERROR_CORRUPT, "catalog: the place of the move to the cluster cannot be read");
		return META_FAILED;
	}
	place->kind = (enum takeover_kind)kind;
	return META_STOP;
}

int takeover_place_load(struct meta *meta, struct takeover_place *place, struct error *err)
{
	*place = (struct takeover_place){ .kind = PLACE_NONE };
	return meta_find(meta, META_DB_VALUES, STR_LITERAL(NAME), take_line, place, err) < 0 ? -1 : 0;
}

/* Only whole blocks count. Of the one that is being read, the block before is not known any more: a new one is. */
static void write_key(char *out, const struct takeover_at *at)
{
	memcpy(out, "-", sizeof("-"));
	if (at->stage != TAKEOVER_BLOCKS || at->key_len != sizeof(at->key))
		return;
	struct takeover_at done = *at;

	/* The block before the one that is being read, in the order of keys: it need not be there. */
	for (size_t i = sizeof(done.key); at->rows > 0 && i > 0 && done.key[i - 1]-- == 0; i--)
		;
	for (size_t i = 0; i < sizeof(done.key); i++)
		sprintf(out + 2 * i, "%02x", done.key[i]);
}

static int put_line(struct change *change, const struct takeover_place *place, struct error *err)
{
	char line[LINE_MAX_BYTES], key[2 * NUMBER_KEY_LEN + 1];

	write_key(key, &place->at);
	int len = snprintf(line, sizeof(line), "%u %" PRIu64 " %" PRIu64 " %" PRId32 " %s %" PRIu64 " %zu %s",
	                   (unsigned)place->kind, place->since, place->until, place->day, key, place->copied,
	                   place->shards, place->database);

	return change_put(change, META_DB_VALUES, STR_LITERAL(NAME), (struct str){ line, (size_t)len }, err);
}

int takeover_place_save(struct meta *meta, const struct takeover_place *place, struct error *err)
{
	struct change change;

	if (change_begin_local(&change, meta, err) != 0)
		return -1;
	return change_end(&change, put_line(&change, place, err), err);
}

static int put_ours(struct change *change, struct str number, struct error *err)
{
	if (change_put(change, META_DB_VALUES, STR_LITERAL(CLUSTER_NUMBERS_ARE_OURS), number, err) != 0)
		return -1;
	return change_put(change, META_DB_VALUES, STR_LITERAL(CLUSTER_DAYS_ARE_OURS), number, err);
}

int takeover_place_done(struct meta *meta, const struct takeover_place *place, struct error *err)
{
	struct takeover_place done = *place;
	struct change change;
	int result;

	done.kind = PLACE_DONE;
	if (change_begin(&change, meta, err) != 0)
		return -1;
	result = put_line(&change, &done, err);
	if (result == 0)
		result = put_ours(&change, STR_LITERAL("1"), err);
	return change_end(&change, result, err);
}

int takeover_place_forget(struct meta *meta, struct error *err)
{
	struct change change;
	int result;

	if (change_begin(&change, meta, err) != 0)
		return -1;
	result = change_remove(&change, META_DB_VALUES, STR_LITERAL(NAME), err) < 0 ? -1 : 0;
	if (result == 0)
		result = put_ours(&change, STR_LITERAL("0"), err);
	return change_end(&change, result, err);
}
