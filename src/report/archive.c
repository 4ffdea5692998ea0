/* SPDX-License-Identifier: ISC */
/*
 * archive.c: the file of an archive: its bytes, their SHA-256 and the remaining room.
 *
 * Small parts, as those of small accounts are, wait for each other until there are WAITING_BYTES of them. Writes go to
 * the page cache. Every WRITEBACK_BYTES the kernel is asked to start writing them to disk, so that an
 * fdatasync has little left to wait for.
 */
#include "report/archive_private.h"

#include <errno.h>
#include <fcntl.h>
#include <isa-l/crc.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/directory.h"
#include "report/crc_append.h"

#define WRITEBACK_BYTES ((uint64_t)4 << 20)
#define WAITING_BYTES ((size_t)256 << 10)
#define HASH_BYTES ((size_t)16 << 10) /* of what waits, hashed at once while the processor's cache has it */
#define READ_BYTES ((size_t)256 << 10)
#define PIECE_BYTES ((size_t)512 << 10) /* of inflated content; compressed in about 1 ms */
#define FILE_MODE 0640

struct archive {
	const struct archive_codec *codec;
	struct archive_entry entry;
	char *path;
	int fd;
	bool is_new; /* its name may not last yet */
	bool passes;
	void *compressor;
	EVP_MD_CTX *hash;
	struct archive_state state;
	uint64_t hashed_bytes;    /* of an opened file; equals state.bytes from then on, what waits counted */
	uint64_t writeback_bytes; /* that the kernel was asked to write to disk */
	bool has_spare;           /* the file has disk space after its end */
	uint8_t sha256[ARCHIVE_SHA256_BYTES]; /* expected of the opened file */
	struct buf waiting;                   /* the file's last bytes, not written yet: fewer than WAITING_BYTES */
	size_t waiting_hashed;                /* bytes of it */
	struct buf part;
	struct buf content;  /* of a part that had to be inflated */
	size_t content_done; /* bytes of it that are compressed already, in `part` */
	struct buf end;
	struct crc_append crc_append;
};

void archive_add_number(struct buf *out, uint64_t number, int size)
{
	for (int i = 0; i < size; i++)
		buf_add_char(out, (char)(number >> (8 * i) & 0xff));
}

static const struct archive_codec *codec_of(enum archive_kind kind)
{
	switch (kind) {
	case ARCHIVE_GZIP:
		return &archive_gzip_codec;
	case ARCHIVE_ZSTD:
		return &archive_zstd_codec;
	case ARCHIVE_PARQUET:
		return &archive_plain_codec;
	default:
		return &archive_zip_codec;
	}
}

bool archive_takes_deflate(enum archive_kind kind)
{
	return codec_of(kind)->deflated;
}

static struct archive *make(const char *path, const struct archive_options *options)
{
	struct archive *archive = calloc(1, sizeof(*archive));
	size_t name_len = options->name.len < ARCHIVE_NAME_MAX ? options->name.len : ARCHIVE_NAME_MAX;

	if (!archive)
		return NULL;
	archive->fd = -1;
	archive->codec = codec_of(options->kind);
	archive->path = strdup(path);
	if (archive->codec->compressor_new)
		archive->compressor = archive->codec->compressor_new();
	archive->hash = EVP_MD_CTX_new();
	if (name_len > 0)
		memcpy(archive->entry.name, options->name.p, name_len);
	archive->entry.name_len = name_len;
	archive->entry.time_us = options->time_us;
	archive->passes = options->passes;
	if (archive->path && (archive->compressor || !archive->codec->compressor_new) && archive->hash &&
	    EVP_DigestInit_ex(archive->hash, EVP_sha256(), NULL) == 1)
		return archive;
	archive_free(archive);
	return NULL;
}

static int no_memory(struct error *err)
{
	return error_set(err, ERROR_NOMEM, "Out of memory for a report file");
}

static int write_all(struct archive *archive, struct str bytes, struct error *err)
{
	while (bytes.len > 0) {
		ssize_t done = write(archive->fd, bytes.p, bytes.len);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return error_set_errno(err, errno, "Cannot write report file %s", archive->path);
		bytes.p += done;
		bytes.len -= (size_t)done;
	}
	return 0;
}

static int add_to_hash(EVP_MD_CTX *hash, struct str bytes, struct error *err)
{
	return EVP_DigestUpdate(hash, bytes.p, bytes.len) == 1 ? 0 : no_memory(err);
}

static struct str not_hashed(const struct archive *archive)
{
	size_t len = archive->waiting.len - archive->waiting_hashed;

