/* SPDX-License-Identifier: ISC */
/*
 * map_guard.c: see map_guard.h.
 *
 * The process has one thread, and the signal comes from its own reading: the table is never being changed meanwhile.
 */
#include "lmdb/map_guard.h"

#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* LMDB's page, as of its data version 1: the head, then offsets of nodes. */
struct leaf_head {
	uint64_t number;
	uint16_t pad;
	uint16_t flags;
	uint16_t lower; /* with `upper` also the number of pages, where one begins a large value: few enough */
	uint16_t upper;
	uint16_t offsets[1];
};

#define LEAF_FLAG 0x02
#define LEAF_LOWER 18 /* one offset; no room */
#define NODE_AT 64    /* zeros: neither key nor value */

struct guarded {
	uintptr_t begin;
	size_t bytes;
	enum map_guard_fill fill;
	map_guard_fn fn;
	void *arg;
};

static struct guarded *table;
static size_t count, cap;
static struct guarded anywhere; /* any address that is not in the table, while this has a function */
static struct sigaction before;
static size_t page_bytes;

static const struct guarded *find(uintptr_t at)
{
	for (size_t i = 0; i < count; i++)
		if (at - table[i].begin < table[i].bytes)
			return &table[i];
	return anywhere.fn ? &anywhere : NULL;
}

static void fill_page(const struct guarded *guarded, void *page, size_t number)
{
	if (guarded->fill == MAP_GUARD_FILTER) {
		memset(page, number == 0 ? 0 : 0xff, page_bytes);
		return;
	}
	*(struct leaf_head *)page = (struct leaf_head){
		.number = number, .flags = LEAF_FLAG, .lower = LEAF_LOWER, .upper = LEAF_LOWER, .offsets = { NODE_AT }
	};
}

static void on_bus_error(int signal_number, siginfo_t *info, void *context)
{
	uintptr_t at = (uintptr_t)info->si_addr & ~(uintptr_t)(page_bytes - 1);
	const struct guarded *guarded = find(at);

	(void)context;
	void *page = guarded ? mmap((void *)at, page_bytes, PROT_READ | PROT_WRITE,
	                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) :
	                       MAP_FAILED;
	if (page == MAP_FAILED) {
		sigaction(signal_number, &before,
		          NULL); /* the instruction is repeated and raises it for the previous handler */
		return;
	}
	fill_page(guarded, page, guarded == &anywhere ? 0 : (at - guarded->begin) / page_bytes);
	guarded->fn(guarded->arg);
}

void map_guard_set(void *lost)
{
	*(bool *)lost = true;
}

void map_guard_install(void)
{
	struct sigaction action = { .sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO };

	if (page_bytes)
		return;
	page_bytes = (size_t)sysconf(_SC_PAGESIZE);
	sigemptyset(&action.sa_mask);
	sigaction(SIGBUS, &action, &before);
}

void map_guard_catch(map_guard_fn fn, void *arg)
{
	anywhere = (struct guarded){ .fill = MAP_GUARD_LMDB, .fn = fn, .arg = arg };
}

int map_guard_add(const void *map, size_t bytes, enum map_guard_fill fill, map_guard_fn fn, void *arg)
{
	if (count == cap) {
		size_t wanted = cap ? 2 * cap : 64;
		struct guarded *grown = realloc(table, wanted * sizeof(*table));

		if (!grown)
			return -1;
		table = grown;
		cap = wanted;
	}
	table[count++] = (struct guarded){ (uintptr_t)map, bytes, fill, fn, arg };
	return 0;
}

void map_guard_remove(const void *map)
{
	for (size_t i = 0; map && i < count; i++) {
		if (table[i].begin != (uintptr_t)map)
			continue;
		table[i] = table[--count];
		break;
	}
	if (count == 0) {
		free(table);
		table = NULL;
		cap = 0;
	}
}
