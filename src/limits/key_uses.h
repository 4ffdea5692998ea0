/* SPDX-License-Identifier: ISC */
/*
 * key_uses.h: which keys were used today, and from which networks, so that the first use of each can be noted.
 *
 * A table of a fixed size that remembers hashes: when it is full of others, a use may be called the first one again.
 */
#ifndef CDRD_LIMITS_KEY_USES_H
#define CDRD_LIMITS_KEY_USES_H

#include "base/network.h"

struct key_uses;

/* NULL: out of memory. */
struct key_uses *key_uses_new(void);
void key_uses_free(struct key_uses *uses);

/* Is this the first use of a key today (UTC) from a network of the size that one customer has: an IPv4 /24, an IPv6 /48?
 * It is not from now on. */
bool key_uses_first(struct key_uses *uses, const char *key_id, const struct ip *from, int64_t now_us);

/* How often the answer was yes. */
uint64_t key_uses_count(const struct key_uses *uses);

#endif
