/* SPDX-License-Identifier: ISC */
/*
 * destination.h: where files of reports are delivered to, and with which credentials.
 *
 *	put   an https server: PUT URL/FILE, with `user` and `secret` as Basic credentials, or `secret` alone as Bearer token
 *	s3    an S3 server: the same, signed with AWS Signature Version 4: `user` is the access key, `secret` the secret key
 *	sftp  an SSH server whose key is `host_key`; `secret` is the user's password, or a private key in PEM
 *	smtp  a message from `from` to `to`, by a mail server that `user` and `secret` log in to; the file is attached, or linked
 *
 * A destination belongs to an account, or to the operator ("" for the account), whose destinations all accounts may use. A
 * name means the account's own before the operator's. All of it is sealed on disk with data_dir/destination.key, and the
 * secret is shown to nobody. Files are sent by callback/, which keeps to callback_allow.
 */
#ifndef CDRD_DESTINATION_DESTINATION_H
#define CDRD_DESTINATION_DESTINATION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/config.h"
#include "base/error.h"
#include "base/str.h"
#include "meta/accounts.h"

#define DESTINATION_NAME_MAX 64
#define DESTINATION_URL_MAX 2048
#define DESTINATION_USER_MAX 128
#define DESTINATION_SECRET_MAX 1024
#define DESTINATION_KEY_MAX 8192 /* a private key */
#define DESTINATION_REGION_MAX 64
#define DESTINATION_HOST_KEY_MAX 64
#define DESTINATION_ADDRESS_MAX 254 /* of mail: RFC 5321 */
#define DESTINATION_RECIPIENTS_MAX 10
#define DESTINATION_TO_MAX ((size_t)DESTINATION_RECIPIENTS_MAX * (DESTINATION_ADDRESS_MAX + 1))

/* Stored as a number. */
enum destination_type { DESTINATION_PUT, DESTINATION_S3, DESTINATION_SFTP, DESTINATION_SMTP, DESTINATION_TYPES };

/* "put" */
const char *destination_type_name(enum destination_type type);

struct destination {
	char account[ACCOUNT_ID_MAX + 1]; /* "": the operator's */
	char name[DESTINATION_NAME_MAX + 1];
	enum destination_type type;
	char url[DESTINATION_URL_MAX + 1]; /* of the folder, ends with a slash */
	char user[DESTINATION_USER_MAX + 1];
	char secret[DESTINATION_KEY_MAX + 1];
	char region[DESTINATION_REGION_MAX + 1];     /* s3 */
	char host_key[DESTINATION_HOST_KEY_MAX + 1]; /* sftp: "SHA256:" and base64, as ssh-keygen -l shows it */
	char from[DESTINATION_ADDRESS_MAX + 1];      /* smtp */
	char to[DESTINATION_TO_MAX + 1];             /* smtp: addresses, with commas between them */
	int64_t created_us;
};

/* Is the secret a private key, rather than a password? */
bool destination_has_key(const struct destination *destination);

struct destinations;

/* Loads the key, and makes it if there is none. Both stay the caller's. */
MUST_CHECK struct destinations *destinations_new(const struct config *config, struct meta *meta, struct error *err);
void destinations_free(struct destinations *destinations);

/* A destination to be added, as texts; p NULL for what was not given. */
struct destination_request {
	const char *account; /* "": the operator's */
	struct str name, type, url, user, secret, region, host_key, from, to;
};

/*
 * Keeps it, durably. ERROR_INVALID with a message that begins with the name of what is wrong and ": "; ERROR_CONFLICT if
 * there is one of that name, ERROR_LIMIT if the account has destinations_per_account_max. Whether the URL's address may be
 * connected to is known only then.
 */
MUST_CHECK int destinations_add(struct destinations *destinations, const struct destination_request *request,
                                struct destination *destination, struct error *err);

/* The account's, or else the operator's, of that name. ERROR_NOT_FOUND. */
MUST_CHECK int destinations_find(struct destinations *destinations, const char *account, struct str name,
                                 struct destination *destination, struct error *err);

/* Of the account ("": of the operator) alone. ERROR_NOT_FOUND. */
MUST_CHECK int destinations_remove(struct destinations *destinations, const char *account, struct str name,
                                   struct error *err);

/* Removes all of an account's. */
MUST_CHECK int destinations_forget_account(struct destinations *destinations, const char *account, struct error *err);

/* Gives each of the account's ("": the operator's; NULL: everybody's) to fn, in the order of names. */
typedef void (*destinations_fn)(void *arg, const struct destination *destination);
MUST_CHECK int destinations_each(struct destinations *destinations, const char *account, destinations_fn fn, void *arg,
                                 struct error *err);

#endif