	return (struct str){ len ? archive->waiting.data + archive->waiting_hashed : "", len };
}

static int hash_waiting(struct archive *archive, struct error *err)
{
	int result = add_to_hash(archive->hash, not_hashed(archive), err);

	archive->waiting_hashed = archive->waiting.len;
	return result;
}

static int write_waiting(struct archive *archive, struct error *err)
{
	int result = hash_waiting(archive, err);

	if (result == 0)
		result = write_all(archive, buf_str(&archive->waiting), err);
	buf_clear(&archive->waiting);
	archive->waiting_hashed = 0;
	return result;
}

static struct str cut(struct str *bytes, size_t len)
{
	struct str first = { bytes->p, len };

	bytes->p += len;
	bytes->len -= len;
	return first;
}

/* Writes up to the last multiple of WAITING_BYTES in the file, and has the rest wait: the page cache then takes each write
 * as one large folio. Hashes before it writes: bytes from a map are then in the processor's cache, or at least in memory. */
static int write_or_wait(struct archive *archive, struct str bytes, struct error *err)
{
	size_t room = WAITING_BYTES - (size_t)(archive->state.bytes % WAITING_BYTES);

	if (bytes.len >= room && archive->waiting.len > 0) {
		buf_add_str(&archive->waiting, cut(&bytes, room));
		if (archive->waiting.failed)
			return no_memory(err);
		if (write_waiting(archive, err) < 0)
			return -1;
		room = WAITING_BYTES;
	}
	if (bytes.len >= room) {
		struct str whole = cut(&bytes, bytes.len - (bytes.len - room) % WAITING_BYTES);

		if (add_to_hash(archive->hash, whole, err) < 0 || write_all(archive, whole, err) < 0)
			return -1;
	}
	buf_add_str(&archive->waiting, bytes);
	if (archive->waiting.failed)
		return no_memory(err);
	return not_hashed(archive).len < HASH_BYTES ? 0 : hash_waiting(archive, err);
}

/* Asks for the disk space of what is written until the next time: that of all at once costs the file system less than that
 * of each page. A hint, too. */
static void reserve(struct archive *archive)
{
	(void)fallocate(archive->fd, FALLOC_FL_KEEP_SIZE, (off_t)archive->state.bytes,
	                (off_t)(WRITEBACK_BYTES + WAITING_BYTES));
	archive->has_spare = true;
}

/* Gives back what was reserved and is not needed. */
static void release(struct archive *archive)
{
	if (archive->has_spare)
		(void)ftruncate(archive->fd, (off_t)archive->state.bytes);
	archive->has_spare = false;
}

static void begin_writeback(struct archive *archive)
{
	uint64_t len = archive->state.bytes - archive->writeback_bytes;

	if (archive->passes || len < WRITEBACK_BYTES)
		return;
	reserve(archive);
	/* A hint: where it fails, fdatasync does all the work, and says what is wrong. */
	(void)sync_file_range(archive->fd, (off_t)archive->writeback_bytes, (off_t)len, SYNC_FILE_RANGE_WRITE);
	archive->writeback_bytes = archive->state.bytes;
}

static int append(struct archive *archive, struct str bytes, struct error *err)
{
	if (write_or_wait(archive, bytes, err) < 0)
		return -1;
	archive->state.bytes += bytes.len;
	archive->hashed_bytes = archive->state.bytes;
	begin_writeback(archive);
	return 0;
}

static int open_file(struct archive *archive, int flags, struct error *err)
{
	archive->fd = open(archive->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, FILE_MODE);
	if (archive->fd < 0 && errno == ENOENT && !(flags & O_CREAT))
		return error_set(err, ERROR_CORRUPT, "Report file %s is missing", archive->path);
	if (archive->fd < 0)
		return error_set_errno(err, errno, "Cannot open report file %s", archive->path);
	return 0;
}

static int begin_file(struct archive *archive, struct error *err)
{
	if (open_file(archive, O_CREAT | O_TRUNC, err) < 0)
		return -1;
	archive->is_new = true;
	if (!archive->codec->begin)
		return 0;
	archive->codec->begin(&archive->entry, &archive->part);
	if (archive->part.failed)
		return no_memory(err);
	/* Written at once: it shows whether there is room for any. */
	return append(archive, buf_str(&archive->part), err) < 0 ? -1 : write_waiting(archive, err);
}

struct archive *archive_new(const char *path, const struct archive_options *options, struct error *err)
{
	struct archive *archive = make(path, options);

