# SPDX-License-Identifier: ISC
libcdrd_a_SOURCES += \
	src/metrics/by_column.c src/metrics/by_column.h \
	src/metrics/by_endpoint.c src/metrics/by_endpoint.h \
	src/metrics/by_source.c src/metrics/by_source.h \
	src/metrics/metrics.c src/metrics/metrics.h \
	src/metrics/row.h \
	src/metrics/sources.h \
	src/metrics/snapshot.c src/metrics/snapshot.h \
	src/metrics/table.c src/metrics/table.h \
	src/metrics/text.c src/metrics/text.h
