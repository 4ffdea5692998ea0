/* SPDX-License-Identifier: ISC */
/*
 * json_reader.c: see json_reader.h.
 *
 * What may come next is one of five things:
 *
 *	value        at the beginning, after ':' and after ',' in an array
 *	first value  after '[': a value, or ']'
 *	name         after ',' in an object
 *	first name   after '{': a name, or '}'
 *	more         after a value: ',' or the bracket that closes; the text's end when nothing is open
 *
 * Why no library: a name that occurs twice must be reported twice, a NUL must not end a text, numbers keep their
 * digits, and running out of memory must be an error. json-c, which the tests hold this reader against, keeps the last
 * of two members, cuts names at a NUL, makes 64-bit integers of long ones and, in versions that are in use (0.16),
 * drops members or follows a NULL pointer when memory runs out.
 */
#include "base/json_reader.h"

#include "base/json.h"

enum wanted { WANTED_VALUE, WANTED_FIRST_VALUE, WANTED_NAME, WANTED_FIRST_NAME, WANTED_MORE };

static enum json_event no_memory(const struct json_reader *r, struct error *err)
{
	error_set(err, ERROR_NOMEM, "JSON of %zu bytes: out of memory", r->all.len);
	return JSON_EVENT_FAULT;
}

static enum json_event fault_at(const struct json_reader *r, size_t at, const char *what, struct error *err)
{
	if (r->all.len == 0)
		error_set(err, ERROR_INVALID, "not valid JSON: no value");
	else if (at >= r->all.len)
		error_set(err, ERROR_INVALID, "not valid JSON: ends after byte %zu, %s", r->all.len, what);
	else
		error_set(err, ERROR_INVALID, "not valid JSON: byte %zu%s: %s", at + 1, r->all.p[at] ? "" : ", a NUL",
		          what);
	return JSON_EVENT_FAULT;
}

static enum json_event fault(const struct json_reader *r, const char *what, struct error *err)
{
	return fault_at(r, r->at, what, err);
}

/* The next byte; at the end 0, which is not valid anywhere in JSON. */
static char peek(const struct json_reader *r)
{
	return r->at < r->all.len ? r->all.p[r->at] : '\0';
}

static void skip_space(struct json_reader *r)
{
	while (peek(r) == ' ' || peek(r) == '\t' || peek(r) == '\n' || peek(r) == '\r')
		r->at++;
}

/* --- strings --- */

/* The four digits at `at`, after "\u"; -1 if they are not digits. */
static int32_t read_unit(struct str raw, size_t at)
{
	int32_t unit = 0;

	if (raw.len - at < 4)
		return -1;
	for (size_t i = at; i < at + 4; i++) {
		int digit = str_hex_value(raw.p[i]);

		if (digit < 0)
			return -1;
		unit = unit << 4 | digit;
	}
	return unit;
}

static void add_utf8(struct buf *out, uint32_t c)
{
	if (c < 0x80) {
		buf_add_char(out, (char)c);
		return;
	}
	if (c < 0x800) {
		buf_add_char(out, (char)(0xc0 | c >> 6));
	} else if (c < 0x10000) {
		buf_add_char(out, (char)(0xe0 | c >> 12));
		buf_add_char(out, (char)(0x80 | (c >> 6 & 0x3f)));
	} else {
		buf_add_char(out, (char)(0xf0 | c >> 18));
		buf_add_char(out, (char)(0x80 | (c >> 12 & 0x3f)));
		buf_add_char(out, (char)(0x80 | (c >> 6 & 0x3f)));
	}
	buf_add_char(out, (char)(0x80 | (c & 0x3f)));
}

/* The escape "\u" at *at: of one character, or of both halves of a surrogate pair. NULL, or what is wrong with it. */
static const char *unescape_unicode(struct buf *out, struct str raw, size_t *at)
{
	int32_t unit = read_unit(raw, *at + 2), low;

	if (unit < 0)
		return "\\u is not followed by four hexadecimal digits";
	*at += 6;
	if (unit < 0xd800 || unit > 0xdfff) {
		add_utf8(out, (uint32_t)unit);
		return NULL;
	}
	low = raw.len - *at >= 6 && raw.p[*at] == '\\' && raw.p[*at + 1] == 'u' ? read_unit(raw, *at + 2) : -1;
	if (unit > 0xdbff || low < 0xdc00 || low > 0xdfff)
		return "escape of half a surrogate pair";
	*at += 6;
	add_utf8(out, 0x10000 + (((uint32_t)unit & 0x3ff) << 10 | ((uint32_t)low & 0x3ff)));
	return NULL;
}

