/* SPDX-License-Identifier: ISC */
/*
 * tls.c: see tls.h.
 */
#include "tls/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/str.h"

#define CERTIFICATES_MAX 64

/* Of TLS 1.2; those of TLS 1.3 are all right as they are. */
#define CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20"

/* Both ends of a resumed connection must mean the same server. */
#define SESSION_CONTEXT "cdrd"

/* The contexts of the certificates, in the order of tls_certificate. */
struct contexts {
	size_t count;
	SSL_CTX *list[CERTIFICATES_MAX];
};

struct tls {
	const struct config *config;
	struct contexts contexts;
};

/* What went wrong last, in OpenSSL's words; forgets it. */
static const char *error_text(void)
{
	unsigned long error = ERR_peek_error(); /* the first one is the cause of the others */
	const char *reason = ERR_SYSTEM_ERROR(error) ? strerror(ERR_GET_REASON(error)) : ERR_reason_error_string(error);

	ERR_clear_error();
	return reason ? reason : "unknown error";
}

/* --- what a client asks for --- */

static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
                           unsigned in_len, void *arg)
{
	static const unsigned char ours[] = { 8, 'h', 't', 't', 'p', '/', '1', '.', '1' };
	unsigned char *chosen = NULL;

	(void)ssl;
	(void)arg;
	if (SSL_select_next_proto(&chosen, out_len, ours, sizeof(ours), in, in_len) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

static int choose_certificate(SSL *ssl, int *alert, void *arg)
{
	const struct tls *tls = arg;
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

	(void)alert;
	for (size_t i = 0; name && i < tls->contexts.count; i++) {
		if (X509_check_host(SSL_CTX_get0_certificate(tls->contexts.list[i]), name, 0, 0, NULL) != 1)
			continue;
		return SSL_set_SSL_CTX(ssl, tls->contexts.list[i]) ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
	}
	return SSL_TLSEXT_ERR_OK; /* the first one's */
}

/* --- reading the files --- */

/* Cuts the next file's path off a list, into `path`, which it is kept in; NULL at the end. One that there is no memory for
 * is "", which no file has as its name. */
static const char *next_path(struct str *list, struct buf *path)
{
	struct str word;

	if (!str_next(list, ',', &word))
		return NULL;
	buf_clear(path);
	buf_add_str(path, word);
	return buf_cstr(path) ? path->data : "";
}

static int set_protocol(SSL_CTX *context)
{
	/* messages of HTTP say themselves where they end: a socket's end is as good as that of TLS */
	SSL_CTX_set_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
	                                     SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
	/* idle connections keep no buffers; a write may be repeated from another place */
	SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF); /* tickets are enough */
	SSL_CTX_set_alpn_select_cb(context, choose_protocol, NULL);
	return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 &&
	                       SSL_CTX_set_cipher_list(context, CIPHERS) == 1 &&
	                       SSL_CTX_set_session_id_context(context, (const unsigned char *)SESSION_CONTEXT,
	                                                      sizeof(SESSION_CONTEXT) - 1) == 1 ?
	               0 :
	               -1;
}

static int ask_for_client(SSL_CTX *context, const char *ca_file, struct error *err)
{
	STACK_OF(X509_NAME) * names;

	if (!ca_file[0])
		return 0;
	if (SSL_CTX_load_verify_file(context, ca_file) != 1)
		return error_set(err, ERROR_INVALID, "tls_client_ca: %s: %s", ca_file, error_text());
	names = SSL_load_client_CA_file(ca_file);
	if (!names)
		return error_set(err, ERROR_INVALID, "tls_client_ca: %s: %s", ca_file, error_text());
	SSL_CTX_set_client_CA_list(context, names);
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	return 0;
}

static int fill_context(SSL_CTX *context, const char *certificate, const char *key, struct error *err)
{
	if (SSL_CTX_use_certificate_chain_file(context, certificate) != 1)
		return error_set(err, ERROR_INVALID, "tls_certificate: %s: %s", certificate, error_text());
	if (SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1 || SSL_CTX_check_private_key(context) != 1)
		return error_set(err, ERROR_INVALID, "tls_key: %s, the key of %s: %s", key, certificate, error_text());
	return 0;
}

static SSL_CTX *make_context(const struct config *config, const char *certificate, const char *key, struct error *err)
{
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());

	ERR_clear_error();
	if (!context || set_protocol(context) != 0)
		error_set(err, ERROR_NOMEM, "tls_certificate: %s: out of memory", certificate);
	else if (fill_context(context, certificate, key, err) == 0 &&
	         ask_for_client(context, config->tls_client_ca, err) == 0)
		return context;
	SSL_CTX_free(context);
	return NULL;
}

