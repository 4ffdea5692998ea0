/* SPDX-License-Identifier: ISC */
/*
 * json_parsers_jansson.c: NDJSON lines with Jansson, a tree for each. See json_parsers.h.
 */
#include <jansson.h>

#include "json_parsers.h"

static void jansson_line(void *arg, struct str line)
{
	struct tally *tally = arg;
	json_t *root = json_loadb(line.p, line.len, 0, NULL);
	const char *key;
	json_t *value;

	if (!root)
		die("jansson: a line is no JSON");
	json_object_foreach(root, key, value)
		tally->bytes += strlen(key) + json_string_length(value);
	tally->records++;
	json_decref(root);
}

struct tally run_jansson(struct str input)
{
	struct tally tally = { 0 };

	for_lines(input, jansson_line, &tally);
	return tally;
}
