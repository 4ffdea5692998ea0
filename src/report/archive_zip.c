/* SPDX-License-Identifier: ISC */
/*
 * archive_zip.c: a zip of one deflated file, written front to back (PKWARE's APPNOTE 6.3).
 *
 *	local header | deflate 03 00 | data descriptor | central header | [zip64 end, zip64 locator] | end
 *
 * Sizes and CRC are not known when the local header is written, so bit 3 of its flags announces the descriptor. It has
 * sizes of 4 bytes unless one of them needs 8: java.util.zip and Go's archive/zip write and expect it so, and older
 * releases of adm-zip compare it. The two zip64 records at the end are there when a size or an offset needs them; all
 * readers but streaming ones use the central header.
 */
#include "report/archive_private.h"

#include <time.h>

#include "base/clock.h"

#define LOCAL_HEADER_SIG 0x04034b50
#define DESCRIPTOR_SIG 0x08074b50
#define CENTRAL_HEADER_SIG 0x02014b50
#define ZIP64_END_SIG 0x06064b50
#define ZIP64_LOCATOR_SIG 0x07064b50
#define END_SIG 0x06054b50

#define VERSION_DEFLATE 20
#define VERSION_ZIP64 45
#define MADE_ON_UNIX (3 << 8)
#define FLAG_DESCRIPTOR (1 << 3)
#define METHOD_DEFLATE 8
#define ZIP64_EXTRA_ID 1
#define FILE_MODE UINT64_C(0100644)

#define LOCAL_HEADER_BYTES 30
#define ZIP64_END_BYTES 56

struct sizes {
	uint64_t compressed;
	uint64_t content;
	bool zip64;
};

static uint64_t limit32(uint64_t number)
{
	return number < UINT32_MAX ? number : UINT32_MAX;
}

static bool needs_64(uint64_t number)
{
	return number >= UINT32_MAX;
}

/* MS-DOS' date in the upper and time in the lower half; UTC, in steps of two seconds, from 1980 on. */
static uint32_t dos_time(int64_t time_us)
{
	time_t seconds = (time_t)(time_us / CLOCK_US_PER_SECOND);
	struct tm tm;

	if (!gmtime_r(&seconds, &tm) || tm.tm_year < 80 || tm.tm_year > 80 + 127)
		return 1 << 21 | 1 << 16;
	return (uint32_t)(tm.tm_year - 80) << 25 | (uint32_t)(tm.tm_mon + 1) << 21 | (uint32_t)tm.tm_mday << 16 |
	       (uint32_t)tm.tm_hour << 11 | (uint32_t)tm.tm_min << 5 | (uint32_t)tm.tm_sec / 2;
}

static void begin(const struct archive_entry *entry, struct buf *out)
{
	archive_add_number(out, LOCAL_HEADER_SIG, 4);
	archive_add_number(out, VERSION_DEFLATE, 2);
	archive_add_number(out, FLAG_DESCRIPTOR, 2);
	archive_add_number(out, METHOD_DEFLATE, 2);
	archive_add_number(out, dos_time(entry->time_us), 4);
	archive_add_number(out, 0, 4); /* crc, sizes: see the descriptor */
	archive_add_number(out, 0, 4);
	archive_add_number(out, 0, 4);
	archive_add_number(out, entry->name_len, 2);
	archive_add_number(out, 0, 2);
	buf_add(out, entry->name, entry->name_len);
}

static void add_descriptor(struct buf *out, const struct sizes *sizes, uint32_t crc32)
{
	int size = sizes->zip64 ? 8 : 4;

	archive_add_number(out, DESCRIPTOR_SIG, 4);
	archive_add_number(out, crc32, 4);
	archive_add_number(out, sizes->compressed, size);
	archive_add_number(out, sizes->content, size);
}

