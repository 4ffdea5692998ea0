/* SPDX-License-Identifier: ISC */
/*
 * parser.c: the head of a request (RFC 9112, 2 to 6; RFC 9110, 5).
 *
 * Two steps: http_head_end looks at line ends only and may be called with each piece that arrives; http_head_parse then
 * sees a complete head. What is refused although the RFC allows it (a bare LF, several Host, a byte above 127 in the
 * target) is refused because a proxy in front might read it differently.
 */
#include "http/parser.h"

#include <stdarg.h>
#include <stdio.h>

#include "http/http.h"

enum char_class {
	CHAR_TOKEN = 1,  /* RFC 9110, 5.6.2: methods and field names */
	CHAR_TARGET = 2, /* visible ASCII without '#' */
	CHAR_HOST = 4,   /* a host and port in links: RFC 3986, 3.2.2 and 3.2.3 */
	CHAR_VALUE = 8,  /* of a field: visible, space, tab and obs-text */
};

#define VISIBLE (CHAR_TARGET | CHAR_VALUE)
#define ALNUM (VISIBLE | CHAR_TOKEN | CHAR_HOST)

__extension__ static const unsigned char char_classes[256] = {
	/* ranges: GNU C, which clang speaks too */
	['\t'] = CHAR_VALUE,
	[' '] = CHAR_VALUE,
	['!'] = ALNUM,
	['"'] = VISIBLE,
	['#'] = CHAR_VALUE | CHAR_TOKEN,
	['$'] = ALNUM,
	['%'] = ALNUM,
	['&'] = ALNUM,
	['\''] = ALNUM,
	['('] = VISIBLE | CHAR_HOST,
	[')'] = VISIBLE | CHAR_HOST,
	['*'] = ALNUM,
	['+'] = ALNUM,
	[','] = VISIBLE | CHAR_HOST,
	['-' ... '.'] = ALNUM,
	['/'] = VISIBLE,
	['0' ... '9'] = ALNUM,
	[':'] = VISIBLE | CHAR_HOST,
	[';'] = VISIBLE | CHAR_HOST,
	['<'] = VISIBLE,
	['='] = VISIBLE | CHAR_HOST,
	['>' ... '@'] = VISIBLE,
	['A' ... 'Z'] = ALNUM,
	['['] = VISIBLE | CHAR_HOST,
	['\\'] = VISIBLE,
	[']'] = VISIBLE | CHAR_HOST,
	['^'] = VISIBLE | CHAR_TOKEN,
	['_'] = ALNUM,
	['`'] = VISIBLE | CHAR_TOKEN,
	['a' ... 'z'] = ALNUM,
	['{'] = VISIBLE,
	['|'] = VISIBLE | CHAR_TOKEN,
	['}'] = VISIBLE,
	['~'] = ALNUM,
	[0x80 ... 0xff] = CHAR_VALUE,
};

static bool all_of(struct str text, enum char_class wanted)
{
	for (size_t i = 0; i < text.len; i++)
		if (!(char_classes[(unsigned char)text.p[i]] & wanted))
			return false;
	return true;
}

bool http_is_token(char c)
{
	return char_classes[(unsigned char)c] & CHAR_TOKEN;
}

int http_fault_set(struct http_fault *fault, int status, const char *format, ...)
{
	va_list arguments;

	fault->status = status;
	va_start(arguments, format);
	vsnprintf(fault->detail, sizeof(fault->detail), format, arguments);
	va_end(arguments);
	return -1;
}

struct str http_head_field(const struct http_head *head, const char *name)
{
	struct str wanted = str_from(name);

	for (size_t i = 0; i < head->fields_count; i++)
		if (str_equal_nocase(head->fields[i].name, wanted))
			return head->fields[i].value;
	return (struct str){ NULL, 0 };
}

bool http_head_is_of_connection(const struct http_head *head, struct str name)
{
	for (size_t i = 0; i < head->fields_count; i++)
		if (str_equal_nocase(head->fields[i].name, STR_LITERAL("Connection")) &&
		    str_is_listed_nocase(name, head->fields[i].value))
			return true;
	return false;
}

/* --- where the head ends --- */

static int set_over_limit(struct http_fault *fault, bool is_first_line, size_t limit)
{
	if (is_first_line)
		return http_fault_set(fault, 414, "The request line is longer than %zu bytes (header_max).", limit);
	return http_fault_set(fault, 431, "Request line and headers are longer than %zu bytes (header_max).", limit);
}