/* Unescapes at *at, which is moved past the escape. */
static const char *unescape_one(struct buf *out, struct str raw, size_t *at)
{
	static const char letters[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
	char c = raw.p[*at + 1];
	const char *found;

	if (c == 'u')
		return unescape_unicode(out, raw, at);
	found = c ? strchr(letters, c) : NULL;
	if (!found)
		return "no such escape; there are \\\" \\\\ \\/ \\b \\f \\n \\r \\t and \\u";
	buf_add_char(out, meant[found - letters]);
	*at += 2;
	return NULL;
}

/* `raw` is the text between the quotes and begins at r->at. */
static bool unescape(struct json_reader *r, struct str raw, struct error *err)
{
	const char *wrong = NULL;
	size_t at = 0;

	buf_clear(&r->unescaped);
	while (at < raw.len && !wrong) {
		const char *escape = memchr(raw.p + at, '\\', raw.len - at);
		size_t run = escape ? (size_t)(escape - raw.p) - at : raw.len - at;

		buf_add(&r->unescaped, raw.p + at, run);
		at += run;
		if (escape)
			wrong = unescape_one(&r->unescaped, raw, &at);
	}
	if (wrong)
		fault_at(r, r->at + at, wrong, err);
	else if (r->unescaped.failed)
		no_memory(r, err);
	else
		r->text = buf_str(&r->unescaped);
	return !wrong && !r->unescaped.failed;
}

/* Reads a string after its first quote. Moves past its end. */
static bool read_string(struct json_reader *r, struct error *err)
{
	size_t end = r->at;
	bool escapes = false;
	struct str raw;

	while (end < r->all.len && r->all.p[end] != '"') {
		if ((unsigned char)r->all.p[end] < ' ') {
			fault_at(r, end, "a control character within a string must be escaped", err);
			return false;
		}
		if (r->all.p[end] == '\\') {
			escapes = true;
			end++;
		}
		end++;
	}
	if (end >= r->all.len) {
		fault_at(r, r->all.len, "within a string", err);
		return false;
	}
	raw = (struct str){ r->all.p + r->at, end - r->at };
	if (!json_is_utf8(raw)) {
		fault(r, "the string that begins here is not UTF-8", err);
		return false;
	}
	r->text = raw;
	if (escapes && !unescape(r, raw, err))
		return false;
	r->at = end + 1;
	return true;
}

/* --- numbers and words --- */

static bool skip_digits(struct json_reader *r)
{
	size_t begin = r->at;

	while (peek(r) >= '0' && peek(r) <= '9')
		r->at++;
	return r->at > begin;
}

static enum json_event read_number(struct json_reader *r, struct error *err)
{
	size_t begin = r->at;

	if (peek(r) == '-')
		r->at++;
	if (peek(r) == '0')
		r->at++; /* a digit after it is no part of the number, nor of anything else */
	else if (!skip_digits(r))
		return fault(r, "a digit was expected", err);
	if (peek(r) == '.') {
		r->at++;
		if (!skip_digits(r))
			return fault(r, "a digit was expected after the point", err);
	}
	if (peek(r) == 'e' || peek(r) == 'E') {
		r->at++;
		if (peek(r) == '+' || peek(r) == '-')
			r->at++;
		if (!skip_digits(r))
			return fault(r, "a digit was expected in the exponent", err);
	}
	r->text = (struct str){ r->all.p + begin, r->at - begin };
	return JSON_EVENT_NUMBER;
}

/* The length of a number that is none at the reader's place; 0: there is none. */
static size_t find_nan(const struct json_reader *r)
{
	static const char *const words[] = { "infinity", "inf", "nan" };
	size_t sign = peek(r) == '-';

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		size_t len = strlen(words[i]);

		if (r->all.len - r->at >= sign + len && strncasecmp(r->all.p + r->at + sign, words[i], len) == 0)
			return sign + len;
	}
	return 0;
}

