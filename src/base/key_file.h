/* SPDX-License-Identifier: ISC */
/*
 * key_file.h: a secret key in a file of its own in data_dir, random bytes that only the daemon's user may read.
 *
 * Made at first start under another name and renamed into place, so that a crash leaves a whole key or none. A damaged
 * key is an error and is not replaced: what it has sealed or hashed would silently become worthless.
 */
#ifndef CDRD_BASE_KEY_FILE_H
#define CDRD_BASE_KEY_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define KEY_FILE_BYTES_MAX 64

/* Reads the key. If it does not exist, makes it if `may_make`, else fails with ERROR_NOT_FOUND. ERROR_CORRUPT for a key
 * of another length. Blocks; for start only. */
MUST_CHECK int key_file_load(const char *data_dir, const char *name, uint8_t *key, size_t len, bool may_make,
                             struct error *err);

#endif
