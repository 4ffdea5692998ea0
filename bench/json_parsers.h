/* SPDX-License-Identifier: ISC */
/*
 * json_parsers.h: what the contestants of json_parsers.c share. Jansson and json-c have a file each, because their
 * headers declare the same names; see bench/local.mk for the order in which they are linked.
 */
#ifndef CDRD_BENCH_JSON_PARSERS_H
#define CDRD_BENCH_JSON_PARSERS_H

#include <stdint.h>

#include "base/str.h"

struct tally {
	uint64_t records;
	uint64_t bytes; /* of names and values */
};

_Noreturn void die(const char *text);

/* Calls fn for each line, without its LF. */
void for_lines(struct str input, void (*fn)(void *state, struct str line), void *state);

struct tally run_jansson(struct str input);
struct tally run_json_c(struct str input);

#endif
