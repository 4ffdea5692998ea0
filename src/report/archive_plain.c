/* SPDX-License-Identifier: ISC */
/*
 * archive_plain.c: content that is a file already, as Parquet is: nothing around it, nothing compressed.
 */
#include "report/archive_private.h"

static bool copy(void *compressor, struct str content, struct buf *out)
{
	(void)compressor;
	buf_add_str(out, content);
	return !out->failed;
}

const struct archive_codec archive_plain_codec = {
	.compress = copy,
};
