/* SPDX-License-Identifier: ISC */
/*
 * tls.h: TLS for the servers: certificates, and what of TLS is spoken.
 *
 * TLS 1.2 and 1.3 with ephemeral keys and authenticated ciphers only; no renegotiation, no compression. HTTP/1.1 by ALPN.
 * Of several certificates the one that has the name which the client asks for (SNI) is shown, or else the first.
 * tls_client_ca has clients asked for a certificate of their own, which they may leave out.
 */
#ifndef CDRD_TLS_TLS_H
#define CDRD_TLS_TLS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/config.h"
#include "base/error.h"

struct ssl_st;
struct tls;

/* Reads the files of tls_certificate, tls_key and tls_client_ca. `config` stays the caller's and must outlive it. NULL
 * where one cannot be read or a key does not fit; the error names the setting and the file. */
MUST_CHECK struct tls *tls_new(const struct config *config, struct error *err);

/* Would tls_new take the settings? */
MUST_CHECK int tls_check(const struct config *config, struct error *err);

/* Reads the files again, for connections from now on; if that fails, what was read before stays. */
MUST_CHECK int tls_reload(struct tls *tls, struct error *err);

/* The server's side of a new connection; the caller frees it (SSL_free). NULL: out of memory. */
MUST_CHECK struct ssl_st *tls_accept(struct tls *tls);

/* When the first of the certificates expires; seconds since 1970. */
int64_t tls_expires(const struct tls *tls);

/* The common name of the client's certificate, which tls_client_ca has vouched for; false where it has shown none. */
bool tls_client_name(const struct ssl_st *ssl, struct buf *name);

/* Connections keep what they use of it. */
void tls_free(struct tls *tls);

#endif
