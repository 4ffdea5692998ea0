/* SPDX-License-Identifier: ISC */
/*
 * archive_private.h: what the archive's parts share; private to report/.
 *
 *	archive.c          the file, its hash, the remaining room
 *	archive_deflate.c  deflates and inflates content, with ISA-L
 *	archive_zip.c, archive_gzip.c, archive_zstd.c, archive_plain.c   one format each
 */
#ifndef CDRD_REPORT_ARCHIVE_PRIVATE_H
#define CDRD_REPORT_ARCHIVE_PRIVATE_H

#include "report/archive.h"

#include "base/buf.h"

#define ARCHIVE_NAME_MAX 255

struct archive_entry {
	char name[ARCHIVE_NAME_MAX + 1];
	size_t name_len;
	int64_t time_us;
};

struct archive_codec {
	bool deflated;                 /* deflate parts are copied into the file */
	void *(*compressor_new)(void); /* NULL: it needs none */
	void (*compressor_free)(void *compressor);
	/* Appends content as a part. False when out of memory. */
	bool (*compress)(void *compressor, struct str content, struct buf *out);
	/* Append what precedes the content, and what follows it at `state`. NULL: nothing. */
	void (*begin)(const struct archive_entry *entry, struct buf *out);
	void (*end)(const struct archive_entry *entry, const struct archive_state *state, struct buf *out);
};

extern const struct archive_codec archive_zip_codec;
extern const struct archive_codec archive_gzip_codec;
extern const struct archive_codec archive_zstd_codec;
extern const struct archive_codec archive_plain_codec;

/* compressor_new, compressor_free and compress of the formats based on deflate. */
void *archive_deflate_new(void);
void archive_deflate_free(void *compressor);
bool archive_deflate(void *compressor, struct str content, struct buf *out);

/* The final, empty block after the last part. */
#define ARCHIVE_DEFLATE_END STR_LITERAL("\x03\x00")

/* Appends a part's content. False if it does not match the part, or when out of memory (out->failed). */
bool archive_inflate(const struct archive_part *part, struct buf *out);

/* Appends a number of `size` bytes, least significant first. */
void archive_add_number(struct buf *out, uint64_t number, int size);

#endif
