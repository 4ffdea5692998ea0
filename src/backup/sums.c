/* SPDX-License-Identifier: ISC */
/*
 * sums.c: see sums.h.
 */
#include "backup/sums.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

#define PIECE_BYTES ((size_t)64 << 10)
#define SYNC_BYTES ((uint64_t)4 << 20) /* written between two syncs, so that none takes long */

static int begin(struct sums_file *file, const char *name, struct error *err)
{
	*file = (struct sums_file){ .in = -1, .out = -1, .hash = EVP_MD_CTX_new() };
	if (file->hash && EVP_DigestInit_ex(file->hash, EVP_sha256(), NULL) == 1)
		return 0;
	return error_set(err, ERROR_NOMEM, "%s: out of memory", name);
}

static int make(struct sums_file *file, const char *to, unsigned mode, struct error *err)
{
	file->out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, (mode_t)mode);
	return file->out >= 0 ? 0 : error_set_errno(err, errno, "%s: make", to);
}

int sums_file_begin(struct sums_file *file, const char *from, const char *to, unsigned mode, struct error *err)
{
	int result = begin(file, from, err);

	if (result == 0 && (file->in = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)) < 0)
		result = error_set_errno(err, errno, "%s: open", from);
	if (result == 0 && to)
		result = make(file, to, mode, err);
	if (result != 0)
		sums_file_end(file);
	return result;
}

int sums_file_make(struct sums_file *file, const char *to, unsigned mode, struct error *err)
{
	int result = begin(file, to, err) == 0 ? make(file, to, mode, err) : -1;

	if (result != 0)
		sums_file_end(file);
	return result;
}

void sums_file_end(struct sums_file *file)
{
	if (!file->hash)
		return;
	EVP_MD_CTX_free(file->hash);
	file->hash = NULL;
	if (file->in >= 0)
		close(file->in);
	if (file->out >= 0)
		close(file->out);
}

static int write_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t written = write(fd, data, len);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return -1;
		data += written;
		len -= (size_t)written;
	}
	return 0;
}

int sums_file_write(struct sums_file *file, const char *name, struct str data, struct error *err)
{
	if (EVP_DigestUpdate(file->hash, data.p, data.len) != 1)
		return error_set(err, ERROR_IO, "%s: SHA-256 failed", name);
	file->bytes += data.len;
	if (file->out < 0)
		return 0;
	file->unsynced_bytes += data.len;
	if (write_all(file->out, data.p, data.len) != 0)
		return error_set_errno(err, errno, "%s: write", name);
	if (file->unsynced_bytes < SYNC_BYTES)
		return 0;
	file->unsynced_bytes = 0;
	return fdatasync(file->out) == 0 ? 0 : error_set_errno(err, errno, "%s: sync", name);
}

/* 1 at the end, 0, -1. */
static int read_piece(struct sums_file *file, const char *name, struct error *err)
{
	char piece[PIECE_BYTES];
	ssize_t got = read(file->in, piece, sizeof(piece));

	if (got < 0)
		return errno == EINTR ? 0 : error_set_errno(err, errno, "%s: read", name);
	return got == 0 ? 1 : sums_file_write(file, name, (struct str){ piece, (size_t)got }, err);
}

int sums_file_finish(struct sums_file *file, const char *name, struct error *err)
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	if (EVP_DigestFinal_ex(file->hash, sum, &len) != 1 || len * 2 != SUMS_HEX_LEN)
		return error_set(err, ERROR_IO, "%s: SHA-256 failed", name);
	for (unsigned i = 0; i < len; i++) {
		file->hex[2 * i] = "0123456789abcdef"[sum[i] >> 4];
		file->hex[2 * i + 1] = "0123456789abcdef"[sum[i] & 15];
	}
	if (file->out >= 0 && fsync(file->out) != 0)
		return error_set_errno(err, errno, "%s: sync", name);
	sums_file_end(file);
	return 0;
}

int sums_file_step(struct sums_file *file, const char *name, int64_t deadline_us, bool *done, struct error *err)
{
	int result;

	*done = false;
	do
		result = read_piece(file, name, err);
	while (result == 0 && clock_monotonic_us() < deadline_us);
	if (result > 0)
		result = sums_file_finish(file, name, err);
	else if (result == 0)
		return 0;
	*done = result == 0;
	if (result != 0)
		sums_file_end(file);
	return result;
}

/* --- the list --- */

void sums_add(struct buf *list, const char *hex, struct str path)
{
	buf_addf(list, "%s  %.*s\n", hex, STR_ARGS(path));
}

bool sums_is_inside(struct str path)
{
	size_t start = 0;

	for (size_t at = 0; at <= path.len; at++) {
		if (at < path.len && path.p[at] != '/')
			continue;
		if (at == start || path.p[start] == '.')
			return false;
		start = at + 1;
	}
	return !memchr(path.p, '\0', path.len);
}

int sums_next(struct str *rest, struct str *hex, struct str *path)
{
	if (rest->len == 0)
		return 0;
	const char *end = memchr(rest->p, '\n', rest->len);
	size_t len = end ? (size_t)(end - rest->p) : 0;
	if (len < SUMS_HEX_LEN + 3 || memcmp(rest->p + SUMS_HEX_LEN, "  ", 2) != 0)
		return -1;
	*hex = (struct str){ rest->p, SUMS_HEX_LEN };
	*path = (struct str){ rest->p + SUMS_HEX_LEN + 2, len - SUMS_HEX_LEN - 2 };
	rest->p += len + 1;
	rest->len -= len + 1;
	return sums_is_inside(*path) ? 1 : -1;
}

struct str sums_find(struct str list, struct str path)
{
	struct str hex, other;

	while (sums_next(&list, &hex, &other) > 0)
		if (str_equal(other, path))
			return hex;
	return (struct str){ NULL, 0 };
}
