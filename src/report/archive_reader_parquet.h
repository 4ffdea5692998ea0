/* SPDX-License-Identifier: ISC */
/*
 * archive_reader_parquet.h: the texts of a Parquet file that a maker has written, page by page; private to
 * archive_reader.c, which has its functions' descriptions.
 */
#ifndef CDRD_REPORT_ARCHIVE_READER_PARQUET_H
#define CDRD_REPORT_ARCHIVE_READER_PARQUET_H

#include "base/error.h"
#include "base/str.h"

struct parquet_walk;

/* Both stay the caller's, and must live as long. */
MUST_CHECK struct parquet_walk *parquet_walk_new(int fd, const char *path, struct error *err);
MUST_CHECK int parquet_walk_next(struct parquet_walk *walk, struct str *piece, struct error *err);
void parquet_walk_free(struct parquet_walk *walk);

#endif
