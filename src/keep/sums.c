/*
 * sums.c: see sums.h.
 */
#include "keep/sums.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

#define PIECE_BYTES ((size_t)64 << 10)
#define SYNC_BYTES ((uint64_t)4 << 20) /* written between two syncs, so that none takes long */

int sums_file_begin(struct sums_file *file, const char *from, const char *to, unsigned mode, struct error *err)
{
	*file = (struct sums_file){ .in = -1, .out = -1, .hash = EVP_MD_CTX_new() };
	if (!file->hash || EVP_DigestInit_ex(file->hash, EVP_sha256(), NULL) != 1)
		error_set(err, ERROR_NOMEM, "%s: out of memory", from);
	else if ((file->in = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)) < 0)
		error_set_errno(err, errno, "%s: open", from);
	else if (to && (file->out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, (mode_t)mode)) < 0)
		error_set_errno(err, errno, "%s: make", to);
	else
		return 0;
	sums_file_end(file);
	return -1;
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

/* 1 at the end, 0, -1. */
static int read_piece(struct sums_file *file, const char *name, struct error *err)
{
	char piece[PIECE_BYTES];
	ssize_t got = read(file->in, piece, sizeof(piece));
	if (got < 0)
		return errno == EINTR ? 0 : error_set_errno(err, errno, "%s: read", name);
	if (got == 0)
		return 1;
	if (EVP_DigestUpdate(file->hash, piece, (size_t)got) != 1)
		return error_set(err, ERROR_IO, "%s: SHA-256 failed", name);
	file->bytes += (uint64_t)got;
	if (file->out < 0)
		return 0;
	file->unsynced_bytes += (uint64_t)got;
	if (write_all(file->out, piece, (size_t)got) != 0)
		return error_set_errno(err, errno, "%s: write", name);
	if (file->unsynced_bytes < SYNC_BYTES)
		return 0;
	file->unsynced_bytes = 0;
	return fdatasync(file->out) == 0 ? 0 : error_set_errno(err, errno, "%s: sync", name);
}

static int finish(struct sums_file *file, const char *name, struct error *err)
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
		result = finish(file, name, err);
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

/* Below the directory, by plain names. */
static bool is_inside(struct str path)
{
	size_t begin = 0;
	for (size_t at = 0; at <= path.len; at++) {
		if (at < path.len && path.p[at] != '/')
			continue;
		if (at == begin || path.p[begin] == '.')
			return false;
		begin = at + 1;
	}
	return true;
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
	return is_inside(*path) && !memchr(path->p, '\0', path->len) ? 1 : -1;
}

struct str sums_find(struct str list, struct str path)
{
	struct str hex, other;
	while (sums_next(&list, &hex, &other) > 0)
		if (str_equal(other, path))
			return hex;
	return (struct str){ NULL, 0 };
}
