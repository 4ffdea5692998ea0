/* SPDX-License-Identifier: ISC */
/*
 * body.h: made-up messages of 20 to 140 characters.
 *
 * A body is a few phrases with spaces between. The phrases hold commas, quotes, a backslash and letters of several
 * scripts, so that sample data exercises every escape of every format. They are escaped once for the output format;
 * making a body is then copying only.
 */
#ifndef CDRD_GEN_BODY_H
#define CDRD_GEN_BODY_H

#include "base/buf.h"
#include "gen/random.h"

struct gen_bodies;

/* `escape` appends a text as the output format wants it inside its quotes. NULL when out of memory. */
struct gen_bodies *gen_bodies_new(void (*escape)(struct buf *out, struct str text));
void gen_bodies_free(struct gen_bodies *bodies);

/* Writes one body at `out` and returns the place after it. */
char *gen_body_write(char *out, const struct gen_bodies *bodies, struct gen_random *random);

#endif