static enum http_scan scan_over_limit(const struct http_head_scan *scan, size_t limit, struct http_fault *fault)
{
	(void)set_over_limit(fault, scan->lines == 0, limit);
	return HTTP_SCAN_FAULT;
}

int http_head_check_size(struct str head, size_t limit, struct http_fault *fault)
{
	return head.len <= limit ? 0 : set_over_limit(fault, !memchr(head.p, '\n', limit), limit);
}

enum http_scan http_head_end(struct http_head_scan *scan, struct str data, size_t limit, struct http_fault *fault)
{
	while (scan->searched < data.len) {
		const char *lf = memchr(data.p + scan->searched, '\n', data.len - scan->searched);
		size_t end = lf ? (size_t)(lf - data.p) + 1 : data.len;

		if (end > limit + scan->spare)
			return scan_over_limit(scan, limit, fault);
		scan->searched = end;
		if (!lf)
			break;
		if (end < scan->line + 2 || lf[-1] != '\r') {
			http_fault_set(fault, 400, "A line of the head does not end with CR LF.");
			return HTTP_SCAN_FAULT;
		}
		bool empty = end == scan->line + 2;
		scan->line = end;
		if (!empty)
			scan->lines++;
		else if (scan->lines > 0)
			return HTTP_SCAN_DONE;
		else
			scan->skipped = end; /* RFC 9112, 2.2: an empty line before the request is skipped */
	}
	if (scan->searched >= limit + scan->spare)
		return scan_over_limit(scan, limit, fault);
	return HTTP_SCAN_MORE;
}

/* --- the request line --- */

/* Cuts the next line, without its CR LF, off *data. A CR elsewhere is left in the line for the character checks. */
static struct str next_line(struct str *data)
{
	const char *lf = memchr(data->p, '\n', data->len);
	size_t end = lf ? (size_t)(lf - data->p) : data->len;
	struct str line = { data->p, end > 0 && lf && lf[-1] == '\r' ? end - 1 : end };

	data->p += lf ? end + 1 : end;
	data->len -= lf ? end + 1 : end;
	return line;
}

static bool cut_at(struct str *rest, char separator, struct str *before)
{
	const char *at = memchr(rest->p, separator, rest->len);

	if (!at)
		return false;
	*before = (struct str){ rest->p, (size_t)(at - rest->p) };
	rest->p = at + 1;
	rest->len -= before->len + 1;
	return true;
}

static int parse_version(struct http_head *head, struct str text, struct http_fault *fault)
{
	bool formed = text.len == 8 && memcmp(text.p, "HTTP/", 5) == 0 && text.p[5] >= '0' && text.p[5] <= '9' &&
	              text.p[6] == '.' && text.p[7] >= '0' && text.p[7] <= '9';

	if (!formed)
		return http_fault_set(fault, 400, "The request line is not `method target HTTP/1.1`.");
	if (text.p[5] != '1')
		return http_fault_set(fault, 505, "%.*s is not spoken here; use HTTP/1.1.", STR_ARGS(text));
	head->minor = text.p[7] - '0';
	return 0;
}

static bool has_prefix_nocase(struct str text, const char *prefix)
{
	size_t len = strlen(prefix);

	return text.len >= len && strncasecmp(text.p, prefix, len) == 0;
}

/* Splits absolute-form (http://host/path) so that *rest is what origin-form would hold. RFC 9112, 3.2.2: its host
 * counts, not the field's. */
static int split_authority(struct http_head *head, struct str *rest, struct http_fault *fault)
{
	size_t scheme = has_prefix_nocase(*rest, "http://") ? 7 : has_prefix_nocase(*rest, "https://") ? 8 : 0;
	size_t end = scheme;

	if (scheme == 0)
		return http_fault_set(fault, 400, "The request target is neither a path nor an http URL.");
	while (end < rest->len && rest->p[end] != '/' && rest->p[end] != '?')
		end++;
	head->host = (struct str){ rest->p + scheme, end - scheme };
	if (head->host.len == 0 || !all_of(head->host, CHAR_HOST))
		return http_fault_set(fault, 400, "The request target names no proper host.");
	rest->p += end;
	rest->len -= end;
	return 0;
}

