/* SPDX-License-Identifier: ISC */
/*
 * parser.h: HTTP/1.1 messages as bytes (RFC 9112). Pure: no I/O, no allocation, no state but what the caller passes.
 *
 *	GET /v2/reports/records?id=1 HTTP/1.1 CRLF     request line
 *	Host: example.com CRLF                         fields
 *	CRLF                                           end of the head
 *
 * http_head_end finds the end of a head in bytes that arrive piece by piece, http_head_parse takes it apart, and struct
 * http_chunked walks the frames of a chunked body. Strict: anything ambiguous is refused.
 */
#ifndef CDRD_HTTP_PARSER_H
#define CDRD_HTTP_PARSER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

#define HTTP_FIELDS_MAX 100 /* header fields of a request; more is 431 */

/* What a front end that hands a request on may add to its head, beyond what is taken otherwise: the sealed field, and what
 * libcurl writes (Host, Content-Length, a space after each colon). */
#define HTTP_RELAY_FIELDS 4
#define HTTP_RELAY_BYTES 4096

/* Why a message is refused: the status to answer and a sentence for the person. */
struct http_fault {
	int status;
	char detail[200];
};

/* Fills *fault; always returns -1, so that a caller can return it. */
int http_fault_set(struct http_fault *fault, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Is it a character of a token (RFC 9110, 5.6.2), which methods, names of fields and of chunk extensions are? */
bool http_is_token(char c);

struct http_field {
	struct str name;
	struct str value; /* without white space around it */
};

/* A request's head; all texts borrow from the bytes that were parsed. */
struct http_head {
	struct str method;
	struct str target; /* as sent */
	struct str path;   /* of the target, still percent-encoded; "*" for OPTIONS * */
	struct str query;  /* without '?'; p NULL if there is none */
	struct str host;   /* p NULL if absent, which only HTTP/1.0 may leave it */
	int minor;         /* of HTTP/1.x */
	bool keep_alive;
	bool expect_continue;
	bool chunked;
	uint64_t content_length; /* 0 when absent or chunked */
	size_t fields_count;
	struct http_field fields[HTTP_FIELDS_MAX + HTTP_RELAY_FIELDS];
};

/* The first field of that name, in any case; p NULL if there is none. */
struct str http_head_field(const struct http_head *head, const char *name);

/* Does a Connection field name it: a field that is not to be handed on (RFC 9110, 7.6.1)? */
bool http_head_is_of_connection(const struct http_head *head, struct str name);

/* The state of a search for the end of a head; zero it before each request, but for `spare`. */
struct http_head_scan {
	size_t spare;   /* so many bytes beyond the limit are taken as well: then http_head_check_size is to be asked */
	size_t skipped; /* empty lines before the request line */
	size_t line;    /* start of the current line */
	size_t searched; /* there is no further LF before this */
	size_t lines;    /* complete lines, empty ones at the start left out */
};

enum http_scan { HTTP_SCAN_MORE, HTTP_SCAN_DONE, HTTP_SCAN_FAULT };

/*
 * Looks for the end of a head in `data`, all bytes so far; `limit` is the longest head taken. DONE: the head is
 * data[scan->skipped .. scan->line). FAULT: 400 for a line without CR, 414 or 431 beyond the limit.
 */
enum http_scan http_head_end(struct http_head_scan *scan, struct str data, size_t limit, struct http_fault *fault);

/* 0, or -1 with *fault of 414 or 431, for a whole head. */
int http_head_check_size(struct str head, size_t limit, struct http_fault *fault);

/* Takes apart a whole head as http_head_end found it; one with HTTP_RELAYED_FIELD may have HTTP_RELAY_FIELDS more. Returns
 * 0, or -1 with *fault filled; then ignore head->keep_alive: the connection must be closed. */
int http_head_parse(struct http_head *head, struct str data, struct http_fault *fault);

/*
 * A chunked body (RFC 9112, 7.1). Extensions and trailers are checked, so that no other program reads them differently,
 * and dropped.
 *
 *	*( 1*HEXDIG *extension CRLF data CRLF ) 1*"0" *extension CRLF *( name ":" value CRLF ) CRLF
 *	extension: space ";" space name [ space "=" space ( token | quoted string ) ]
 */
struct http_chunked {
	int state;
	uint64_t left;   /* bytes of the chunk's data not taken yet */
	size_t overhead; /* bytes of extensions or trailers since the last data */
	int digits;
};

enum http_chunk { HTTP_CHUNK_MORE, HTTP_CHUNK_DATA, HTTP_CHUNK_END, HTTP_CHUNK_FAULT };

/*
 * Walks over framing at the start of *in. MORE: all of *in is used up. DATA: *in begins with data, up to
 * chunked->left bytes of it; say with http_chunked_take how many were used. END: the body is complete.
 */
enum http_chunk http_chunked_next(struct http_chunked *chunked, struct str *in, struct http_fault *fault);
void http_chunked_take(struct http_chunked *chunked, size_t count);

#endif
