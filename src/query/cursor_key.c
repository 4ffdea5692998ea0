/* SPDX-License-Identifier: ISC */
/*
 * cursor_key.c: data_dir/cursor.key, the 32 random bytes that seal cursors. See base/key_file.h.
 */
#include "base/key_file.h"
#include "query/cursor.h"

int cursor_key_load(struct cursor_key *key, const char *data_dir, struct error *err)
{
	return key_file_load(data_dir, "cursor.key", key->bytes, sizeof(key->bytes), true, err);
}