static int parse_target(struct http_head *head, struct http_fault *fault)
{
	struct str rest = head->target;

	if (rest.len == 0 || !all_of(rest, CHAR_TARGET))
		return http_fault_set(fault, 400, "The request target holds a byte that must be percent-encoded.");
	if (str_is(head->method, "CONNECT"))
		return http_fault_set(fault, 501, "CONNECT is not implemented.");
	if (str_is(rest, "*") && str_is(head->method, "OPTIONS")) {
		head->path = rest;
		return 0;
	}
	if (rest.p[0] != '/' && split_authority(head, &rest, fault) < 0)
		return -1;
	head->path = rest;
	if (cut_at(&rest, '?', &head->path))
		head->query = rest;
	if (head->path.len == 0)
		head->path = STR_LITERAL("/");
	return 0;
}

static int parse_request_line(struct http_head *head, struct str line, struct http_fault *fault)
{
	if (!cut_at(&line, ' ', &head->method) || !cut_at(&line, ' ', &head->target))
		return http_fault_set(fault, 400, "The request line is not `method target HTTP/1.1`.");
	if (head->method.len == 0 || !all_of(head->method, CHAR_TOKEN))
		return http_fault_set(fault, 400, "The method is not a token.");
	if (parse_version(head, line, fault) < 0)
		return -1;
	return parse_target(head, fault);
}

/* --- fields --- */

static int parse_field(struct http_head *head, struct str line, struct http_fault *fault)
{
	struct http_field *field = &head->fields[head->fields_count];

	if (line.p[0] == ' ' || line.p[0] == '\t')
		return http_fault_set(fault, 400, "A header is folded over several lines.");
	if (!cut_at(&line, ':', &field->name) || field->name.len == 0 || !all_of(field->name, CHAR_TOKEN))
		return http_fault_set(fault, 400, "A header's name is not a token followed by a colon.");
	if (!all_of(line, CHAR_VALUE))
		return http_fault_set(fault, 400, "Header %.*s holds a control character.",
		                      (int)(field->name.len < 64 ? field->name.len : 64), field->name.p);
	field->value = str_trim(line);
	head->fields_count++;
	return 0;
}

/* What the fields say about the body and the connection. */
struct framing {
	int hosts, lengths, codings; /* codings are what all Transfer-Encoding headers list */
	unsigned seen;               /* of single_fields, by bit */
	bool close;
	struct str first_host;
};

static int see_host(struct http_head *head, struct framing *framing, struct str value, struct http_fault *fault)
{
	(void)head;
	if (framing->hosts++ > 0)
		return http_fault_set(fault, 400, "There is more than one Host header.");
	if (!all_of(value, CHAR_HOST))
		return http_fault_set(fault, 400, "The Host header is not a host and port.");
	framing->first_host = value;
	return 0;
}

static int see_content_length(struct http_head *head, struct framing *framing, struct str value,
                              struct http_fault *fault)
{
	uint64_t length = 0;

	if (value.len == 0 || value.len > 18)
		return http_fault_set(fault, 400, "Content-Length is not a number of at most 18 digits.");
	for (size_t i = 0; i < value.len; i++) {
		if (value.p[i] < '0' || value.p[i] > '9')
			return http_fault_set(fault, 400, "Content-Length is not a number.");
		length = length * 10 + (uint64_t)(value.p[i] - '0');
	}
	if (framing->lengths++ > 0 && length != head->content_length)
		return http_fault_set(fault, 400, "There are two Content-Length headers that differ.");
	head->content_length = length;
	return 0;
}

/* Cuts the next element of a comma-separated list off *list; it may be empty. */
static void cut_element(struct str *list, struct str *element)
{
	if (!cut_at(list, ',', element)) {
		*element = *list;
		list->len = 0;
	}
	*element = str_trim(*element);
}

static int see_transfer_encoding(struct http_head *head, struct framing *framing, struct str value,
                                 struct http_fault *fault)
{
	struct str coding;
	bool more;

	/* Empty elements are refused, though RFC 9110, 5.6.1 says to ignore them: a peer that does not may take
	 * "chunked," for another coding, and the body for the next request. */
	do {
		more = memchr(value.p, ',', value.len) != NULL;
		cut_element(&value, &coding);
		if (coding.len == 0)
			return http_fault_set(fault, 400, "Transfer-Encoding names no coding.");
		if (head->chunked)
			return http_fault_set(fault, 400, "Transfer-Encoding goes on after chunked.");
		head->chunked = str_equal_nocase(coding, STR_LITERAL("chunked"));
		framing->codings++;
	} while (more);
	return 0;
}

