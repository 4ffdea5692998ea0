/* SPDX-License-Identifier: ISC */
/*
 * errors.c: see errors.h.
 */
#include "ingest/errors.h"

#include <string.h>

#include "base/id.h"

static struct errors_row *rows_of(const struct errors *errors)
{
	return (struct errors_row *)(void *)errors->rows.data;
}

static size_t count_of(const struct errors *errors)
{
	return errors->rows.len / sizeof(struct errors_row);
}

static bool is_equal(const struct errors *errors, const struct errors_row *row, struct str field, struct str reason)
{
	const char *text = errors->texts.data + row->field_at;

	return str_equal((struct str){ text, row->field_len }, field) &&
	       str_equal((struct str){ text + row->field_len, row->reason_len }, reason);
}

static struct errors_row *find(const struct errors *errors, uint64_t hash, struct str field, struct str reason)
{
	struct errors_row *rows = rows_of(errors);

	for (size_t i = 0; i < count_of(errors); i++)
		if (rows[i].hash == hash && is_equal(errors, &rows[i], field, reason))
			return &rows[i];
	return NULL;
}

void errors_add(struct errors *errors, uint64_t max, uint64_t line, const char *field_text, const char *reason_text)
{
	struct str field = str_from(field_text), reason = str_from(reason_text);
	uint64_t hash = errors->fold ? id_hash64(reason.p, reason.len, id_hash64(field.p, field.len, 0)) : 0;
	struct errors_row *row = errors->fold ? find(errors, hash, field, reason) : NULL;

	if (row) {
		row->times++;
		return;
	}
	if (count_of(errors) >= max) {
		errors->unlisted++;
		return;
	}
	struct errors_row added = {
		.hash = hash,
		.line = line,
		.times = 1,
		.field_at = errors->texts.len,
		.field_len = field.len,
		.reason_len = reason.len,
	};
	buf_add_str(&errors->texts, field);
	buf_add_str(&errors->texts, reason);
	if (!errors->texts.failed)
		buf_add(&errors->rows, &added, sizeof(added));
}

void errors_write(const struct errors *errors, struct json *j)
{
	const struct errors_row *rows = rows_of(errors);

	json_array_begin(j);
	for (size_t i = 0; i < count_of(errors); i++) {
		const char *text = errors->texts.data + rows[i].field_at;

		json_object_begin(j);
		json_member_uint(j, "line", rows[i].line);
		json_member_str(j, "field", (struct str){ text, rows[i].field_len });
		json_member_str(j, "reason", (struct str){ text + rows[i].field_len, rows[i].reason_len });
		if (errors->fold)
			json_member_uint(j, "times", rows[i].times);
		json_object_end(j);
	}
	json_array_end(j);
}

bool errors_failed(const struct errors *errors)
{
	return errors->rows.failed || errors->texts.failed;
}

void errors_free(struct errors *errors)
{
	buf_free(&errors->rows);
	buf_free(&errors->texts);
}