	if (!archive) {
		no_memory(err);
		return NULL;
	}
	if (begin_file(archive, err) == 0)
		return archive;
	archive_free(archive);
	return NULL;
}

static int cut_back(struct archive *archive, struct error *err)
{
	uint64_t bytes = archive->state.bytes;
	struct stat st;

	if (open_file(archive, 0, err) < 0)
		return -1;
	if (fstat(archive->fd, &st) < 0)
		return error_set_errno(err, errno, "Cannot look at report file %s", archive->path);
	if ((uint64_t)st.st_size < bytes)
		return error_set(err, ERROR_CORRUPT, "Report file %s: %llu bytes, its checkpoint says %llu",
		                 archive->path, (unsigned long long)st.st_size, (unsigned long long)bytes);
	if (ftruncate(archive->fd, (off_t)bytes) < 0)
		return error_set_errno(err, errno, "Cannot cut report file %s", archive->path);
	return 0;
}

struct archive *archive_open(const char *path, const struct archive_options *options, const struct archive_state *state,
                             const uint8_t sha256[ARCHIVE_SHA256_BYTES], struct error *err)
{
	struct archive *archive = make(path, options);

	if (!archive) {
		no_memory(err);
		return NULL;
	}
	archive->state = *state;
	archive->writeback_bytes = state->bytes;
	memcpy(archive->sha256, sha256, sizeof(archive->sha256));
	if (cut_back(archive, err) == 0)
		return archive;
	archive_free(archive);
	return NULL;
}

/* Hashes the next piece of the opened file. */
static int hash_piece(struct archive *archive, struct error *err)
{
	uint64_t left = archive->state.bytes - archive->hashed_bytes;
	size_t want = left < READ_BYTES ? (size_t)left : READ_BYTES;
	ssize_t got;

	if (!buf_reserve(&archive->part, want))
		return no_memory(err);
	got = read(archive->fd, archive->part.data, want);
	if (got < 0 && errno == EINTR)
		return 0;
	if (got < 0)
		return error_set_errno(err, errno, "Cannot read report file %s", archive->path);
	if (got == 0)
		return error_set(err, ERROR_CORRUPT, "Report file %s became shorter", archive->path);
	if (add_to_hash(archive->hash, (struct str){ archive->part.data, (size_t)got }, err) < 0)
		return -1;
	archive->hashed_bytes += (uint64_t)got;
	return 0;
}

int archive_catch_up(struct archive *archive, int64_t deadline_us, struct error *err)
{
	uint8_t sha256[ARCHIVE_SHA256_BYTES];

	buf_clear(&archive->part);
	while (archive->hashed_bytes < archive->state.bytes) {
		if (hash_piece(archive, err) < 0)
			return -1;
		if (clock_monotonic_us() >= deadline_us)
			return 0;
	}
	if (archive_sha256(archive, sha256, err) < 0)
		return -1;
	if (memcmp(sha256, archive->sha256, sizeof(sha256)) != 0)
		return error_set(err, ERROR_CORRUPT, "Report file %s is not what was written before its checkpoint",
		                 archive->path);
	return 1;
}

static enum archive_put failed(struct archive *archive, bool corrupt, struct error *err)
{
	if (corrupt)
		error_set(err, ERROR_CORRUPT, "Damaged block on its way into report file %s", archive->path);
	else
		no_memory(err);
	return ARCHIVE_FAILED;
}

/* How long would the file be if it ended at `state`? */
static bool is_within(struct archive *archive, const struct archive_state *state, uint64_t max_bytes)
{
	if (max_bytes == 0)
		return true;
	buf_clear(&archive->end);
	if (archive->codec->end)
		archive->codec->end(&archive->entry, state, &archive->end);
	return state->bytes + archive->end.len <= max_bytes;
}

/* Appends a part; `next` is the state after it. */
static enum archive_put put(struct archive *archive, struct str bytes, struct archive_state next, uint64_t max_bytes,
                            struct error *err)
{
	next.bytes += bytes.len;
	if (!is_within(archive, &next, max_bytes))
		return ARCHIVE_NO_ROOM;
	if (append(archive, bytes, err) < 0)
		return ARCHIVE_FAILED;
	archive->state = next;
	return ARCHIVE_PUT;
}

/* The state after `content`. */
static struct archive_state with_content(const struct archive *archive, struct str content)
{
	struct archive_state next = archive->state;

	next.content_bytes += content.len;
	next.content_crc32 = crc32_gzip_refl(next.content_crc32, (const unsigned char *)content.p, content.len);
	return next;
}

