/* SPDX-License-Identifier: ISC */
/*
 * replay_body.c: see replay_body.h.
 */
#include "admin/replay_body.h"

#include <stdlib.h>

#include "admin/ingest_args.h"
#include "record/encoding.h"

/* --- the command's arguments --- */

static int read_sets(struct replay_mending *mending, const struct args *args, struct error *err)
{
	for (size_t i = 0; i < args_count(args, "set"); i++) {
		const char *set = args_get_at(args, "set", i);
		const char *equals = strchr(set, '=');

		if (!equals || equals == set)
			return error_set(err, ERROR_INVALID, "--set: \"%.64s\": must be FIELD=VALUE", set);
		mending->changes[mending->changes_count++] = (struct mend_change){
			.field = { set, (size_t)(equals - set) },
			.value = str_from(equals + 1),
		};
	}
	return 0;
}

static int read_unsets(struct replay_mending *mending, const struct args *args, struct error *err)
{
	for (size_t i = 0; i < args_count(args, "unset"); i++) {
		const char *field = args_get_at(args, "unset", i);

		if (!field[0] || strchr(field, '='))
			return error_set(err, ERROR_INVALID, "--unset: \"%.64s\": must be the name of a field", field);
		mending->changes[mending->changes_count++] =
			(struct mend_change){ .field = str_from(field), .unset = true };
	}
	return 0;
}

int replay_mending_read(struct replay_mending *mending, const struct args *args, struct error *err)
{
	size_t count = args_count(args, "set") + args_count(args, "unset");

	mending->args = args;
	mending->replaces = args_count(args, "replace_with") > 0;
	mending->changes = calloc(count + 1, sizeof(mending->changes[0]));
	if (!mending->changes)
		return error_set(err, ERROR_NOMEM, "Out of memory for a replay");
	if (read_sets(mending, args, err) != 0 || read_unsets(mending, args, err) != 0)
		return -1;
	return ingest_args_read(args, &mending->settings, err);
}

void replay_mending_free(struct replay_mending *mending)
{
	struct buf *bufs[] = { &mending->replacement, &mending->header, &mending->raw,         &mending->new_header,
		               &mending->new_raw,     &mending->bytes,  &mending->product_name };

	for (size_t i = 0; i < sizeof(bufs) / sizeof(bufs[0]); i++)
		buf_free(bufs[i]);
	free(mending->changes);
}

/* --- mending an entry --- */

static int no_memory(struct error *err)
{
	return error_set(err, ERROR_NOMEM, "Out of memory for a replay");
}

static void write_body(struct replay_mending *mending, struct replay_body *body, struct str header, struct str raw)
{
	parse_write_body(&mending->bytes, body->format, header, raw);
	body->bytes = buf_str(&mending->bytes);
}

static int convert(const char *encoding, struct str text, struct buf *out, struct error *err)
{
	buf_clear(out);
	if (encoding_convert_all(encoding, text, out))
		return 0;
	return out->failed ? no_memory(err) :
	                     error_set(err, ERROR_INVALID, "encoding %s: iconv does not know it", encoding);
}

/* Sets and removes fields; the result is UTF-8. */
static int mend(struct replay_mending *mending, const struct quarantine_entry *entry, struct replay_body *body,
                struct error *err)
{
	if (convert(body->settings.encoding, entry->header, &mending->header, err) != 0 ||
	    convert(body->settings.encoding, entry->raw, &mending->raw, err) != 0)
		return -1;
	body->settings.encoding[0] = '\0';
	buf_clear(&mending->new_header);
	buf_clear(&mending->new_raw);
	if (!mend_record(entry->format, buf_str(&mending->header), buf_str(&mending->raw), mending->changes,
	                 mending->changes_count, &mending->new_header, &mending->new_raw))
		return error_set(
			err, ERROR_INVALID,
			"It cannot be taken apart into fields, being no JSON object, map or line of its header; give "
			"the whole record with --replace-with");
	if (mending->new_header.failed || mending->new_raw.failed)
		return no_memory(err);
	write_body(mending, body, buf_str(&mending->new_header), buf_str(&mending->new_raw));
	return 0;
}

static bool is_msgpack_map(struct str raw)
{
	unsigned char first = raw.len > 0 ? (unsigned char)raw.p[0] : 0;

	return (first >= 0x80 && first <= 0x8f) || first == 0xde || first == 0xdf;
}

/* Without line ends and white space around it. */
static struct str trim(struct str text)
{
	while (text.len > 0 && memchr(" \t\r\n", text.p[0], 4))
		text = (struct str){ text.p + 1, text.len - 1 };
	while (text.len > 0 && memchr("\r\n", text.p[text.len - 1], 2))
		text.len--;
	return text;
}

/* A text is UTF-8 unless the command says otherwise: a JSON object, a line under the entry's header, or CSV with one. */
static int replace_text(struct replay_mending *mending, const struct quarantine_entry *entry, struct replay_body *body,
                        struct error *err)
{
	const char *given = args_get(mending->args, "encoding");

	if (convert(entry->settings.encoding, entry->header, &mending->header, err) != 0 ||
	    convert(given ? given : "", buf_str(&mending->replacement), &mending->raw, err) != 0)
		return -1;
	struct str raw = trim(buf_str(&mending->raw)), header = buf_str(&mending->header);
	bool object = raw.len > 0 && raw.p[0] == '{';
	body->format = object ? PARSE_JSON_ARRAY : PARSE_CSV;
	if (object || entry->format == PARSE_CSV)
		write_body(mending, body, object ? STR_LITERAL("") : header, raw);
	else
		body->bytes = raw;
	return 0;
}

static int replace(struct replay_mending *mending, const struct quarantine_entry *entry, struct replay_body *body,
                   struct error *err)
{
	struct str raw = buf_str(&mending->replacement);

	body->settings.encoding[0] = '\0';
	if (entry->format == PARSE_MAPPED && body->settings.mapping[0]) {
		write_body(mending, body, entry->header, trim(raw));
		return 0;
	}
	if (args_get(mending->args, "encoding") || !is_msgpack_map(raw))
		return replace_text(mending, entry, body, err);
	body->format = PARSE_MSGPACK;
	write_body(mending, body, STR_LITERAL(""), raw);
	return 0;
}

int replay_body_make(struct replay_mending *mending, const struct quarantine_entry *entry, struct replay_body *body,
                     struct error *err)
{
	int result = 0;

	*body = (struct replay_body){ .format = entry->format, .settings = entry->settings };
	buf_clear(&mending->bytes);
	buf_clear(&mending->product_name);
	buf_add_str(&mending->product_name, entry->product_name);
	if (entry->product_name.len > 0)
		body->product_name = buf_cstr(&mending->product_name);
	for (size_t i = 0; i < INGEST_SETTINGS_COUNT; i++)
		if (args_count(mending->args, ingest_settings_name(i)) > 0)
			(void)ingest_settings_load(&body->settings, i,
			                           str_from(ingest_settings_get(&mending->settings, i)));
	if (entry->raw_cut && !mending->replaces)
		return error_set(
			err, ERROR_INVALID,
			"It was longer than line_max allows, and only its beginning was kept; give the whole record with "
			"--replace-with");
	if (mending->replaces)
		result = replace(mending, entry, body, err);
	else if (mending->changes_count > 0)
		result = mend(mending, entry, body, err);
	else
		write_body(mending, body, entry->header, entry->raw);
	return result == 0 && (mending->bytes.failed || mending->product_name.failed) ? no_memory(err) : result;
}
