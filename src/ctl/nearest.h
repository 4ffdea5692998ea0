/* SPDX-License-Identifier: ISC */
/*
 * nearest.h: which word was meant by one that is nearly right; private to ctl/.
 */
#ifndef CDRD_CTL_NEAREST_H
#define CDRD_CTL_NEAREST_H

#include "base/str.h"

/* The word that is nearest to what was typed, so far; begins with .typed alone. */
struct nearest {
	struct str typed;
	struct str word; /* p NULL: none is near enough */
	unsigned distance;
};

/* Considers a word, which must outlive *nearest. */
void nearest_try(struct nearest *nearest, struct str word);

#endif
