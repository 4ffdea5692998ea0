/* SPDX-License-Identifier: ISC */
/*
 * cursor.h: cursor tokens, sealed so that a client can neither read nor change them.
 *
 *	cursor = base64url( AES-256-GCM( key, nonce, plaintext, aad = account ) || tag )    iv = base64url( nonce )
 *	plaintext = version and limit, query fingerprint, range, snapshot, beginning, position: fixed-size little-endian
 *	            integers
 *
 * The key is data_dir/cursor.key (32 random bytes, mode 0600), made at first start: tokens survive a restart.
 */
#ifndef CDRD_QUERY_CURSOR_H
#define CDRD_QUERY_CURSOR_H

#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "store/scan.h"

struct cursor_key {
	uint8_t bytes[32];
};

struct cursor {
	uint64_t fingerprint; /* query_plan_fingerprint of the query it belongs to */
	int64_t from_us;
	int64_t to_us;
	uint64_t snapshot;
	int64_t began_us; /* when the first page was requested; tells repeating the query from repeating a page */
	uint32_t limit;   /* records on a page, as the query gave it; 0: not given */
	struct scan_position position;
};

/* Reads data_dir/cursor.key, or creates it durably. */
MUST_CHECK int cursor_key_load(struct cursor_key *key, const char *data_dir, struct error *err);

/* Appends the two texts. */
MUST_CHECK int cursor_seal(const struct cursor_key *key, const struct account_key *account, const struct cursor *cursor,
                           struct buf *token, struct buf *iv, struct error *err);

/* ERROR_INVALID for anything that cursor_seal did not make with this key for this account. */
MUST_CHECK int cursor_open(const struct cursor_key *key, const struct account_key *account, struct str token,
                           struct str iv, struct cursor *cursor, struct error *err);

#endif
