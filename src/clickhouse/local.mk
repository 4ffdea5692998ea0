# SPDX-License-Identifier: ISC
libcdrd_a_SOURCES += \
	src/clickhouse/schema.c src/clickhouse/schema.h
