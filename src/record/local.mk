# SPDX-License-Identifier: ISC
libcdrd_a_SOURCES += \
	src/record/record.c src/record/record.h \
	src/record/copy.h \
	src/record/csv.c \
	src/record/encoding.c src/record/encoding.h \
	src/record/ingest_settings.c src/record/ingest_settings.h \
	src/record/json.c \
	src/record/mend.c src/record/mend.h src/record/pieces.c src/record/pieces.h \
	src/record/pack.c \
	src/record/parse.c src/record/parse.h src/record/parse_private.h src/record/parse_scan.h \
	src/record/parse_csv.c src/record/parse_csv.h \
	src/record/parse_csv_frame.c \
	src/record/parse_csv_header.c \
	src/record/parse_fields.c \
	src/record/parse_json.c \
	src/record/parse_json_token.c src/record/parse_json_token.h \
	src/record/parse_json_array.c \
	src/record/parse_lines.c \
	src/record/parse_msgpack.c \
	src/record/source_list.c src/record/source_list.h \
	src/record/parse_msgpack_token.c src/record/parse_msgpack_token.h
