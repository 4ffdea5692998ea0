/* SPDX-License-Identifier: ISC */
/*
 * bloom_filter.c: blocked Bloom filters in a mapped file. See bloom_filter.h.
 */
#include "store/ids/bloom_filter.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "lmdb/map_guard.h"
#include "store/days/seq_ranges.h"

#define MAGIC "cdrdidf2"
#define HEADER_BYTES 4096
#define LINE_BYTES ((size_t)8 * ID_FILTER_LINE_WORDS)
#define BITS_PER_KEY 12
#define PROBES 6
#define KEYS_MIN 16384
#define GROWTH 4

enum state { STATE_BUILDING = 0, STATE_READY = 1, STATE_CLEAN = 2 };

struct part {
	uint64_t offset;
	uint64_t lines;
	uint64_t keys;
};

struct header {
	char magic[8];
	uint32_t state;
	uint32_t parts_count;
	uint8_t boot_id[16];
	struct part parts[ID_FILTER_PARTS];
	struct seq_ranges changes;
};

_Static_assert(sizeof(struct header) <= HEADER_BYTES, "the header is one page");

/*
 * What a look-up needs of the header, side by side: headers begin their pages, so those of 400 days would evict each
 * other from the same few lines of the processor's cache.
 */
struct bloom_filter {
	bool ready;
	bool lost; /* pages of it could not be read: map_guard.h */
	uint32_t refs_count;
	struct ref {
		const uint8_t *lines;
		uint64_t count;
	} refs[ID_FILTER_PARTS];
	int fd;
	uint8_t boot_id[16];
	char *path;
	uint8_t *map;
	size_t map_bytes;
};

static struct header *header_of(const struct bloom_filter *filter)
{
	return (struct header *)(void *)filter->map;
}

/* The header or the map has changed. */
static void refresh(struct bloom_filter *filter)
{
	const struct header *header = header_of(filter);

	filter->ready = header->state != STATE_BUILDING && !filter->lost;
	filter->refs_count = header->parts_count;
	for (uint32_t i = 0; i < header->parts_count; i++)
		filter->refs[i] = (struct ref){ filter->map + header->parts[i].offset, header->parts[i].lines };
}

static uint64_t lines_for(uint64_t keys)
{
	return (keys * BITS_PER_KEY + LINE_BYTES * 8 - 1) / (LINE_BYTES * 8);
}

static uint64_t room_of(const struct part *part)
{
	return part->lines * LINE_BYTES * 8 / BITS_PER_KEY;
}

/* In a signal's handler. From here on it says "maybe", and is rebuilt when its day is next opened. */
static void on_lost(void *arg)
{
	struct bloom_filter *filter = arg;

	filter->lost = true;
	filter->ready = false;
}

static void unmap_file(struct bloom_filter *filter)
{
	map_guard_remove(filter->map);
	if (filter->map)
		munmap(filter->map, filter->map_bytes);
	filter->map = NULL;
}

/* Makes the file `bytes` long and maps it; blocks are reserved, so that a full disk is an error here and not a signal
 * at the first write to a page. */
static int map_file(struct bloom_filter *filter, size_t bytes, struct error *err)
{
	int rc = posix_fallocate(filter->fd, 0, (off_t)bytes);

	if (rc)
		return error_set_errno(err, rc, "%s: reserve %zu bytes", filter->path, bytes);
	void *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, filter->fd, 0);
	if (map == MAP_FAILED)
		return error_set_errno(err, errno, "%s: map", filter->path);
	if (map_guard_add(map, bytes, MAP_GUARD_FILTER, on_lost, filter) != 0) {
		munmap(map, bytes);
		return error_set(err, ERROR_NOMEM, "%s: out of memory", filter->path);
	}
	unmap_file(filter);
	filter->map = map;
	filter->map_bytes = bytes;
	return 0;
}

