/* SPDX-License-Identifier: ISC */
/*
 * json_yajl.h: the JSON reader, held against yajl.
 */
#ifndef CDRD_TESTS_JSON_YAJL_H
#define CDRD_TESTS_JSON_YAJL_H

#include "base/str.h"

/*
 * Aborts unless both say of the text, in brackets, that it is JSON or that it is none, and find the same events in it. The
 * brackets are there as yajl ignores half a token after the end. It takes more in two things, where it is not asked: vertical
 * tabs and form feeds are white space to it, and half a character as an escape is a question mark. Other than json-c, it sees
 * names that stand twice, NULs in names, all digits, and any depth.
 */
void json_yajl_compare(struct str text);

#endif