enum archive_put archive_put(struct archive *archive, struct str content, uint64_t max_bytes, struct error *err)
{
	buf_clear(&archive->part);
	if (!archive->codec->compress(archive->compressor, content, &archive->part))
		return failed(archive, false, err);
	return put(archive, buf_str(&archive->part), with_content(archive, content), max_bytes, err);
}

enum archive_put archive_resume(struct archive *archive, uint64_t max_bytes, int64_t deadline_us, struct error *err)
{
	struct str content = buf_str(&archive->content);

	while (archive->content_done < content.len) {
		struct str piece = { content.p + archive->content_done, content.len - archive->content_done };

		if (piece.len > PIECE_BYTES)
			piece.len = PIECE_BYTES;
		if (!archive->codec->compress(archive->compressor, piece, &archive->part))
			return failed(archive, false, err);
		archive->content_done += piece.len;
		if (archive->content_done < content.len && clock_monotonic_us() >= deadline_us)
			return ARCHIVE_MORE;
	}
	return put(archive, buf_str(&archive->part), with_content(archive, content), max_bytes, err);
}

enum archive_put archive_put_part(struct archive *archive, const struct archive_part *part, uint64_t max_bytes,
                                  int64_t deadline_us, struct error *err)
{
	struct archive_state next = archive->state;

	if (!archive->codec->deflated) {
		buf_clear(&archive->content);
		buf_clear(&archive->part);
		archive->content_done = 0;
		if (!archive_inflate(part, &archive->content))
			return failed(archive, !archive->content.failed, err);
		return archive_resume(archive, max_bytes, deadline_us, err);
	}
	next.content_bytes += part->content_bytes;
	next.content_crc32 =
		crc_append(&archive->crc_append, next.content_crc32, part->content_crc32, part->content_bytes);
	return put(archive, part->deflate, next, max_bytes, err);
}

int archive_finish(struct archive *archive, struct error *err)
{
	buf_clear(&archive->end);
	if (archive->codec->end)
		archive->codec->end(&archive->entry, &archive->state, &archive->end);
	if (archive->end.failed)
		return no_memory(err);
	if (append(archive, buf_str(&archive->end), err) < 0 || write_waiting(archive, err) < 0)
		return -1;
	release(archive);
	return 0;
}

int archive_sync(struct archive *archive, struct error *err)
{
	if (write_waiting(archive, err) < 0)
		return -1;
	if (archive->passes)
		return 0;
	if (fdatasync(archive->fd) < 0)
		return error_set_errno(err, errno, "Cannot put report file %s on disk", archive->path);
	if (archive->is_new && directory_sync_parent(archive->path, err) != 0)
		return -1;
	archive->is_new = false;
	archive->writeback_bytes = archive->state.bytes;
	return 0;
}

int archive_read(struct archive *archive, uint64_t at, size_t count, struct buf *out, struct error *err)
{
	buf_clear(out);
	if (write_waiting(archive, err) < 0)
		return -1;
	if (!buf_reserve(out, count))
		return no_memory(err);
	while (out->len < count) {
		ssize_t got = pread(archive->fd, out->data + out->len, count - out->len, (off_t)(at + out->len));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return error_set_errno(err, errno, "Cannot read report file %s", archive->path);
		if (got == 0)
			return error_set(err, ERROR_CORRUPT, "Report file %s became shorter", archive->path);
		out->len += (size_t)got;
	}
	return 0;
}

const struct archive_state *archive_state(const struct archive *archive)
{
	return &archive->state;
}

int archive_sha256(const struct archive *archive, uint8_t sha256[ARCHIVE_SHA256_BYTES], struct error *err)
{
	EVP_MD_CTX *copy = EVP_MD_CTX_new();
	bool done = copy && EVP_MD_CTX_copy_ex(copy, archive->hash) == 1 &&
	            add_to_hash(copy, not_hashed(archive), err) == 0 && EVP_DigestFinal_ex(copy, sha256, NULL) == 1;

	EVP_MD_CTX_free(copy);
	return done ? 0 : no_memory(err);
}

void archive_free(struct archive *archive)
{
	if (!archive)
		return;
	if (archive->fd >= 0)
		close(archive->fd);
	if (archive->compressor)
		archive->codec->compressor_free(archive->compressor);
	EVP_MD_CTX_free(archive->hash);
	buf_free(&archive->waiting);
	buf_free(&archive->part);
	buf_free(&archive->content);
	buf_free(&archive->end);
	free(archive->path);
	free(archive);
}
