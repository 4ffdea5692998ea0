/* SPDX-License-Identifier: ISC */
/*
 * sniff.c: see sniff.h.
 */
#include "ctl/sniff.h"

#include <string.h>

#include "catalog/catalog.h"

#define REPORT_PREFIX "report_"

static bool begins_with(struct str text, const char *bytes, size_t len)
{
	return text.len >= len && memcmp(text.p, bytes, len) == 0;
}

/* A map or an array; no JSON text or CSV header begins with one of these bytes, unless with an accented letter. */
static bool is_msgpack(unsigned char byte)
{
	return (byte >= 0x80 && byte <= 0x9f) || (byte >= 0xdc && byte <= 0xdf);
}

const char *sniff_format(struct str first, const char *encoding, struct error *err)
{
	if (!encoding && (begins_with(first, "\xff\xfe", 2) || begins_with(first, "\xfe\xff", 2))) {
		error_set(err, ERROR_INVALID, "is in UTF-16; give --encoding UTF-16");
		return NULL;
	}
	if (begins_with(first, "PAR1", 4)) {
		error_set(err, ERROR_INVALID, "is Parquet, which cannot be imported; a report as csv or ndjson can");
		return NULL;
	}
	if (!encoding && first.len > 0 && is_msgpack((unsigned char)first.p[0]))
		return "msgpack";
	first = str_without_mark(first);
	if (encoding && first.len > 1 && ((unsigned char)first.p[0] >= 0xfe))
		first = (struct str){ first.p + 2, first.len - 2 }; /* UTF-16's */
	while (first.len > 0 && memchr(" \t\r\n\0", first.p[0], 5))
		first = (struct str){ first.p + 1, first.len - 1 };
	if (first.len == 0 || first.p[0] == '{')
		return "ndjson";
	return first.p[0] == '[' ? "json" : "csv";
}

struct str sniff_product(const char *file_name)
{
	struct str found = { NULL, 0 };

	if (strncmp(file_name, REPORT_PREFIX, strlen(REPORT_PREFIX)) == 0)
		file_name += strlen(REPORT_PREFIX);
	for (size_t i = 0; i < catalog_products_count; i++) {
		struct str name = catalog_products[i].name;

		if (strncmp(file_name, name.p, name.len) == 0 && file_name[name.len] == '_')
			found = name;
	}
	return found;
}
