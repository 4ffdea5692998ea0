/* SPDX-License-Identifier: ISC */
/*
 * bufferevents.h: bufferevents that are whole, or not there, where memory runs out.
 *
 * libevent 2.1 crashes if memory runs out while it makes a bufferevent with TLS, and may make one without that never
 * sends what is put into its output. So all memory of libevent comes from here: that of the system, and, while a
 * bufferevent is made, blocks of a reserve that was filled before where the system has none.
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
