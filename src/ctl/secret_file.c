/* SPDX-License-Identifier: ISC */
/*
 * secret_file.c: see secret_file.h.
 */
#include "ctl/secret_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SECRET_FILE_MAX 16384 /* bytes; more than a private key has */

static int read_stream(FILE *in, const char *path, struct buf *text, struct error *err)
{
	char bytes[SECRET_FILE_MAX + 1];
	size_t len = fread(bytes, 1, sizeof(bytes), in);

	if (ferror(in))
		return error_set_errno(err, errno, "%s: read", path);
	if (len > SECRET_FILE_MAX)
		return error_set(err, ERROR_INVALID, "%s: more than %d bytes, too long for a secret", path,
		                 SECRET_FILE_MAX);
	if (len > 0 && bytes[len - 1] == '\n')
		len--;
	if (len > 0 && bytes[len - 1] == '\r')
		len--;
	if (memchr(bytes, '\0', len))
		return error_set(err, ERROR_INVALID, "%s: a NUL byte, no secret has one", path);
	buf_add(text, bytes, len);
	return buf_cstr(text) ? 0 : error_set(err, ERROR_NOMEM, "%s: out of memory", path);
}

static int read_file(const char *path, struct buf *text, struct error *err)
{
	if (strcmp(path, "-") == 0)
		return read_stream(stdin, "standard input", text, err);
	FILE *in = fopen(path, "r");
	if (!in)
		return error_set_errno(err, errno, "%s: open", path);
	int result = read_stream(in, path, text, err);
	fclose(in);
	return result;
}

int secret_file_take(struct args *args, struct buf *text, struct error *err)
{
	const struct args_param *secret = args_find_option(args->synopsis, STR_LITERAL("--secret"));

	for (size_t i = 0; secret && i < args->count; i++) {
		struct args_value *value = &args->values[i];

		if (strcmp(value->param->name, "secret_file") != 0)
			continue;
		if (args_get(args, "secret"))
			return error_set(err, ERROR_INVALID, "--secret-file: --secret is given, too");
		if (read_file(value->text, text, err) != 0)
			return -1;
		*value = (struct args_value){ .param = secret, .text = text->data };
	}
	return 0;
}