static int see_connection(struct http_head *head, struct framing *framing, struct str value, struct http_fault *fault)
{
	(void)head;
	(void)fault;
	framing->close |= str_is_listed_nocase(STR_LITERAL("close"), value);
	return 0;
}

static int see_expect(struct http_head *head, struct framing *framing, struct str value, struct http_fault *fault)
{
	(void)framing;
	if (!str_equal_nocase(value, STR_LITERAL("100-continue")))
		return http_fault_set(fault, 417, "The only expectation met here is 100-continue.");
	head->expect_continue = head->minor > 0; /* RFC 9110, 10.1.1: a 1.0 client's is ignored */
	return 0;
}

static const struct field_rule {
	const char *name;
	int (*see)(struct http_head *head, struct framing *framing, struct str value, struct http_fault *fault);
} field_rules[] = {
	{ "Host", see_host },
	{ "Content-Length", see_content_length },
	{ "Transfer-Encoding", see_transfer_encoding },
	{ "Connection", see_connection },
	{ "Expect", see_expect },
};

/* Given twice, one program would read the first and another the last: whose request is it then? */
static const char *const single_fields[] = { "Authorization", "Content-Type", "Content-Encoding",
	                                     "Range",         "If-Range",     "Idempotency-Key" };

static int see_single(struct framing *framing, const struct http_field *field, struct http_fault *fault)
{
	for (size_t i = 0; i < sizeof(single_fields) / sizeof(single_fields[0]); i++) {
		if (!str_equal_nocase(field->name, str_from(single_fields[i])))
			continue;
		if (framing->seen & 1U << i)
			return http_fault_set(fault, 400, "There is more than one %s header.", single_fields[i]);
		framing->seen |= 1U << i;
	}
	return 0;
}

static int see_field(struct http_head *head, struct framing *framing, struct http_fault *fault)
{
	const struct http_field *field = &head->fields[head->fields_count - 1];

	for (size_t i = 0; i < sizeof(field_rules) / sizeof(field_rules[0]); i++)
		if (str_equal_nocase(field->name, str_from(field_rules[i].name)))
			return field_rules[i].see(head, framing, field->value, fault);
	return see_single(framing, field, fault);
}

/* RFC 9112, 3.2 and 6: checks that need all fields. */
static int check_framing(struct http_head *head, const struct framing *framing, struct http_fault *fault)
{
	if (framing->hosts == 0 && head->minor > 0)
		return http_fault_set(fault, 400, "There is no Host header.");
	if (framing->hosts > 0 && !head->host.p)
		head->host = framing->first_host;
	if (framing->codings > 0 && framing->lengths > 0)
		return http_fault_set(fault, 400, "There are both Content-Length and Transfer-Encoding.");
	if (framing->codings > 0 && head->minor == 0)
		return http_fault_set(fault, 400, "HTTP/1.0 has no Transfer-Encoding.");
	if (framing->codings > 0 && !head->chunked)
		return http_fault_set(fault, 501, "The only transfer coding taken is chunked.");
	if (framing->codings > 1)
		return http_fault_set(fault, 501, "The only transfer coding taken is chunked, alone.");
	head->keep_alive = head->minor > 0 && !framing->close;
	return 0;
}

static int set_too_many(struct http_fault *fault)
{
	return http_fault_set(fault, 431, "There are more than %d headers.", HTTP_FIELDS_MAX);
}

int http_head_parse(struct http_head *head, struct str data, struct http_fault *fault)
{
	struct framing framing = { 0 };

	memset(head, 0, offsetof(struct http_head, fields));
	if (parse_request_line(head, next_line(&data), fault) < 0)
		return -1;
	for (;;) {
		struct str line = next_line(&data);

		if (line.len == 0)
			break;
		if (head->fields_count == HTTP_FIELDS_MAX + HTTP_RELAY_FIELDS)
			return set_too_many(fault);
		if (parse_field(head, line, fault) < 0 || see_field(head, &framing, fault) < 0)
			return -1;
	}
	if (head->fields_count > HTTP_FIELDS_MAX && !http_head_field(head, HTTP_RELAYED_FIELD).p)
		return set_too_many(fault);
	return check_framing(head, &framing, fault);
}
