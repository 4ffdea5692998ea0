/* SPDX-License-Identifier: ISC */
/*
 * params_value.h: parameters within a value of LMDB (lmdb/value.h): their number, then name and value of each.
 */
#ifndef CDRD_QUERY_PARAMS_VALUE_H
#define CDRD_QUERY_PARAMS_VALUE_H

#include "lmdb/value.h"
#include "query/query.h"

/* The elements that the parameters take, for value_begin(). */
size_t query_params_elements(const struct query_params *params);
void query_params_put(struct value_writer *w, const struct query_params *params);

/* Adds what the value has. ERROR_NOMEM; what is wrong with the value is told by value_close(). */
MUST_CHECK int query_params_read(struct value_reader *r, struct query_params *params, struct error *err);

#endif