static void contexts_free(struct contexts *contexts)
{
	for (size_t i = 0; i < contexts->count; i++)
		SSL_CTX_free(contexts->list[i]);
	contexts->count = 0;
}

static int load_pairs(struct contexts *contexts, const struct config *config, struct buf *certificate, struct buf *key,
                      struct error *err)
{
	struct str certificates = str_from(config->tls_certificate);
	struct str keys = str_from(config->tls_key);
	const char *path, *key_path;

	while ((path = next_path(&certificates, certificate))) {
		key_path = next_path(&keys, key);
		if (!key_path)
			return error_set(err, ERROR_INVALID,
			                 "tls_key: no key for %s: as many files as in "
			                 "tls_certificate are needed, in the same order",
			                 path);
		if (contexts->count == CERTIFICATES_MAX)
			return error_set(err, ERROR_LIMIT, "tls_certificate: more than %d files", CERTIFICATES_MAX);
		contexts->list[contexts->count] = make_context(config, path, key_path, err);
		if (!contexts->list[contexts->count])
			return -1;
		contexts->count++;
	}
	key_path = next_path(&keys, key);
	if (key_path)
		return error_set(err, ERROR_INVALID, "tls_key: %s: more files than in tls_certificate", key_path);
	if (contexts->count == 0)
		return error_set(err, ERROR_INVALID, "tls_certificate: \"\": TLS needs a certificate and its tls_key");
	return 0;
}

static int load(struct contexts *contexts, const struct config *config, struct error *err)
{
	struct buf certificate = { 0 }, key = { 0 };
	int result = load_pairs(contexts, config, &certificate, &key, err);

	buf_free(&certificate);
	buf_free(&key);
	if (result != 0)
		contexts_free(contexts);
	return result;
}

int tls_check(const struct config *config, struct error *err)
{
	struct contexts contexts = { .count = 0 };
	int result = load(&contexts, config, err);

	contexts_free(&contexts);
	return result;
}

int tls_reload(struct tls *tls, struct error *err)
{
	struct contexts fresh = { .count = 0 };

	if (load(&fresh, tls->config, err) != 0)
		return -1;
	contexts_free(&tls->contexts);
	tls->contexts = fresh;
	for (size_t i = 0; i < fresh.count; i++) {
		SSL_CTX_set_tlsext_servername_callback(fresh.list[i], choose_certificate);
		SSL_CTX_set_tlsext_servername_arg(fresh.list[i], tls);
	}
	return 0;
}

struct tls *tls_new(const struct config *config, struct error *err)
{
	struct tls *tls = calloc(1, sizeof(*tls));

	if (!tls) {
		error_set(err, ERROR_NOMEM, "tls_certificate: out of memory");
		return NULL;
	}
	tls->config = config;
	if (tls_reload(tls, err) == 0)
		return tls;
	tls_free(tls);
	return NULL;
}

void tls_free(struct tls *tls)
{
	if (!tls)
		return;
	contexts_free(&tls->contexts);
	free(tls);
}

/* --- connections --- */

struct ssl_st *tls_accept(struct tls *tls)
{
	SSL *ssl = SSL_new(tls->contexts.list[0]);

	ERR_clear_error();
	return ssl;
}

int64_t tls_expires(const struct tls *tls)
{
	int64_t first = INT64_MAX;

	for (size_t i = 0; i < tls->contexts.count; i++) {
		const X509 *certificate = SSL_CTX_get0_certificate(tls->contexts.list[i]);
		struct tm utc = { 0 };

		if (!certificate || ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &utc) != 1)
			continue;
		int64_t at = (int64_t)timegm(&utc);

		if (at < first)
			first = at;
	}
	return first;
}

bool tls_client_name(const struct ssl_st *ssl, struct buf *name)
{
	const X509 *certificate = SSL_get0_peer_certificate(ssl);
	char text[256];
	int len;

	if (!certificate || SSL_get_verify_result(ssl) != X509_V_OK)
		return false;
	len = X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, text, sizeof(text));
	if (len <= 0 || strlen(text) != (size_t)len)
		return false; /* a NUL within is a trick */
	buf_add(name, text, (size_t)len);
	return !name->failed;
}
