# SPDX-License-Identifier: ISC
libcdrd_a_SOURCES += \
	src/clickhouse/client.c src/clickhouse/client.h \
	src/clickhouse/hosts.c src/clickhouse/hosts.h \
	src/clickhouse/rows_body.c src/clickhouse/rows_body.h \
	src/clickhouse/schema.c src/clickhouse/schema.h
