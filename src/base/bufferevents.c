/* SPDX-License-Identifier: ISC */
/*
 * bufferevents.c: see bufferevents.h.
 */
#include "base/bufferevents.h"

#include <event2/bufferevent.h>
#include <event2/event.h>
#include <malloc.h>
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

/* What libevent keeps of a descriptor when an event is first added for it: 16 bytes in 2.1, with room to spare. */
#define SLOTS 64
#define SLOT_BYTES 32

static struct {
	void *blocks[SLOTS];
	int count;
} slots;

/* What one of its tables, which are all that it reallocates, can grow to where it is. */
#define TABLE_BYTES ((size_t)1 << 20)

static void fill_slots(void)
{
	while (slots.count < SLOTS) {
		void *slot = malloc(SLOT_BYTES);

		if (!slot)
			return;
		slots.blocks[slots.count++] = slot;
	}
}

static void *allocate(size_t bytes)
{
	void *found = malloc(bytes);

	if (found)
		fill_slots();
	else if (bytes <= SLOT_BYTES && slots.count > 0)
		found = slots.blocks[--slots.count];
	else if (reserve.is_open && bytes <= BLOCK_BYTES && reserve.count > 0)
		found = reserve.blocks[--reserve.count];
	return found;
}

static void *reallocate(void *old, size_t bytes)
{
	if (old && bytes <= malloc_usable_size(old))
		return old;
	return realloc(old, bytes < TABLE_BYTES ? TABLE_BYTES : bytes);
}

void bufferevents_install(void)
{
	event_set_mem_functions(allocate, reallocate, free);
	fill_slots();
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
