/* SPDX-License-Identifier: ISC */
/*
 * pass_check.h: whether what somebody was let in by still lets in.
 */
#ifndef CDRD_META_PASS_CHECK_H
#define CDRD_META_PASS_CHECK_H

#include "base/error.h"
#include "meta/pass.h"

struct meta;

/* 1 if what was let in by it would still be: the secret or key is there, its time is not up, and its account is neither
 * disabled nor deleted. 0 if not, -1 with *err: a read that failed is not a no. Some microseconds. */
MUST_CHECK int pass_holds(struct meta *meta, const struct pass *pass, struct error *err);

#endif
