/* SPDX-License-Identifier: ISC */
/*
 * bufferevents.h: bufferevents that are whole, or not there, and events that can be added, where memory runs out.
 *
 * libevent 2.1 crashes if memory runs out while it makes a bufferevent with TLS, and may make one without that never
 * sends what is put into its output. So all memory of libevent comes from here: that of the system, and, while a
 * bufferevent is made, blocks of a reserve that was filled before where the system has none.
 *
 * event_add(), which few look at, allocates in two cases. Its tables, the heap of timers, those of descriptors and of signals,
 * are reallocated as they grow: each has a MiB from its first event on, at the start, which is room for 131,072 timers and for
 * descriptors up to this number; pages that are not written to yet take no memory. And a descriptor that is used for the first
 * time gets some bytes of its own: 64 of these are kept, and made again with the next allocation that succeeds. So it fails
 * only beyond 131,072 of either, after 64 new descriptors in a row that there was memory for but not for an event, or where the
 * kernel has none for epoll.
 */
#ifndef CDRD_BASE_BUFFEREVENTS_H
#define CDRD_BASE_BUFFEREVENTS_H

#include <event2/bufferevent_ssl.h>

/* Before the first call of libevent, which has one source of memory for the process. */
void bufferevents_install(void);

/*
 * One of a socket, or of fd -1 for one that is connected later; with TLS unless `ssl` is NULL, in `state`. Freeing it
 * closes the socket and frees `ssl`. NULL when out of memory: `ssl` is freed then, and the socket is the caller's.
 */
struct bufferevent *bufferevents_new(struct event_base *base, evutil_socket_t fd, struct ssl_st *ssl,
                                     enum bufferevent_ssl_state state, enum bufferevent_options options);

#endif
