/* SPDX-License-Identifier: ISC */
/*
 * mend.h: a record as it was sent, with some of its fields set or taken out.
 *
 * The record stays in its format and keeps the bytes of all other fields, also of those that make no sense, so that a
 * reader judges what comes out as it judges what came in. Only as much of it is understood as it takes to find its
 * fields: `nan` and a wrong escape in a JSON object are there, so that they can be set.
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
 * parse_write_body. Later changes of a field hold. False when the record cannot be taken apart into fields; what was
 * appended then is of no use.
 */
bool mend_record(enum parse_format format, struct str header, struct str raw, const struct mend_change *changes,
                 size_t count, struct buf *new_header, struct buf *new_raw);

#endif