/* Is what the file says of itself possible? */
static bool header_is_sound(const struct bloom_filter *filter)
{
	const struct header *header = header_of(filter);

	/* NOLINTNEXTLINE(-Wanalyzer-null-dereference): map_file has mapped it. */
	if (memcmp(header->magic, MAGIC, sizeof(header->magic)) != 0 || header->parts_count > ID_FILTER_PARTS ||
	    !seq_ranges_are_sound(&header->changes))
		return false;
	for (uint32_t i = 0; i < header->parts_count; i++) {
		const struct part *part = &header->parts[i];

		if (part->lines == 0 || part->offset < HEADER_BYTES || part->offset > filter->map_bytes ||
		    part->lines > (filter->map_bytes - part->offset) / LINE_BYTES)
			return false;
	}
	return header->state == STATE_CLEAN ||
	       (header->state == STATE_READY && memcmp(header->boot_id, filter->boot_id, sizeof(header->boot_id)) == 0);
}

static int add_part(struct bloom_filter *filter, uint64_t keys, struct error *err)
{
	struct header *header = header_of(filter);
	uint64_t lines = lines_for(keys < KEYS_MIN ? KEYS_MIN : keys);
	uint64_t offset = HEADER_BYTES;

	if (header->parts_count > 0) {
		const struct part *last = &header->parts[header->parts_count - 1];

		offset = last->offset + last->lines * LINE_BYTES;
	}
	if (header->parts_count == ID_FILTER_PARTS)
		return error_set(err, ERROR_FULL, "%s: has %d parts, at most %d allowed", filter->path, ID_FILTER_PARTS,
		                 ID_FILTER_PARTS);
	if (map_file(filter, (size_t)(offset + lines * LINE_BYTES), err) != 0)
		return -1;
	header = header_of(filter);
	memset(filter->map + offset, 0, (size_t)(lines * LINE_BYTES));
	header->parts[header->parts_count++] = (struct part){ .offset = offset, .lines = lines };
	refresh(filter);
	return 0;
}

/* The file's own pages replace those that map_guard put there. */
static int map_anew(struct bloom_filter *filter, struct error *err)
{
	log_warn("store", "%s: pages could not be read; it is rebuilt", filter->path);
	if (map_file(filter, HEADER_BYTES, err) != 0)
		return -1;
	filter->lost = false;
	return 0;
}

int bloom_filter_reset(struct bloom_filter *filter, uint64_t keys, struct error *err)
{
	if (filter->lost && map_anew(filter, err) != 0)
		return -1;
	struct header *header = header_of(filter);
	memcpy(header->magic, MAGIC, sizeof(header->magic));
	memcpy(header->boot_id, filter->boot_id, sizeof(header->boot_id));
	header->state = STATE_BUILDING;
	header->parts_count = 0;
	seq_ranges_clear(&header->changes);
	refresh(filter);
	return add_part(filter, keys, err);
}

void bloom_filter_set_ready(struct bloom_filter *filter)
{
	header_of(filter)->state = STATE_READY;
	refresh(filter);
}

/* Of `where`, which is a directory or a file, the file with this ending. */
static int open_file(struct bloom_filter **out, const char *where, const char *ending, const uint8_t *boot_id,
                     int flags, struct error *err)
{
	struct buf path = { 0 };
	struct stat st;
	struct bloom_filter *filter = calloc(1, sizeof(*filter));

	buf_addf(&path, "%s%s", where, ending);
	if (!filter || !buf_cstr(&path)) {
		free(filter);
		buf_free(&path);
		return error_set(err, ERROR_NOMEM, "%s: out of memory", where);
	}
	filter->path = path.data;
	memcpy(filter->boot_id, boot_id, sizeof(filter->boot_id));
	filter->fd = open(filter->path, O_RDWR | O_CREAT | O_CLOEXEC | flags, 0640);
	if (filter->fd < 0 || fstat(filter->fd, &st) != 0) {
		error_set_errno(err, errno, "%s: open", filter->path);
		goto fail;
	}
	if (map_file(filter, st.st_size < HEADER_BYTES ? HEADER_BYTES : (size_t)st.st_size, err) != 0)
		goto fail;
	if (!header_is_sound(filter)) {
		/* NOLINTNEXTLINE(-Wanalyzer-null-dereference): map_file has mapped it. */
		header_of(filter)->state = STATE_BUILDING;
		header_of(filter)->parts_count = 0;
		seq_ranges_clear(&header_of(filter)->changes);
	}
	refresh(filter);
	*out = filter;
	return 0;
fail:
	bloom_filter_close(filter);
	return -1;
}

