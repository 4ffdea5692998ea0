/* SPDX-License-Identifier: ISC */
/*
 * archive_gzip.c: one gzip member (RFC 1952).
 *
 *	1F 8B 08  flags=08 (a name)  time:4  00  os=03  name 00 | deflate | 03 00  crc32:4  content bytes mod 2^32:4
 */
#include "report/archive_private.h"

#include "base/clock.h"

static uint64_t unix_time(int64_t time_us)
{
	int64_t seconds = time_us / CLOCK_US_PER_SECOND;

	return seconds > 0 && seconds <= UINT32_MAX ? (uint64_t)seconds : 0; /* 0: no time */
}

static void begin(const struct archive_entry *entry, struct buf *out)
{
	buf_add_str(out, STR_LITERAL("\x1f\x8b\x08\x08"));
	archive_add_number(out, unix_time(entry->time_us), 4);
	buf_add_str(out, STR_LITERAL("\x00\x03"));
	buf_add(out, entry->name, entry->name_len + 1);
}

static void end(const struct archive_entry *entry, const struct archive_state *state, struct buf *out)
{
	(void)entry;
	buf_add_str(out, ARCHIVE_DEFLATE_END);
	archive_add_number(out, state->content_crc32, 4);
	archive_add_number(out, state->content_bytes, 4);
}

const struct archive_codec archive_gzip_codec = {
	.deflated = true,
	.compressor_new = archive_deflate_new,
	.compressor_free = archive_deflate_free,
	.compress = archive_deflate,
	.begin = begin,
	.end = end,
};
