/* SPDX-License-Identifier: ISC */
/*
 * zip.c: a zip as a run of files, front to back (PKWARE's APPNOTE 6.3). See source.h.
 *
 *	local header | data | [data descriptor] ... central headers, end
 *
 * Deflated data mark their own end; a stored entry must give its size before. Sizes and the CRC are in the local header
 * or, if bit 3 of its flags is set, in a descriptor, whose sizes have 4 bytes or 8; both are checked.
 */
#include <stdio.h>
#include <string.h>

#include "ctl/source_private.h"

#define LOCAL_HEADER_SIG 0x04034b50
#define DESCRIPTOR_SIG 0x08074b50
#define CENTRAL_HEADER_SIG 0x02014b50
#define END_SIG 0x06054b50
#define ZIP64_END_SIG 0x06064b50

#define LOCAL_HEADER_BYTES 30
#define FLAG_ENCRYPTED (1 << 0)
#define FLAG_DESCRIPTOR (1 << 3)
#define METHOD_STORED 0
#define METHOD_DEFLATE 8
#define ZIP64_EXTRA_ID 1
#define SIZE_IN_EXTRA UINT32_MAX

static uint64_t number_at(const char *p, size_t bytes)
{
	uint64_t number = 0;

	for (size_t i = bytes; i > 0; i--)
		number = number << 8 | (unsigned char)p[i - 1];
	return number;
}

static const char *at(const struct source *source)
{
	return source->in + source->in_at;
}

static int need_all(struct source *source, size_t count, struct error *err)
{
	if (source_need(source, count, err) != 0)
		return -1;
	return source_left(source) < count ? source_fail(source, err, "ends in the middle of the zip") : 0;
}

/* --- headers --- */

/* Reads the sizes of a zip64 entry from the extra fields. */
static void read_extra(struct zip_entry *entry, const char *p, size_t len)
{
	while (len >= 4) {
		uint64_t id = number_at(p, 2), size = number_at(p + 2, 2);

		if (size > len - 4)
			return;
		if (id == ZIP64_EXTRA_ID && size >= 16) {
			entry->content = number_at(p + 4, 8);
			entry->compressed = number_at(p + 12, 8);
		}
		p += 4 + size;
		len -= 4 + size;
	}
}

static int begin_entry(struct source *source, struct error *err)
{
	struct zip_entry *entry = &source->entry;

	if (entry->method != METHOD_STORED && entry->method != METHOD_DEFLATE)
		return source_fail(source, err, "the zip compresses otherwise than by deflate");
	if (entry->method == METHOD_STORED && entry->described)
		return source_fail(source, err, "the zip does not say the size of a stored file before it");
	if (entry->method == METHOD_STORED)
		return 0;
	if (inflateInit2(&entry->stream, -MAX_WBITS) != Z_OK)
		return error_set(err, ERROR_NOMEM, "Out of memory for %s", source->path);
	entry->open = true;
	return 0;
}

static int read_header(struct source *source, struct error *err)
{
	struct zip_entry *entry = &source->entry;

	if (need_all(source, LOCAL_HEADER_BYTES, err) != 0)
		return -1;
	const char *p = at(source);
	uint64_t flags = number_at(p + 6, 2), name_len = number_at(p + 26, 2), extra_len = number_at(p + 28, 2);
	*entry = (struct zip_entry){
		.described = flags & FLAG_DESCRIPTOR,
		.method = (int)number_at(p + 8, 2),
		.crc = (uint32_t)number_at(p + 14, 4),
		.compressed = number_at(p + 18, 4),
		.content = number_at(p + 22, 4),
	};
	source->in_at += LOCAL_HEADER_BYTES;
	if (flags & FLAG_ENCRYPTED)
		return source_fail(source, err, "the zip is encrypted");
	if (name_len >= SOURCE_NAME_MAX || name_len + extra_len > SOURCE_BUFFER)
		return source_fail(source, err, "a name in the zip is too long");
	if (need_all(source, name_len + extra_len, err) != 0)
		return -1;
	snprintf(source->file_name, sizeof(source->file_name), "%.*s", (int)name_len, at(source));
	read_extra(entry, at(source) + name_len, extra_len);
	source->in_at += name_len + extra_len;
	return begin_entry(source, err);
}

/* --- data --- */

void zip_close(struct source *source)
{
	if (source->entry.open)
		inflateEnd(&source->entry.stream);
	source->entry.open = false;
}