int bloom_filter_open(struct bloom_filter **out, const char *day_path, const uint8_t *boot_id, struct error *err)
{
	return open_file(out, day_path, "/ids.filter", boot_id, 0, err);
}

bool bloom_filter_ready(const struct bloom_filter *filter)
{
	return filter->ready;
}

uint64_t bloom_filter_keys(const struct bloom_filter *filter)
{
	const struct header *header = header_of(filter);
	uint64_t keys = 0;

	for (uint32_t i = 0; i < header->parts_count; i++)
		keys += header->parts[i].keys;
	return keys;
}

int bloom_filter_parts(const struct bloom_filter *filter)
{
	return (int)header_of(filter)->parts_count;
}

/* The finalizer of SplitMix64: every bit of the key moves every bit of the result. */
static uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

static uint64_t *line_of(const struct ref *ref, uint64_t mixed)
{
	uint64_t line = ((mixed >> 32) * ref->count) >> 32;

	return (uint64_t *)(void *)(uintptr_t)(ref->lines + line * LINE_BYTES);
}

void bloom_filter_key_make(struct bloom_filter_key *key, uint32_t hash)
{
	*key = (struct bloom_filter_key){ .mixed = mix(hash + UINT64_C(1)) };
	uint64_t probes = mix(key->mixed + UINT64_C(0x9e3779b97f4a7c15));
	for (int i = 0; i < PROBES; i++, probes >>= 9)
		key->bits[probes >> 6 & 7] |= UINT64_C(1) << (probes & 63);
}

/* From the last sync on the file is this boot's. */
static void mark_dirty(struct bloom_filter *filter)
{
	struct header *header = header_of(filter);

	if (header->state != STATE_CLEAN)
		return;
	memcpy(header->boot_id, filter->boot_id, sizeof(header->boot_id));
	header->state = STATE_READY;
	msync(filter->map, HEADER_BYTES, MS_SYNC);
}

int bloom_filter_add(struct bloom_filter *filter, const struct bloom_filter_key *key, struct error *err)
{
	struct header *header = header_of(filter);

	mark_dirty(filter);
	if (header->parts_count == 0 && add_part(filter, KEYS_MIN, err) != 0)
		return -1;
	header = header_of(filter);
	struct part *part = &header->parts[header->parts_count - 1];
	if (part->keys >= room_of(part)) {
		/* The first part may have been made for all keys that there were: few more are likely to come then. */
		uint64_t before = header->parts_count == 1 ? KEYS_MIN : room_of(part);

		if (add_part(filter, before * GROWTH, err) != 0)
			return -1;
		header = header_of(filter);
		part = &header->parts[header->parts_count - 1];
	}
	uint64_t *line = line_of(&filter->refs[filter->refs_count - 1], key->mixed);
	for (int i = 0; i < ID_FILTER_LINE_WORDS; i++)
		line[i] |= key->bits[i];
	part->keys++;
	return 0;
}

/* The whole line at once: probe by probe, each day would cost a branch that cannot be predicted. */
static bool part_may_have(const struct ref *ref, const struct bloom_filter_key *key)
{
	const uint64_t *line = line_of(ref, key->mixed);
	uint64_t missing = 0;

	for (int i = 0; i < ID_FILTER_LINE_WORDS; i++)
		missing |= key->bits[i] & ~line[i];
	return missing == 0;
}

