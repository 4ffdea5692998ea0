/* SPDX-License-Identifier: ISC */
/*
 * console.c: see console.h.
 */
#include "console/console.h"

#include <zlib.h>

#define GZIP_WINDOW (15 + 16) /* inflateInit2(): the largest window, in gzip's frame */

const struct console_file *console_find(struct str name)
{
	const struct console_file *file = console_files;

	while (file->name && !str_is(name, file->name))
		file++;
	return file->name ? file : NULL;
}

int console_unpack(const struct console_file *file, struct buf *out, struct error *err)
{
	z_stream stream = { 0 };
	int status;

	if (!buf_reserve(out, file->len) || inflateInit2(&stream, GZIP_WINDOW) != Z_OK)
		return error_set(err, ERROR_NOMEM, "Out of memory for %s", file->name);
	stream.next_in = (z_const Bytef *)file->gzip;
	stream.avail_in = (uInt)file->gzip_len;
	stream.next_out = (Bytef *)out->data + out->len;
	stream.avail_out = (uInt)file->len;
	status = inflate(&stream, Z_FINISH);
	(void)inflateEnd(&stream);
	if (status != Z_STREAM_END)
		return error_set(err, ERROR_NOMEM, "Out of memory for %s", file->name);
	out->len += file->len;
	return 0;
}
