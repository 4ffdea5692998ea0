/* SPDX-License-Identifier: ISC */
/*
 * versions.h: two versions of a record: which is the newer one, and what they make together.
 *
 * Which is newer is told by the column that the producer named, if both have a number or both a time in it and they
 * differ; else by the status, of which the product says how far each has come (catalog_status_rank); else by arrival.
 * Pure.
 */
#ifndef CDRD_STORE_VERSIONS_H
#define CDRD_STORE_VERSIONS_H

#include "store/store.h"

/* Is what has come older than what is stored? `column` may be CATALOG_NONE. */
bool versions_is_older(const struct record *came, const struct record *stored, uint8_t column);

/* Is it a number or a time? */
bool versions_can_compare(struct str value);

/* Would merging change nothing: is every value that has come the stored one? */
bool versions_adds_nothing(const struct record *came, const struct record *stored);

/* The new version, with the stored values where it has none; no message where a number was erased. So below. */
void versions_merge(struct record *out, const struct record *came, const struct record *stored);

/* The stored version, with the new values where it has none. False if that changes nothing. */
bool versions_fill(struct record *out, const struct record *came, const struct record *stored);

#endif
