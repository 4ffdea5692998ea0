/* SPDX-License-Identifier: ISC */
/*
 * quarantine_shown.c: an entry of quarantine for a person.
 *
 * The record is shown as JSON if it can be read as such; otherwise, and for other formats, byte by byte: printable
 * UTF-8 unchanged, a backslash doubled, every other byte as \xNN. So every fault in it is visible.
 */
#include "admin/command_quarantine.h"
#include "admin/tree.h"
#include "base/id.h"
#include "record/encoding.h"

/* For --format. */
static const char *format_name(enum parse_format format)
{
	static const char *const names[] = {
		[PARSE_NDJSON] = "ndjson", [PARSE_JSON_ARRAY] = "json", [PARSE_MSGPACK] = "msgpack",
		[PARSE_CSV] = "csv",       [PARSE_JSON] = "json",       [PARSE_MAPPED] = "mapped",
	};

	return names[format];
}

void quarantine_write_columns(struct json *j, const struct quarantine_entry *entry)
{
	json_member_uint(j, "number", entry->number);
	admin_member_time(j, "time", entry->time_us);
	json_member_str(j, "producer", entry->producer);
	json_member_str(j, "account", entry->account);
	json_member_str(j, "id", entry->id);
	json_member_str(j, "product", entry->product);
	json_member_str(j, "field", entry->field);
	json_member_str(j, "reason", entry->reason);
}

/* --- bytes --- */

/* The number of bytes of the character at the beginning of `text`; 0 if it must not be shown. */
static size_t character_len(struct str text)
{
	unsigned char first = (unsigned char)text.p[0];
	size_t len = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
	bool is_control =
		first < 0x20 || first == 0x7f || (first == 0xc2 && text.len > 1 && (unsigned char)text.p[1] < 0xa0);

	if (is_control || len > text.len || !json_is_utf8((struct str){ text.p, len }))
		return 0;
	return len;
}

static void write_escaped(struct json *j, const char *key, struct str bytes)
{
	struct buf text = { 0 };

	for (size_t at = 0; at < bytes.len;) {
		size_t len = character_len((struct str){ bytes.p + at, bytes.len - at });

		if (bytes.p[at] == '\\')
			buf_add_char(&text, '\\');
		if (len == 0)
			buf_addf(&text, "\\x%02x", (unsigned)(unsigned char)bytes.p[at]);
		else
			buf_add(&text, bytes.p + at, len);
		at += len > 0 ? len : 1;
	}
	json_member_str(j, key, buf_str(&text));
	if (text.failed)
		j->out->failed = true;
	buf_free(&text);
}

/* --- the record --- */

/* Reads the bytes sent as JSON; false if they are not. `texts` are UTF-8 except for their faults. */
static bool read_json(const struct quarantine_entry *entry, struct str header, struct str raw, struct buf *out)
{
	struct buf name = { 0 };

	buf_add_str(&name, entry->product_name);
	bool named = entry->product_name.len > 0;
	bool read = (entry->format == PARSE_MSGPACK || json_is_utf8(raw)) && (!named || buf_cstr(&name)) &&
	            parse_write_json(out, entry->format, header, raw, named ? name.data : NULL);
	buf_free(&name);
	return read && !out->failed;
}

static void write_record(struct json *j, const struct quarantine_entry *entry)
{
	struct buf header = { 0 }, raw = { 0 }, record = { 0 };
	const char *encoding = entry->settings.encoding;
	bool is_json = entry->format == PARSE_NDJSON || entry->format == PARSE_JSON_ARRAY;
	bool read = encoding_convert_all(encoding, entry->header, &header) &&
	            encoding_convert_all(encoding, entry->raw, &raw) &&
	            read_json(entry, buf_str(&header), buf_str(&raw), &record);

	if (read) {
		json_key(j, "record");
		tree_write_text(buf_str(&record), j);
	}
	if (!read || !is_json || encoding[0])
		write_escaped(j, read ? "sent" : "record", entry->raw);
	if (entry->header.len > 0)
		write_escaped(j, "header", entry->header);
	buf_free(&header);
	buf_free(&raw);
	buf_free(&record);
}

void quarantine_write_entry(struct json *j, const struct quarantine_entry *entry)
{
	json_object_begin(j);
	quarantine_write_columns(j, entry);
	json_member_text(j, "format", format_name(entry->format));
	if (entry->product_name.len > 0)
		json_member_str(j, "default_product", entry->product_name);
	for (size_t i = 0; i < INGEST_SETTINGS_COUNT; i++)
		if (ingest_settings_get(&entry->settings, i)[0])
			json_member_text(j, ingest_settings_name(i), ingest_settings_get(&entry->settings, i));
	if (entry->converted_from.len > 0)
		json_member_str(j, "converted_from", entry->converted_from);
	if (entry->raw_cut) {
		json_member_bool(j, "cut", true);
	}
	write_record(j, entry);
	json_object_end(j);
}

void quarantine_write_raw(struct json *j, const struct quarantine_entry *entry)
{
	struct buf text = { 0 };

	id_base64url_encode(&text, entry->raw.p, entry->raw.len);
	json_object_begin(j);
	json_member_uint(j, "number", entry->number);
	json_member_str(j, "raw_base64url", buf_str(&text));
	json_object_end(j);
	if (text.failed)
		j->out->failed = true;
	buf_free(&text);
}
