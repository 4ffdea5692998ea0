/* SPDX-License-Identifier: ISC */
/*
 * bufferevents.c: see bufferevents.h.
 */
#include "base/bufferevents.h"

#include <event2/bufferevent.h>
#include <event2/event.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

/* A bufferevent has some six parts; the largest, the one of TLS, has some 700 bytes. */
#define BLOCKS 8
#define BLOCK_BYTES 1024

/* libevent hands its allocator no argument. */
static struct {
	void *blocks[BLOCKS];
	int count;
	bool is_open;
} reserve;

static void *allocate(size_t bytes)
{
	void *found = malloc(bytes);

	if (!found && reserve.is_open && bytes <= BLOCK_BYTES && reserve.count > 0)
		found = reserve.blocks[--reserve.count];
	return found;
}

void bufferevents_install(void)
{
	event_set_mem_functions(allocate, realloc, free);
}

static bool reserve_open(void)
{
	while (reserve.count < BLOCKS) {
		void *block = malloc(BLOCK_BYTES);

		if (!block)
			return false;
		reserve.blocks[reserve.count++] = block;
	}
	reserve.is_open = true;
	return true;
}

struct bufferevent *bufferevents_new(struct event_base *base, evutil_socket_t fd, struct ssl_st *ssl,
                                     enum bufferevent_ssl_state state, enum bufferevent_options options)
{
	struct bufferevent *bev;
	int flags = (int)options | BEV_OPT_CLOSE_ON_FREE;

	/* libevent does not look whether it could have one of its own */
	bool is_ready = !ssl || fd < 0 || SSL_set_fd(ssl, fd) == 1;

	if (!is_ready || !reserve_open()) {
		SSL_free(ssl);
		return NULL;
	}
	bev = ssl ? bufferevent_openssl_socket_new(base, fd, ssl, state, flags) :
	            bufferevent_socket_new(base, fd, flags);
	reserve.is_open = false;
	return bev;
}
