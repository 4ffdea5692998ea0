/* SPDX-License-Identifier: ISC */
/*
 * shared_key.c: what front ends of one catalog seal and hash with must be the same key, though each has it in a file. See
 * meta_check_key.
 */
#include <openssl/evp.h>
#include <string.h>

#include "base/buf.h"
#include "meta/change.h"
#include "meta/meta.h"
#include "meta/rows.h"

#define MARK_BYTES 16 /* of a hash of the key: enough to know it by, and nothing to find it by */

_Static_assert(SHARED_KEY_MARK_SIZE == 2 * MARK_BYTES + 1, "in hexadecimal digits");

int meta_mark_key(char mark[SHARED_KEY_MARK_SIZE], const char *name, const uint8_t *key, size_t len, struct error *err)
{
	uint8_t hash[EVP_MAX_MD_SIZE];
	struct buf text = { 0 };

	buf_add_text(&text, name);
	buf_add(&text, key, len);
	int is_made = !text.failed && EVP_Q_digest(NULL, "SHA256", NULL, text.data, text.len, hash, NULL);
	buf_free(&text);
	if (!is_made)
		return error_set(err, ERROR_NOMEM, "%s: out of memory", name);
	str_write_hex(mark, hash, MARK_BYTES);
	return 0;
}

/* 1 if the catalog has this mark, or had none; 0 if it has another one; -1. */
static int compare(struct change *change, struct str name, struct str mark, struct error *err)
{
	struct str known;
	int found = change_get(change, META_DB_VALUES, name, &known, err);

	if (found > 0)
		return str_equal(known, mark);
	if (found == 0)
		found = change_put(change, META_DB_VALUES, name, mark, err);
	return found == 0 ? 1 : -1;
}

struct known {
	struct str mark;
	bool is_same;
};

static enum meta_next take_known(void *arg, struct str key, struct str value, struct error *err)
{
	struct known *known = arg;

	(void)key;
	(void)err;
	known->is_same = str_equal(value, known->mark);
	return META_GO_ON;
}

int meta_refuse_key(const char *data_dir, const char *name, struct error *err)
{
	return error_set(err, ERROR_INVALID,
	                 "%s/%s is not the key of the catalog's other front ends: copy it from one of them", data_dir,
	                 name);
}

int meta_check_key(struct meta *meta, const char *data_dir, const char *name, const uint8_t *key, size_t len,
                   struct error *err)
{
	char mark[SHARED_KEY_MARK_SIZE], value[64];
	struct known known = { .is_same = false };
	struct change change;

	if (!meta_is_shared(meta))
		return 0;
	snprintf(value, sizeof(value), "key/%s", name);
	if (meta_mark_key(mark, name, key, len, err) != 0)
		return -1;
	known.mark = str_from(mark);
	int found = meta_find(meta, META_DB_VALUES, str_from(value), take_known, &known, err);
	if (found < 0)
		return -1;
	if (found > 0)
		return known.is_same ? 0 : meta_refuse_key(data_dir, name, err);
	if (change_begin(&change, meta, err) != 0)
		return -1;
	int same = compare(&change, str_from(value), str_from(mark), err);
	if (change_end(&change, same < 0 ? -1 : 0, err) != 0)
		return -1;
	return same ? 0 : meta_refuse_key(data_dir, name, err);
}
