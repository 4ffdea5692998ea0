/* SPDX-License-Identifier: ISC */
/*
 * resolve.h: host names to addresses on the loop, by libevent's evdns; for callback/ and consumer/.
 *
 * Debian's libcurl resolves names in threads, and cdrd has none; and an address must be checked before connecting to
 * it. evdns reads resolv.conf and hosts; both are read again when they have changed. It asks over UDP only: an answer
 * that does not fit into a datagram is an error.
 */
#ifndef CDRD_CALLBACK_RESOLVE_H
#define CDRD_CALLBACK_RESOLVE_H

#include <event2/event.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "callback/address.h"

#define RESOLVE_ADDRESSES_MAX 8

struct resolver;
struct lookup;

/* The files are the system's; tests give their own. The texts stay the caller's. */
MUST_CHECK struct resolver *resolver_new(struct event_base *base, const char *resolv_conf, const char *hosts,
                                         struct error *err);

/* Lookups under way are cancelled. May run the loop once, without waiting, when there are any. Does nothing on NULL. */
void resolver_free(struct resolver *resolver);

/* The addresses, at most RESOLVE_ADDRESSES_MAX, in the order to try; if there are none, `problem` says why. */
typedef void (*lookup_fn)(void *arg, const struct address *addresses, size_t count, const char *problem);

/*
 * Looks up a name or a numeric address. fn is called once, perhaps before this returns: then, and if the lookup cannot
 * be started, the return value is NULL.
 */
struct lookup *resolver_lookup(struct resolver *resolver, const char *host, uint16_t port, lookup_fn fn, void *arg);

/* fn will not be called. Not for a lookup whose fn has been called. */
void lookup_cancel(struct lookup *lookup);

#endif
