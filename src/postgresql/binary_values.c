/* SPDX-License-Identifier: ISC */
/*
 * binary_values.c: values in PostgreSQL's binary form: big-endian. See postgresql.h.
 *
 *	array   dimensions (4 bytes), has it NULLs (4), type (4), length (4), first index (4), then each value's length (4,
 *	        -1 for NULL) and bytes
 */
#include <endian.h>
#include <string.h>

#include "postgresql/postgresql.h"

#define LENGTH_AT 12

static void add_uint32(struct buf *out, uint32_t number)
{
	number = htobe32(number);
	buf_add(out, &number, sizeof(number));
}

void postgresql_array_begin(struct postgresql_array *array, uint32_t type)
{
	buf_clear(&array->bytes);
	array->count = 0;
	add_uint32(&array->bytes, 1);
	add_uint32(&array->bytes, 1);
	add_uint32(&array->bytes, type);
	add_uint32(&array->bytes, 0);
	add_uint32(&array->bytes, 1);
}

void postgresql_array_add(struct postgresql_array *array, struct str value)
{
	array->count++;
	add_uint32(&array->bytes, value.p ? (uint32_t)value.len : UINT32_MAX);
	if (value.p)
		buf_add_str(&array->bytes, value);
}

struct str postgresql_array_end(struct postgresql_array *array)
{
	uint32_t count = htobe32(array->count);

	if (!array->bytes.failed)
		memcpy(array->bytes.data + LENGTH_AT, &count, sizeof(count));
	return buf_str(&array->bytes);
}

struct str postgresql_bigint(struct postgresql_bigint *room, uint64_t number)
{
	number = htobe64(number);
	memcpy(room->bytes, &number, sizeof(number));
	return (struct str){ room->bytes, sizeof(room->bytes) };
}

int postgresql_read_bigint(struct str value, uint64_t *number, struct error *err)
{
	if (!value.p || value.len != sizeof(*number))
		return error_set(err, ERROR_CORRUPT, "PostgreSQL: a number of %zu bytes, must be %zu", value.len,
		                 sizeof(*number));
	memcpy(number, value.p, sizeof(*number));
	*number = be64toh(*number);
	return 0;
}
