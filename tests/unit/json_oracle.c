/* SPDX-License-Identifier: ISC */
/*
 * json_oracle.c: see json_oracle.h.
 */
#include "json_oracle.h"

#include <json-c/json_object.h>
#include <json-c/json_tokener.h>

bool json_oracle_takes(struct str text)
{
	struct json_tokener *tokener = json_tokener_new();
	bool taken;

	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	json_object_put(json_tokener_parse_ex(tokener, text.p, (int)text.len));
	taken = json_tokener_get_error(tokener) == json_tokener_success;
	json_tokener_free(tokener);
	return taken;
}
