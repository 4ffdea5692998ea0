/* SPDX-License-Identifier: ISC */
/*
 * entry.h: does an entry of the quarantine hold a person's number?
 */
#ifndef CDRD_PRIVACY_ENTRY_H
#define CDRD_PRIVACY_ENTRY_H

#include <stdbool.h>

#include "meta/quarantine.h"
#include "store/erase.h"

/* Does it hold the matcher's number, in its bytes or its reason? */
bool entry_has(const struct quarantine_entry *entry, const struct erase *matcher);

#endif
