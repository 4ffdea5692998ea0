/* SPDX-License-Identifier: ISC */
/*
 * archive.h: one compressed file, written part by part.
 *
 * A part is compressed by itself, without history of earlier parts, so the file depends only on the parts, and one that
 * was truncated to the end of a part continues as if nothing had happened. In zip and gzip a part is raw deflate that
 * ends on a full flush (what a sealed block is, too), in zstd a frame.
 *
 * The file's SHA-256 is computed while it is written, so nothing written is changed later.
 */
#ifndef CDRD_REPORT_ARCHIVE_H
#define CDRD_REPORT_ARCHIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/str.h"

#define ARCHIVE_SHA256_BYTES 32

enum archive_kind {
	ARCHIVE_ZIP,
	ARCHIVE_GZIP,
	ARCHIVE_ZSTD,
	ARCHIVE_PARQUET, /* content that is a whole Parquet file: nothing is put around it */
};

struct archive_options {
	enum archive_kind kind;
	struct str name; /* of the file inside, plain ASCII, at most 255 bytes; copied */
	int64_t time_us; /* and its time */
	bool passes;     /* the file need not last: it is never put on disk on purpose */
};

/* The state of a file, which with its SHA-256 is what a checkpoint must keep. */
struct archive_state {
	uint64_t bytes;         /* of the file */
	uint64_t content_bytes; /* of the file inside */
	uint32_t content_crc32;
};

/* Is deflate copied into such files, and not compressed again? */
bool archive_takes_deflate(enum archive_kind kind);

/* Content that is compressed already. It is checked only if it must be inflated. */
struct archive_part {
	struct str deflate; /* raw, ends on a full flush, no final bit */
	uint32_t content_bytes;
	uint32_t content_crc32;
};

struct archive;

/* Makes or empties the file at `path` and writes what precedes the content. NULL on failure; the file stays. */
MUST_CHECK struct archive *archive_new(const char *path, const struct archive_options *options, struct error *err);

/* Opens a file that an archive of the same options wrote, to truncate it to `state` and append. Before anything is put,
 * archive_catch_up must have returned 1. ERROR_CORRUPT if the file is missing or too short. */
MUST_CHECK struct archive *archive_open(const char *path, const struct archive_options *options,
                                        const struct archive_state *state, const uint8_t sha256[ARCHIVE_SHA256_BYTES],
                                        struct error *err);

/* Reads the opened file for its SHA-256 until about `deadline_us` of clock_monotonic_us. 1 when it is complete, 0 when
 * there is more to read, -1 (ERROR_CORRUPT: the sum is not the one given to archive_open). */
MUST_CHECK int archive_catch_up(struct archive *archive, int64_t deadline_us, struct error *err);

enum archive_put { ARCHIVE_PUT, ARCHIVE_MORE, ARCHIVE_NO_ROOM, ARCHIVE_FAILED };

/* Writes content as a part. If the finished file would be longer than `max_bytes` (0: no limit), it writes nothing and
 * returns ARCHIVE_NO_ROOM. Writes to the page cache; a full disk is ERROR_FULL. */
MUST_CHECK enum archive_put archive_put(struct archive *archive, struct str content, uint64_t max_bytes,
                                        struct error *err);

/*
 * The same for content that is compressed already. Zip and gzip copy it. For zstd it is inflated and compressed in
 * pieces; if `deadline_us` of clock_monotonic_us passes meanwhile, the result is ARCHIVE_MORE: nothing is written yet,
 * and archive_resume must be called, with the same limit, until it returns something else. `part` need not live that
 * long.
 */
MUST_CHECK enum archive_put archive_put_part(struct archive *archive, const struct archive_part *part,
                                             uint64_t max_bytes, int64_t deadline_us, struct error *err);
MUST_CHECK enum archive_put archive_resume(struct archive *archive, uint64_t max_bytes, int64_t deadline_us,
                                           struct error *err);

/* Writes what follows the content: the file is complete, but not yet on disk. */
MUST_CHECK int archive_finish(struct archive *archive, struct error *err);

/* Writes what still waits in memory, and waits until all of the file is on disk, unless it passes. */
MUST_CHECK int archive_sync(struct archive *archive, struct error *err);

const struct archive_state *archive_state(const struct archive *archive);

/* Reads `count` bytes from byte `at` of the file into `out`, in place of what is there. ERROR_CORRUPT where it is shorter. */
MUST_CHECK int archive_read(struct archive *archive, uint64_t at, size_t count, struct buf *out, struct error *err);

/* Of the file as it is now. */
MUST_CHECK int archive_sha256(const struct archive *archive, uint8_t sha256[ARCHIVE_SHA256_BYTES], struct error *err);

/* Closes the file. Does nothing on NULL. */
void archive_free(struct archive *archive);

#endif
