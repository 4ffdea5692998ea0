/* SPDX-License-Identifier: ISC */
/*
 * invariant.c: see invariant.h.
 */
#include "base/invariant.h"

#include <stdlib.h>

#include "base/log.h"

void invariant_failed(const char *condition, const char *file, int line)
{
	log_error("main", "%s:%d: this must be true and is not: %s", file, line, condition);
	abort();
}
