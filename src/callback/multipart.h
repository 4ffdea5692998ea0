/* SPDX-License-Identifier: ISC */
/*
 * multipart.h: a large file that is sent to an S3 server in parts; private to callback/.
 *
 * An attempt takes one step after another, each of which is a request: create the upload, which gives its id; send each
 * part, which gives its tag; complete the upload with all tags. Id and tags are kept in the callback's row after each step,
 * so that the next attempt sends the first part that has no tag. An upload that is of no use any more is aborted: a server
 * keeps, and charges for, its parts until then.
 *
 * The API: https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html
 */
#ifndef CDRD_CALLBACK_MULTIPART_H
#define CDRD_CALLBACK_MULTIPART_H

#include "base/buf.h"
#include "callback/transfer.h"
#include "callback/upload.h"

/* S3 allows 10000 parts of up to 5 GiB and files of up to 5 TiB: so many parts are enough, and their tags fit into a row. */
#define MULTIPART_PARTS_MAX 1024
#define MULTIPART_REASON_MAX 180
#define MULTIPART_TEXT_MAX ((size_t)256 << 10)

enum multipart_step {
	MULTIPART_NONE, /* the file goes by one PUT */
	MULTIPART_ABORT,
	MULTIPART_CREATE,
	MULTIPART_PART,
	MULTIPART_COMPLETE,
	MULTIPART_COMPLETED,
};

/* Zeroed: MULTIPART_NONE. */
struct multipart {
	enum multipart_step step;
	const struct upload *upload;
	int64_t part_bytes_wanted; /* of an upload that is created now */
	int64_t part_bytes;
	size_t count; /* of parts that are sent */
	struct buf id;
	struct buf tags;   /* each with a newline after it */
	struct buf sha256; /* of the file that the parts are of */
	CURLU *url;        /* of the step's request */
	struct buf body;   /* the same */
};

/*
 * Finds the first step: of what `kept` says of an upload that was begun, "" if there is none. Files of more than `part_bytes`
 * are sent in parts of that size, or larger ones if they were too many. The upload must outlive *multipart.
 */
MUST_CHECK int multipart_begin(struct multipart *multipart, const struct upload *upload, struct str kept,
                               int64_t part_bytes, struct error *err);

/* Fills in what the step's request is, and `sha256`, of its body as its signature has it. */
MUST_CHECK int multipart_fill(struct multipart *multipart, CURLU *url, struct transfer_request *request,
                              struct buf *sha256, struct error *err);

/* Takes the answer to the step, whatever its status, and finds the next one. ERROR_CONFLICT with the server's reason. */
MUST_CHECK int multipart_answered(struct multipart *multipart, const struct transfer_result *result, struct error *err);

/* The next step shall be to abort the upload: false if there is none. */
bool multipart_give_up(struct multipart *multipart);

/* What is to be kept, for multipart_begin; nothing if no upload is begun. */
void multipart_keep(const struct multipart *multipart, struct buf *out);

/* Has the server answered with an error, which may have status 200? */
bool multipart_has_error(struct str answer);

/* Appends what an S3 server says of its error: ", CODE: MESSAGE", cut to `most` bytes; nothing if it says nothing. */
void multipart_add_reason(struct buf *out, struct str answer, size_t most);

/* Safe on a zeroed one. */
void multipart_end(struct multipart *multipart);

#endif
