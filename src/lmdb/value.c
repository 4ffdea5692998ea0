/* SPDX-License-Identifier: ISC */
/*
 * value.c: the values of the catalog environment as msgpack. See value.h.
 */
#include "lmdb/value.h"

#include <string.h>

#define ZONE_CHUNK_BYTES 1024 /* an account's elements fit */

static int write_to_buf(void *data, const char *bytes, size_t len)
{
	struct buf *out = data;

	buf_add(out, bytes, len);
	return out->failed ? -1 : 0;
}

void value_begin(struct value_writer *w, struct buf *out, int version, size_t count)
{
	msgpack_packer_init(&w->packer, out, write_to_buf);
	msgpack_pack_array(&w->packer, count + 1);
	msgpack_pack_int(&w->packer, version);
}

void value_put_int(struct value_writer *w, int64_t number)
{
	msgpack_pack_int64(&w->packer, number);
}

void value_put_str(struct value_writer *w, struct str text)
{
	msgpack_pack_str_with_body(&w->packer, text.p ? text.p : "", text.len);
}

void value_put_bytes(struct value_writer *w, struct str bytes)
{
	msgpack_pack_bin_with_body(&w->packer, bytes.p ? bytes.p : "", bytes.len);
}

/* The big-endian number of `bytes` bytes at p. */
static uint32_t number_at(const uint8_t *p, size_t bytes)
{
	uint32_t number = 0;

	while (bytes-- > 0)
		number = number << 8 | *p++;
	return number;
}

/* How many bytes an element takes that is neither an array nor a map; 0 for those, and where it is cut short. */
static size_t element_bytes(const uint8_t *p, size_t left)
{
	static const uint8_t sizes[] = { [0xca] = 5, [0xcb] = 9, [0xcc] = 2, [0xcd] = 3, [0xce] = 5,
		                         [0xcf] = 9, [0xd0] = 2, [0xd1] = 3, [0xd2] = 5, [0xd3] = 9 };
	size_t bytes = 1, length = 0;

	if (*p >= 0xc4 && *p <= 0xc6) /* bytes, with a length of 1, 2 or 4 */
		length = (size_t)1 << (*p - 0xc4);
	else if (*p >= 0xd9 && *p <= 0xdb) /* a text */
		length = (size_t)1 << (*p - 0xd9);
	else if ((*p & 0xe0) == 0xa0)
		bytes += *p & 0x1f;
	else if (*p >= 0xca && *p <= 0xd3)
		bytes = sizes[*p];
	else if (*p > 0x7f && *p < 0xe0 && *p != 0xc0 && *p != 0xc2 && *p != 0xc3)
		return 0;
	if (length >= left)
		return 0;
	bytes += length + (length > 0 ? number_at(p + 1, length) : 0);
	return bytes <= left ? bytes : 0;
}

/* Is it one array of such elements? msgpack-c allocates what the head of an array or a map asks for before it has seen the
 * elements: damage of a few bytes would ask for gigabytes. */
static bool is_flat(struct str bytes)
{
	const uint8_t *p = (const uint8_t *)bytes.p, *end = p + bytes.len;
	size_t head = bytes.len == 0 || (*p & 0xf0) == 0x90 ? 1 : *p == 0xdc ? 3 : 5, count = 0;

	if (bytes.len < head || (head == 5 && *p != 0xdd))
		return false;
	uint32_t claimed = head == 1 ? *p & 0x0f : number_at(p + 1, head - 1);
	for (p += head; p < end; count++) {
		size_t element = element_bytes(p, (size_t)(end - p));

		if (element == 0)
			return false;
		p += element;
	}
	return count == claimed;
}

void value_open(struct value_reader *r, struct str bytes, int version)
{
	msgpack_object object;
	size_t end = 0;

	*r = (struct value_reader){ .bad = true };
	if (!is_flat(bytes))
		return;
	if (!msgpack_zone_init(&r->zone, ZONE_CHUNK_BYTES)) {
		r->zone = (msgpack_zone){ 0 };
		r->no_memory = true;
		return;
	}
	msgpack_unpack_return result = msgpack_unpack(bytes.p, bytes.len, &end, &r->zone, &object);
	r->no_memory = result == MSGPACK_UNPACK_NOMEM_ERROR;
	if (result != MSGPACK_UNPACK_SUCCESS || object.type != MSGPACK_OBJECT_ARRAY)
		return;
	r->next = object.via.array.ptr;
	r->left = object.via.array.size;
	r->bad = false;
	(void)value_int(r, version, version);
}

static const msgpack_object *take(struct value_reader *r)
{
	if (r->bad || r->left == 0) {
		r->bad = true;
		return NULL;
	}
	r->left--;
	return r->next++;
}

int64_t value_int(struct value_reader *r, int64_t min, int64_t max)
{
	const msgpack_object *object = take(r);
	bool is_int = object && (object->type == MSGPACK_OBJECT_NEGATIVE_INTEGER ||
	                         (object->type == MSGPACK_OBJECT_POSITIVE_INTEGER && object->via.u64 <= INT64_MAX));

	if (is_int && object->via.i64 >= min && object->via.i64 <= max)
		return object->via.i64;
	r->bad = true;
	return 0;
}

struct str value_str(struct value_reader *r, size_t len_min, size_t len_max)
{
	const msgpack_object *object = take(r);
	struct str text = STR_LITERAL("");

	if (object && object->type == MSGPACK_OBJECT_STR)
		text = (struct str){ object->via.str.ptr, object->via.str.size };
	else if (object && object->type == MSGPACK_OBJECT_BIN)
		text = (struct str){ object->via.bin.ptr, object->via.bin.size };
	else
		r->bad = true;
	if (text.len < len_min || text.len > len_max)
		r->bad = true;
	/* msgpack-c gives an empty text no pointer, which would mean absent. */
	return r->bad || text.len == 0 ? STR_LITERAL("") : text;
}

void value_text(struct value_reader *r, char *out, size_t len_min, size_t len_max)
{
	struct str text = value_str(r, len_min, len_max);

	memcpy(out, text.p, text.len);
}

uint32_t value_left(const struct value_reader *r)
{
	return r->bad ? 0 : r->left;
}

bool value_close(struct value_reader *r)
{
	if (r->zone.chunk_list.head)
		msgpack_zone_destroy(&r->zone);
	return !r->bad;
}

enum error_code value_error(const struct value_reader *r)
{
	return r->no_memory ? ERROR_NOMEM : ERROR_CORRUPT;
}