static int read_descriptor(struct source *source, struct error *err)
{
	struct zip_entry *entry = &source->entry;

	if (source_need(source, 24, err) != 0)
		return -1;
	size_t head = source_left(source) >= 4 && number_at(at(source), 4) == DESCRIPTOR_SIG ? 4 : 0;
	const char *sizes = at(source) + head + 4;
	bool is_long = source_left(source) >= head + 20 && number_at(sizes, 8) == entry->compressed_seen &&
	               number_at(sizes + 8, 8) == entry->content_seen;
	size_t bytes = is_long ? 8 : 4;
	if (need_all(source, head + 4 + 2 * bytes, err) != 0)
		return -1;
	sizes = at(source) + head + 4;
	entry->crc = (uint32_t)number_at(sizes - 4, 4);
	entry->compressed = number_at(sizes, bytes);
	entry->content = number_at(sizes + bytes, bytes);
	source->in_at += head + 4 + 2 * bytes;
	return 0;
}

static int end_entry(struct source *source, struct error *err)
{
	struct zip_entry *entry = &source->entry;

	zip_close(source);
	entry->ended = true;
	if (entry->described && read_descriptor(source, err) != 0)
		return -1;
	if (entry->crc != entry->crc_seen || entry->content != entry->content_seen ||
	    entry->compressed != entry->compressed_seen)
		return source_fail(source, err, "is not what the zip says of its size and CRC-32");
	return 0;
}

static int read_deflated(struct source *source, char *to, size_t size, size_t *count, struct error *err)
{
	struct zip_entry *entry = &source->entry;

	z_stream *stream = &entry->stream;
	stream->next_in = (Bytef *)(uintptr_t)at(source);
	stream->avail_in = (uInt)source_left(source);
	stream->next_out = (Bytef *)to;
	stream->avail_out = (uInt)size;
	int result = inflate(stream, Z_NO_FLUSH);
	size_t taken = source_left(source) - stream->avail_in;
	source->in_at += taken;
	entry->compressed_seen += taken;
	*count = size - stream->avail_out;
	if (result == Z_STREAM_END)
		entry->ended = true;
	else if (result != Z_OK && result != Z_BUF_ERROR)
		return source_fail(source, err, "cannot be decompressed");
	return 0;
}

static void read_stored(struct source *source, char *to, size_t size, size_t *count)
{
	struct zip_entry *entry = &source->entry;
	uint64_t left = entry->compressed - entry->compressed_seen;

	*count = source_left(source) < size ? source_left(source) : size;
	if (*count > left)
		*count = (size_t)left;
	memcpy(to, at(source), *count);
	source->in_at += *count;
	entry->compressed_seen += *count;
	entry->ended = entry->compressed_seen == entry->compressed;
}

int zip_read(struct source *source, char *to, size_t size, size_t *count, struct error *err)
{
	struct zip_entry *entry = &source->entry;

	*count = 0;
	if (entry->ended)
		return 0;
	while (*count == 0 && !entry->ended) {
		bool is_empty = entry->method == METHOD_STORED && entry->compressed == 0;

		if (!is_empty && need_all(source, 1, err) != 0)
			return -1;
		if (entry->method == METHOD_STORED)
			read_stored(source, to, size, count);
		else if (read_deflated(source, to, size, count, err) != 0)
			return -1;
		entry->crc_seen = (uint32_t)crc32(entry->crc_seen, (const Bytef *)to, (uInt)*count);
		entry->content_seen += *count;
	}
	if (entry->ended && end_entry(source, err) != 0)
		return -1;
	return *count > 0;
}

/* False for folders, and for the extra entries of Apple's archiver. */
static bool is_file(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && name[len - 1] != '/' && strncmp(name, "__MACOSX/", strlen("__MACOSX/")) != 0;
}

static int skip_entry(struct source *source, struct error *err)
{
	char rest[4096];
	size_t count;
	int result;

	while ((result = zip_read(source, rest, sizeof(rest), &count, err)) > 0)
		;
	return result;
}

int zip_next(struct source *source, struct error *err)
{
	for (;;) {
		if (need_all(source, 4, err) != 0)
			return -1;
		uint64_t sig = number_at(at(source), 4);
		if (sig == CENTRAL_HEADER_SIG || sig == END_SIG || sig == ZIP64_END_SIG)
			return 0;
		if (sig != LOCAL_HEADER_SIG)
			return source_fail(source, err, "is no zip that can be read");
		if (read_header(source, err) != 0)
			return -1;
		if (is_file(source->file_name))
			return 1;
		if (skip_entry(source, err) != 0)
			return -1;
	}
}
