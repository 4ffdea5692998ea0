/* SPDX-License-Identifier: ISC */
/*
 * upload.h: a report's file that is delivered to a destination; private to callback/.
 *
 * A delivery is a callback whose row names a destination and a file: it waits, takes turns, is tried again and given up as
 * all callbacks are. An attempt reads the destination anew, so that credentials which were changed are used.
 */
#ifndef CDRD_CALLBACK_UPLOAD_H
#define CDRD_CALLBACK_UPLOAD_H

#include "base/buf.h"
#include "callback/callback.h"
#include "destination/destination.h"

/* Zeroed: nothing is to be uploaded. */
struct upload {
	struct buf name; /* of the destination */
	struct buf file; /* in data_dir/reports */
	struct buf sha256;
	struct destination destination;
	struct buf sigv4; /* for libcurl, or empty */
	int fd;           /* -1: none */
	int64_t size;
};

/* Bytes a second that a server must take, or send; one that is slower for as long as callback_timeout ends the attempt: few
 * can be under way at once, so that such servers would keep everyone's callbacks waiting. It is not known who is slow: over an
 * uplink with less than that for each of callback_concurrent_max, all would end so. */
#define UPLOAD_SPEED_MIN 16384L

/* The file of a test of a destination: not one of reports/, but a line of text. */
#define UPLOAD_TEST_FILE "00000000-0000-0000-0000-000000000000"
#define UPLOAD_TEST_NAME "cdrd-test.txt"
#define UPLOAD_SHA256_LEN 64
void upload_test_sha256(char out[UPLOAD_SHA256_LEN + 1]);

/* Copies what is wanted from a row. */
MUST_CHECK int upload_take(struct upload *upload, const struct callback_upload *wanted, struct error *err);
bool upload_is_wanted(const struct upload *upload);

/* Begun: is it for a courier (courier.h)? */
bool upload_by_courier(const struct upload *upload);

/* Opens the file and finds the credentials for `url`, of the account's destination. */
MUST_CHECK int upload_begin(struct upload *upload, struct destinations *destinations, const char *data_dir,
                            const char *account, struct str url, struct error *err);

/* The media type of a file of this name or URL. */
const char *upload_file_type(struct str name);

/*
 * A URL, of which S3 is told, with the path as it is signed: every byte but letters, digits, "-_.~" and "/" percent-encoded,
 * with capitals, whether it was before or not. A server makes the same of what it was asked for, so that another spelling of
 * the path would have another signature.
 */
void upload_write_s3_url(struct str url, struct buf *out);

/* Safe on a zeroed one. */
void upload_end(struct upload *upload);

#endif