static void add_central_header(struct buf *out, const struct archive_entry *entry, const struct sizes *sizes,
                               uint32_t crc32)
{
	uint64_t version = sizes->zip64 ? VERSION_ZIP64 : VERSION_DEFLATE;

	archive_add_number(out, CENTRAL_HEADER_SIG, 4);
	archive_add_number(out, MADE_ON_UNIX | version, 2);
	archive_add_number(out, version, 2);
	archive_add_number(out, FLAG_DESCRIPTOR, 2);
	archive_add_number(out, METHOD_DEFLATE, 2);
	archive_add_number(out, dos_time(entry->time_us), 4);
	archive_add_number(out, crc32, 4);
	archive_add_number(out, sizes->zip64 ? UINT32_MAX : sizes->compressed, 4);
	archive_add_number(out, sizes->zip64 ? UINT32_MAX : sizes->content, 4);
	archive_add_number(out, entry->name_len, 2);
	archive_add_number(out, sizes->zip64 ? 20 : 0, 2); /* extra field */
	archive_add_number(out, 0, 2);                     /* comment */
	archive_add_number(out, 0, 2);                     /* disk */
	archive_add_number(out, 0, 2);                     /* internal attributes */
	archive_add_number(out, FILE_MODE << 16, 4);
	archive_add_number(out, 0, 4); /* the local header's offset */
	buf_add(out, entry->name, entry->name_len);
	if (sizes->zip64) {
		archive_add_number(out, ZIP64_EXTRA_ID, 2);
		archive_add_number(out, 16, 2);
		archive_add_number(out, sizes->content, 8);
		archive_add_number(out, sizes->compressed, 8);
	}
}

static void add_zip64_end(struct buf *out, uint64_t central_at, uint64_t central_bytes)
{
	archive_add_number(out, ZIP64_END_SIG, 4);
	archive_add_number(out, ZIP64_END_BYTES - 12, 8); /* of what follows this number */
	archive_add_number(out, MADE_ON_UNIX | VERSION_ZIP64, 2);
	archive_add_number(out, VERSION_ZIP64, 2);
	archive_add_number(out, 0, 4);
	archive_add_number(out, 0, 4);
	archive_add_number(out, 1, 8); /* entries on this disk, and in all */
	archive_add_number(out, 1, 8);
	archive_add_number(out, central_bytes, 8);
	archive_add_number(out, central_at, 8);

	archive_add_number(out, ZIP64_LOCATOR_SIG, 4);
	archive_add_number(out, 0, 4);
	archive_add_number(out, central_at + central_bytes, 8);
	archive_add_number(out, 1, 4); /* disks */
}

static void add_end(struct buf *out, uint64_t central_at, uint64_t central_bytes)
{
	archive_add_number(out, END_SIG, 4);
	archive_add_number(out, 0, 2);
	archive_add_number(out, 0, 2);
	archive_add_number(out, 1, 2);
	archive_add_number(out, 1, 2);
	archive_add_number(out, central_bytes, 4);
	archive_add_number(out, limit32(central_at), 4);
	archive_add_number(out, 0, 2);
}

static void end(const struct archive_entry *entry, const struct archive_state *state, struct buf *out)
{
	size_t start = out->len;
	struct sizes sizes = {
		.compressed = state->bytes - LOCAL_HEADER_BYTES - entry->name_len + ARCHIVE_DEFLATE_END.len,
		.content = state->content_bytes,
	};
	uint64_t central_at, central_bytes;

	sizes.zip64 = needs_64(sizes.compressed) || needs_64(sizes.content);
	buf_add_str(out, ARCHIVE_DEFLATE_END);
	add_descriptor(out, &sizes, state->content_crc32);
	central_at = state->bytes + (out->len - start);
	start = out->len;
	add_central_header(out, entry, &sizes, state->content_crc32);
	central_bytes = out->len - start;
	if (sizes.zip64 || needs_64(central_at))
		add_zip64_end(out, central_at, central_bytes);
	add_end(out, central_at, central_bytes);
}

const struct archive_codec archive_zip_codec = {
	.deflated = true,
	.compressor_new = archive_deflate_new,
	.compressor_free = archive_deflate_free,
	.compress = archive_deflate,
	.begin = begin,
	.end = end,
};
