/* SPDX-License-Identifier: ISC */
/*
 * mend.h: a record as it was sent, with some of its fields set or taken out.
 *
 * The record stays in its format and keeps the bytes of all other fields, even of those that make no sense, so that a
 * parser judges the result as it judged the original. It is parsed only as far as it takes to find its fields: `nan`
 * and a wrong escape in a JSON object are found, so that they can be replaced.
 */
#ifndef CDRD_RECORD_MEND_H
#define CDRD_RECORD_MEND_H

#include "record/parse.h"

struct mend_change {
	struct str field;
	struct str value; /* UTF-8 */
	bool unset;       /* the value is none */
};

/*
 * Appends to *new_header and *new_raw what a record of `raw` (UTF-8 but for what is wrong with it) becomes, for
 * parse_write_body. The last change of a field applies. False when the record cannot be split into fields; what was
 * appended is then useless.
 */
bool mend_record(enum parse_format format, struct str header, struct str raw, const struct mend_change *changes,
                 size_t count, struct buf *new_header, struct buf *new_raw);

#endif
