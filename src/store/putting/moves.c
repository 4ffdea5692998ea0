/* SPDX-License-Identifier: ISC */
/*
 * moves.c: the file of records that are about to change their days. See moves.h.
 */
#include "store/putting/moves.h"

#include <errno.h>
#include <fcntl.h>
#include <isa-l/crc.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/directory.h"
#include "base/log.h"
#include "store/days_store.h"
#include "store/putting/moves_private.h"

uint32_t moves_crc(const struct move_head *head, const char *row)
{
	struct move_head plain = *head;

	plain.crc32 = 0;
	uint32_t crc = crc32_gzip_refl(0, (const void *)&plain, sizeof(plain));
	return crc32_gzip_refl(crc, (const void *)row, head->row_bytes);
}

/* --- the file --- */

int moves_write_at(struct moves *moves, struct str bytes, size_t offset, struct error *err)
{
	while (bytes.len > 0) {
		ssize_t len = pwrite(moves->fd, bytes.p, bytes.len, (off_t)offset);

		if (len < 0 && errno == EINTR)
			continue;
		if (len <= 0)
			return error_set_errno(err, len < 0 ? errno : ENOSPC, "%s: write", moves->path.data);
		bytes = (struct str){ bytes.p + len, bytes.len - (size_t)len };
		offset += (size_t)len;
	}
	if (fdatasync(moves->fd) != 0)
		return error_set_errno(err, errno, "%s: sync", moves->path.data);
	return 0;
}

/* A longer file does no harm: what was finished is left as it is, and what was not written whole is not read. */
void moves_cut(struct moves *moves)
{
	if (ftruncate(moves->fd, (off_t)(moves->left_bytes + moves->kept_bytes)) != 0)
		log_error("store", "%s: cut: %s", moves->path.data, strerror(errno));
}

int moves_open(struct store *store, struct error *err)
{
	struct moves *moves = store->moves = calloc(1, sizeof(*moves));
	struct stat st;

	if (!moves)
		return error_set(err, ERROR_NOMEM, "moves: out of memory");
	moves->fd = -1;
	buf_addf(&moves->path, "%s/moves", store->options.data_dir);
	if (!buf_cstr(&moves->path))
		return error_set(err, ERROR_NOMEM, "moves: out of memory");
	moves->fd = open(moves->path.data, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	if (moves->fd < 0 || fstat(moves->fd, &st) != 0)
		return error_set_errno(err, errno, "%s: open", moves->path.data);
	moves->left_bytes = (size_t)st.st_size;
	return moves->left_bytes ? 0 : directory_sync(store->options.data_dir, err);
}

void moves_close(struct moves *moves)
{
	if (!moves)
		return;
	if (moves->fd >= 0)
		close(moves->fd);
	buf_free(&moves->path);
	buf_free(&moves->noted);
	free(moves);
}

/* --- around a commit --- */

int moves_note(struct store *store, const struct partition *partition, int32_t from_day, const struct position *to,
               struct str row, struct error *err)
{
	struct buf *noted = &store->moves->noted;
	struct move_head head = {
		.magic = MOVES_MAGIC,
		.row_bytes = (uint32_t)row.len,
		.from_day = from_day,
		.account = partition->account,
		.product = partition->product,
		.to_direction = to->direction,
		.to_us = to->time_us,
		.to_seq = to->seq,
	};

	head.crc32 = moves_crc(&head, row.p);
	buf_add(noted, &head, sizeof(head));
	buf_add_str(noted, row);
	return noted->failed ? error_set(err, ERROR_NOMEM, "moves: out of memory") : 0;
}

int moves_write(struct store *store, struct error *err)
{
	struct moves *moves = store->moves;

	if (moves->noted.len == 0)
		return 0;
	if (moves_write_at(moves, buf_str(&moves->noted), moves->left_bytes + moves->kept_bytes, err) != 0) {
		moves_cut(moves);
		return -1;
	}
	moves->written = true;
	return 0;
}

void moves_done(struct store *store)
{
	struct moves *moves = store->moves;

	if (moves->written && moves->keeps)
		moves->kept_bytes += moves->noted.len;
	else if (moves->written)
		moves_cut(moves);
	moves->written = false;
	buf_clear(&moves->noted);
}

void store_keep_moves(struct store *store, bool keep)
{
	struct moves *moves = store->moves;

	moves->keeps = keep;
	if (keep)
		return;
	moves->kept_bytes = 0;
	moves_cut(moves);
}

void moves_drop(struct store *store)
{
	struct moves *moves = store->moves;

	if (!moves)
		return;
	/* What lies before in the file is finished once more, which changes nothing. */
	if (moves->written) {
		moves->left_bytes += moves->kept_bytes + moves->noted.len;
		moves->kept_bytes = 0;
	}
	moves->written = false;
	buf_clear(&moves->noted);
}

bool moves_are_left(const struct store *store)
{
	return store->moves->left_bytes > 0 && !store->moves->finishing;
}
