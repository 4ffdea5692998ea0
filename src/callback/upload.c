/* SPDX-License-Identifier: ISC */
/*
 * upload.c: what an attempt at a delivery sends, instead of a callback's body. See upload.h.
 */
#include "callback/upload.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/sha.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const char test_text[] = "This file was sent by cdrd to test a destination of reports. It can be removed.\n";

void upload_test_sha256(char out[UPLOAD_SHA256_LEN + 1])
{
	uint8_t digest[SHA256_DIGEST_LENGTH];

	SHA256((const uint8_t *)test_text, sizeof(test_text) - 1, digest);
	str_write_hex(out, digest, sizeof(digest));
}

static int open_test_file(struct upload *upload, struct error *err)
{
	upload->size = sizeof(test_text) - 1;
	upload->fd = memfd_create("test", MFD_CLOEXEC);
	if (upload->fd >= 0 && write(upload->fd, test_text, sizeof(test_text) - 1) == (ssize_t)upload->size)
		return 0;
	return error_set_errno(err, errno, "the test's file");
}

static int open_file(struct upload *upload, const char *data_dir, struct error *err)
{
	struct buf path = { 0 };
	struct stat status;

	buf_addf(&path, "%s/reports/", data_dir);
	buf_add_str(&path, buf_str(&upload->file));
	if (!buf_cstr(&path)) {
		buf_free(&path);
		return error_set(err, ERROR_NOMEM, "out of memory");
	}
	upload->fd = open(path.data, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	int number = errno;
	buf_free(&path);
	if (upload->fd < 0 && number == ENOENT)
		return error_set(err, ERROR_NOT_FOUND, "the report's file has gone");
	if (upload->fd < 0 || fstat(upload->fd, &status) != 0)
		return error_set_errno(err, number, "the report's file");
	upload->size = status.st_size;
	return 0;
}

/* The credentials are sent only where they were meant to be: a destination may have been removed and added anew. */
static int check_place(const struct upload *upload, struct str url, struct error *err)
{
	size_t len = strlen(upload->destination.url);

	if (url.len > len && memcmp(url.p, upload->destination.url, len) == 0)
		return 0;
	return error_set(err, ERROR_CONFLICT, "destination %s has another url now", upload->destination.name);
}

static int make_texts(struct upload *upload, struct error *err)
{
	const struct destination *destination = &upload->destination;

	if (destination->type == DESTINATION_S3)
		buf_addf(&upload->sigv4, "aws:amz:%s:s3", destination->region);
	return !buf_cstr(&upload->sha256) || (upload->sigv4.len > 0 && !buf_cstr(&upload->sigv4)) ?
	               error_set(err, ERROR_NOMEM, "out of memory") :
	               0;
}

int upload_take(struct upload *upload, const struct callback_upload *wanted, struct error *err)
{
	upload->fd = -1;
	buf_add_str(&upload->name, wanted->destination);
	buf_add_str(&upload->file, wanted->file);
	buf_add_str(&upload->sha256, wanted->sha256);
	return upload->name.failed || upload->file.failed || upload->sha256.failed ?
	               error_set(err, ERROR_NOMEM, "out of memory") :
	               0;
}

int upload_begin(struct upload *upload, struct destinations *destinations, const char *data_dir, const char *account,
                 struct str url, struct error *err)
{
	if (!destinations)
		return error_set(err, ERROR_CONFLICT, "there are no destinations");
	if (destinations_find(destinations, account, buf_str(&upload->name), &upload->destination, err) != 0 ||
	    check_place(upload, url, err) != 0 || make_texts(upload, err) != 0)
		return -1;
	return str_is(buf_str(&upload->file), UPLOAD_TEST_FILE) ? open_test_file(upload, err) :
	                                                          open_file(upload, data_dir, err);
}

const char *upload_file_type(struct str name)
{
	static const struct str parquet = { ".parquet", 8 };

	return name.len > parquet.len && memcmp(name.p + name.len - parquet.len, parquet.p, parquet.len) == 0 ?
	               "application/vnd.apache.parquet" :
	               "application/octet-stream";
}

void upload_write_s3_url(struct str url, struct buf *out)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~/";
	const char *host = memmem(url.p, url.len, "://", 3);
	const char *path = host ? memchr(host + 3, '/', url.len - (size_t)(host + 3 - url.p)) : NULL;
	size_t at = path ? (size_t)(path - url.p) : url.len;

	buf_add(out, url.p, at);
	for (; at < url.len; at++) {
		int escaped = url.p[at] == '%' ? str_hex_byte(url.p + at + 1, url.p + url.len) : -1;
		unsigned char c = escaped >= 0 ? (unsigned char)escaped : (unsigned char)url.p[at];

		/* an escaped slash is within a name, not between two */
		if (c && strchr(plain, c) && escaped != '/')
			buf_add_char(out, (char)c);
		else
			buf_addf(out, "%%%02X", c);
		at += escaped >= 0 ? 2 : 0;
	}
}

bool callback_is_delivery(struct str id)
{
	static const struct str prefix = { CALLBACK_DELIVERY_PREFIX, sizeof(CALLBACK_DELIVERY_PREFIX) - 1 };

	return id.len > prefix.len && memcmp(id.p, prefix.p, prefix.len) == 0;
}

bool upload_is_wanted(const struct upload *upload)
{
	return upload->name.len > 0;
}

bool upload_by_courier(const struct upload *upload)
{
	return upload_is_wanted(upload) && upload->destination.type >= DESTINATION_SFTP;
}

void upload_end(struct upload *upload)
{
	if (upload_is_wanted(upload) && upload->fd >= 0)
		close(upload->fd);
	explicit_bzero(&upload->destination, sizeof(upload->destination));
	buf_free(&upload->sigv4);
	buf_free(&upload->name);
	buf_free(&upload->file);
	buf_free(&upload->sha256);
}