static enum json_event read_word(struct json_reader *r, struct error *err)
{
	static const struct {
		const char *word;
		enum json_event event;
	} words[] = {
		{ "true", JSON_EVENT_TRUE },
		{ "false", JSON_EVENT_FALSE },
		{ "null", JSON_EVENT_NULL },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		struct str word = str_from(words[i].word);

		if (r->all.len - r->at < word.len || memcmp(r->all.p + r->at, word.p, word.len) != 0)
			continue;
		r->at += word.len;
		return words[i].event;
	}
	return fault(r, "a value was expected", err);
}

/* --- what may come next --- */

static enum json_event open_container(struct json_reader *r, char bracket, struct error *err)
{
	buf_add_char(&r->open, bracket);
	if (r->open.failed)
		return no_memory(r, err);
	r->at++;
	r->depth++;
	r->wanted = bracket == '{' ? WANTED_FIRST_NAME : WANTED_FIRST_VALUE;
	return bracket == '{' ? JSON_EVENT_OBJECT : JSON_EVENT_ARRAY;
}

static bool in_object(const struct json_reader *r)
{
	return r->open.data[r->open.len - 1] == '{';
}

static enum json_event close_container(struct json_reader *r)
{
	enum json_event event = in_object(r) ? JSON_EVENT_OBJECT_END : JSON_EVENT_ARRAY_END;

	r->at++;
	r->depth--;
	r->open.len--;
	r->wanted = WANTED_MORE;
	return event;
}

static enum json_event read_value(struct json_reader *r, struct error *err)
{
	char c = peek(r);

	if (c == '{' || c == '[')
		return open_container(r, c, err);
	r->wanted = WANTED_MORE;
	if (c == '"') {
		r->at++;
		return read_string(r, err) ? JSON_EVENT_STRING : JSON_EVENT_FAULT;
	}
	size_t nan_len = r->takes_nan ? find_nan(r) : 0;
	if (nan_len > 0) {
		r->at += nan_len;
		return JSON_EVENT_NULL;
	}
	return c == '-' || (c >= '0' && c <= '9') ? read_number(r, err) : read_word(r, err);
}

static enum json_event read_name(struct json_reader *r, struct error *err)
{
	if (peek(r) != '"')
		return fault(r, "a member's name in double quotes was expected", err);
	r->at++;
	if (!read_string(r, err))
		return JSON_EVENT_FAULT;
	skip_space(r);
	if (peek(r) != ':')
		return fault(r, "a colon was expected after the member's name", err);
	r->at++;
	r->wanted = WANTED_VALUE;
	return JSON_EVENT_NAME;
}

/* After a value, if no container closes: true if a comma announces more. */
static bool read_comma(struct json_reader *r, struct error *err)
{
	if (peek(r) != ',') {
		fault(r, in_object(r) ? "a comma or } was expected" : "a comma or ] was expected", err);
		return false;
	}
	r->at++;
	skip_space(r);
	r->wanted = in_object(r) ? WANTED_NAME : WANTED_VALUE;
	return true;
}

enum json_event json_reader_next(struct json_reader *reader, struct error *err)
{
	bool may_close = reader->wanted == WANTED_FIRST_NAME || reader->wanted == WANTED_FIRST_VALUE;

	reader->text = (struct str){ NULL, 0 };
	skip_space(reader);
	if (reader->wanted == WANTED_MORE && reader->depth == 0)
		return reader->at == reader->all.len ? JSON_EVENT_END :
		                                       fault(reader, "nothing was expected after the value", err);
	if ((may_close || reader->wanted == WANTED_MORE) && peek(reader) == (in_object(reader) ? '}' : ']'))
		return close_container(reader);
	if (reader->wanted == WANTED_MORE && !read_comma(reader, err))
		return JSON_EVENT_FAULT;
	if (reader->wanted == WANTED_NAME || reader->wanted == WANTED_FIRST_NAME)
		return read_name(reader, err);
	return read_value(reader, err);
}

void json_reader_free(struct json_reader *reader)
{
	buf_free(&reader->open);
	buf_free(&reader->unescaped);
}

void json_reader_restart(struct json_reader *reader, struct str text)
{
	reader->all = text;
	reader->at = 0;
	reader->depth = 0;
	reader->wanted = WANTED_VALUE;
	buf_clear(&reader->open);
	buf_clear(&reader->unescaped);
}
