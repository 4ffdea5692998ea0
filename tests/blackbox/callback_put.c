/* SPDX-License-Identifier: ISC */
/*
 * callback_put.c: puts callbacks into the data directory of a daemon that is not running, for test_callbacks.py.
 *
 *	callback_put DATA_DIR ACCOUNT URL ID...
 *
 * They are delivered when the daemon starts. The body of each is {"request_id":"ID"}.
 */
#include <stdio.h>
#include <stdlib.h>

#include "callback/callback.h"
#include "meta/change.h"
#include "meta/meta.h"

#define MAP_BYTES ((size_t)256 << 20)

static int put(struct change *change, const char *account, const char *url, const char *id, struct error *err)
{
	char body[128];

	snprintf(body, sizeof(body), "{\"request_id\":\"%.100s\"}", id);
	struct callback_event event = {
		.account = str_from(account), .id = str_from(id), .url = str_from(url), .body = str_from(body)
	};
	return callback_put(change, &event, err);
}

static int put_all(struct meta *meta, char **words, struct error *err)
{
	struct change change;
	int result = 0;

	if (change_begin(&change, meta, err) != 0)
		return -1;
	for (char **id = words + 2; *id && result == 0; id++)
		result = put(&change, words[0], words[1], *id, err);
	return change_end(&change, result, err);
}

int main(int argc, char **argv)
{
	struct error err;
	struct meta *meta;

	if (argc < 5) {
		fputs("usage: callback_put DATA_DIR ACCOUNT URL ID...\n", stderr);
		return 2;
	}
	struct meta_options options = { .data_dir = argv[1], .map_bytes = MAP_BYTES };
	if (meta_open(&meta, &options, &err) != 0) {
		fprintf(stderr, "callback_put: %s\n", err.message);
		return EXIT_FAILURE;
	}
	int result = put_all(meta, argv + 2, &err);
	if (result != 0)
		fprintf(stderr, "callback_put: %s\n", err.message);
	meta_close(meta);
	return result == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
