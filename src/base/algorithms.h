/* SPDX-License-Identifier: ISC */
/*
 * algorithms.h: OpenSSL's algorithms, looked up once at the start.
 *
 * OpenSSL makes a table of all algorithms of a kind (digests, ciphers, ...) when the first of them is needed. If memory
 * runs out then, the table stays without those that are missing: every login, cursor or TLS handshake would fail until a restart.
 */
#ifndef CDRD_BASE_ALGORITHMS_H
#define CDRD_BASE_ALGORITHMS_H

#include "base/error.h"

/* Before anything that needs one. ERROR_NOMEM; the program should end then. */
MUST_CHECK int algorithms_load(struct error *err);

#endif
