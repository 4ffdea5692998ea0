/* SPDX-License-Identifier: ISC */
/*
 * params_value.c: see params_value.h.
 */
#include "query/params_value.h"

size_t query_params_elements(const struct query_params *params)
{
	return 1 + 2 * params->count;
}

void query_params_put(struct value_writer *w, const struct query_params *params)
{
	value_put_int(w, (int64_t)params->count);
	for (size_t i = 0; i < params->count; i++) {
		value_put_str(w, params->list[i].name);
		value_put_str(w, params->list[i].value);
	}
}

int query_params_read(struct value_reader *r, struct query_params *params, struct error *err)
{
	int64_t count = value_int(r, 0, QUERY_PARAMS_MAX);

	for (int64_t i = 0; i < count; i++) {
		struct str name = value_str(r, 0, SIZE_MAX);
		struct str value = value_str(r, 0, SIZE_MAX);

		if (query_params_add(params, name, value, err) < 0)
			return -1;
	}
	return 0;
}
