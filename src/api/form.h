/* SPDX-License-Identifier: ISC */
/*
 * form.h: a form with one field, cdr, whose value is a body: what FreeSWITCH's mod_json_cdr posts if its `encode` is set.
 *
 *	cdr=%7B%22variables%22...     application/x-www-form-urlencoded
 *	cdr=eyJ2YXJpYWJsZXMi...       application/x-www-form-base64-encoded
 *
 * Clients that call other bodies forms by mistake, as curl does with --data-binary, are not disturbed: a body that does
 * not begin with `cdr=` is passed on as it is.
 */
#ifndef CDRD_API_FORM_H
#define CDRD_API_FORM_H

#include "base/buf.h"
#include "base/error.h"

enum form_kind { FORM_PLAIN, FORM_URL, FORM_BASE64 };

/* Zeroed at first. */
struct form {
	enum form_kind kind;
	bool known; /* whether it is one */
	bool is_form;
	struct buf held; /* its beginning, or all of the value */
};

/* The kind of a Content-Type without its parameters. */
enum form_kind form_kind_of(struct str type);

/* Takes a piece: *out is what can be passed on of the body so far, valid until the next call. ERROR_LIMIT if the value is
 * longer than max_bytes; ERROR_NOMEM. */
MUST_CHECK int form_feed(struct form *form, struct str piece, size_t max_bytes, struct str *out, struct error *err);

/* The rest, at the end of the body. ERROR_INVALID if the value is not encoded as the form's kind is. */
MUST_CHECK int form_finish(struct form *form, struct str *out, struct error *err);

void form_free(struct form *form);

#endif