bool bloom_filter_may_have(const struct bloom_filter *filter, const struct bloom_filter_key *key)
{
	if (!filter->ready)
		return true;
	for (uint32_t i = 0; i < filter->refs_count; i++)
		if (part_may_have(&filter->refs[i], key))
			return true;
	return false;
}

void bloom_filter_prefetch(const struct bloom_filter *filter, const struct bloom_filter_key *key)
{
	for (uint32_t i = 0; i < filter->refs_count; i++)
		__builtin_prefetch(line_of(&filter->refs[i], key->mixed));
}

void bloom_filter_prefetch_hash(const struct bloom_filter *filter, uint32_t hash)
{
	uint64_t mixed = mix(hash + UINT64_C(1));

	for (uint32_t i = 0; i < filter->refs_count; i++)
		__builtin_prefetch(line_of(&filter->refs[i], mixed));
}

void bloom_filter_note_changes(struct bloom_filter *filter, uint64_t first, uint64_t last)
{
	mark_dirty(filter);
	seq_ranges_add(&header_of(filter)->changes, first, last);
}

uint64_t bloom_filter_next_change(const struct bloom_filter *filter, uint64_t after)
{
	const struct header *header = header_of(filter);

	return !filter->ready || header->state == STATE_BUILDING ? after + 1 : seq_ranges_next(&header->changes, after);
}

static void free_filter(struct bloom_filter *filter)
{
	if (filter->map)
		unmap_file(filter);
	if (filter->fd >= 0)
		close(filter->fd);
	free(filter->path);
	free(filter);
}

void bloom_filter_close(struct bloom_filter *filter)
{
	if (!filter)
		return;
	if (filter->map) {
		struct header *header = header_of(filter);

		if (!filter->lost && header->state == STATE_READY &&
		    msync(filter->map, filter->map_bytes, MS_SYNC) == 0) {
			header->state = STATE_CLEAN;
			msync(filter->map, HEADER_BYTES, MS_SYNC);
		}
	}
	free_filter(filter);
}

/* --- fitting --- */

/* Room for a few more, so that one record that comes late does not make another part. */
static uint64_t fitted_room(uint64_t keys)
{
	return keys + keys / 16;
}

bool bloom_filter_is_roomy(const struct bloom_filter *filter)
{
	const struct header *header = header_of(filter);
	uint64_t lines = 0;

	for (uint32_t i = 0; i < header->parts_count; i++)
		lines += header->parts[i].lines;
	uint64_t wanted = lines_for(fitted_room(bloom_filter_keys(filter)));
	return filter->ready && header->parts_count > 1 && lines > wanted + wanted / 4;
}

int bloom_filter_fit_begin(const struct bloom_filter *filter, struct bloom_filter **fitted, struct error *err)
{
	if (open_file(fitted, filter->path, ".new", filter->boot_id, O_TRUNC, err) != 0)
		return -1;
	if (bloom_filter_reset(*fitted, fitted_room(bloom_filter_keys(filter)), err) == 0)
		return 0;
	bloom_filter_fit_cancel(fitted);
	return -1;
}

void bloom_filter_fit_cancel(struct bloom_filter **fitted)
{
	if (!*fitted)
		return;
	unlink((*fitted)->path);
	free_filter(*fitted);
	*fitted = NULL;
}

/* Neither name is synced: after a power cut, either file is of another boot, and not trusted. */
int bloom_filter_fit_end(struct bloom_filter **filter, struct bloom_filter **fitted, struct error *err)
{
	struct bloom_filter *old = *filter, *new = *fitted;

	mark_dirty(old);
	header_of(new)->changes = header_of(old)->changes;
	if (new->lost || old->lost)
		return error_set(err, ERROR_IO, "%s: pages could not be read", new->path);
	if (rename(new->path, old->path) != 0)
		return error_set_errno(err, errno, "%s: rename", new->path);
	bloom_filter_set_ready(new);
	free(new->path);
	new->path = old->path;
	old->path = NULL;
	free_filter(old);
	*filter = new;
	*fitted = NULL;
	return 0;
}
