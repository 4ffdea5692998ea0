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

void value_open(struct value_reader *r, struct str bytes, int version)
{
	msgpack_object object;
	size_t end = 0;

	*r = (struct value_reader){ .bad = true };
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
