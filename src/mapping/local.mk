# SPDX-License-Identifier: ISC
libcdrd_a_SOURCES += \
	src/mapping/compile.c src/mapping/compile_settings.c \
	src/mapping/expression.c \
	src/mapping/mapping.c src/mapping/mapping.h \
	src/mapping/pool.c src/mapping/pool.h \
	src/mapping/mapping_private.h \
	src/mapping/tariff.c src/mapping/tariff.h \
	src/mapping/reader.c \
	src/mapping/evaluate.c \
	src/mapping/mapfile.c src/mapping/mapfile.h \
	src/mapping/split.c \
	src/mapping/split_json.c \
	src/mapping/lookup.c src/mapping/lookup.h \
	src/mapping/times.c src/mapping/times.h
