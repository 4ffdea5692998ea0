/* SPDX-License-Identifier: ISC */
/*
 * json_parsers_json_c.c: NDJSON lines with json-c, one tokener, a tree for each line. See json_parsers.h.
 */
#include <json-c/json.h>

#include "json_parsers.h"

struct json_c_state {
	json_tokener *tokener;
	struct tally tally;
};

static void json_c_line(void *arg, struct str line)
{
	struct json_c_state *state = arg;
	json_object *root;

	json_tokener_reset(state->tokener);
	root = json_tokener_parse_ex(state->tokener, line.p, (int)line.len);
	if (!root)
		die("json-c: a line is no JSON");
	json_object_object_foreach(root, key, value)
		state->tally.bytes += strlen(key) + (size_t)json_object_get_string_len(value);
	state->tally.records++;
	json_object_put(root);
}

struct tally run_json_c(struct str input)
{
	struct json_c_state state = { .tokener = json_tokener_new() };

	if (!state.tokener)
		die("out of memory");
	/* Without this json-c takes broken UTF-8, which the others do not. */
	json_tokener_set_flags(state.tokener, JSON_TOKENER_VALIDATE_UTF8);
	for_lines(input, json_c_line, &state);
	json_tokener_free(state.tokener);
	return state.tally;
}
