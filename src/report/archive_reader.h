/* SPDX-License-Identifier: ISC */
/*
 * archive_reader.h: the content of a file that an archive (archive.h) has written, read back piece by piece.
 *
 *	zip     local header of 30 bytes, of which those at 26 and 28 say how long name and extra field are; raw deflate
 *	gzip    one member
 *	zstd    frames, one after the other
 *	Parquet only the texts, each with LF after it (archive_reader_parquet.c)
 */
#ifndef CDRD_REPORT_ARCHIVE_READER_H
#define CDRD_REPORT_ARCHIVE_READER_H

#include "base/error.h"
#include "base/str.h"
#include "report/archive.h"

struct archive_reader;

/* NULL with ERROR_NOT_FOUND, ERROR_IO or ERROR_NOMEM. */
MUST_CHECK struct archive_reader *archive_reader_new(const char *path, enum archive_kind kind, struct error *err);

/* The next piece, at most 64 KiB, or a page of Parquet, about a quarter of a millisecond's work; valid until the next call.
 * 1, 0 at the end of the content, -1 (ERROR_CORRUPT: no archive, or cut short). */
MUST_CHECK int archive_reader_next(struct archive_reader *reader, struct str *piece, struct error *err);

/* Does nothing on NULL. */
void archive_reader_free(struct archive_reader *reader);

#endif
