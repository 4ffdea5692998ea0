/* SPDX-License-Identifier: ISC */
/*
 * entry.c: see entry.h.
 */
#include "privacy/entry.h"

#include "base/buf.h"

/* In msgpack a phone number may be an integer; the parser makes it text. */
bool entry_has(const struct quarantine_entry *entry, const struct erase *matcher)
{
	struct buf text = { 0 };
	bool holds;

	if (erase_is_in(matcher, entry->raw) || erase_is_in(matcher, entry->reason))
		return true;
	if (entry->format != PARSE_MSGPACK)
		return false;
	holds = parse_write_json(&text, entry->format, entry->header, entry->raw, NULL) &&
	        (text.failed || erase_is_in(matcher, buf_str(&text)));
	buf_free(&text);
	return holds;
}
