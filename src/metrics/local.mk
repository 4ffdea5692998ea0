# SPDX-License-Identifier: ISC
libcdrd_a_SOURCES += \
	src/metrics/columns.c src/metrics/columns.h \
	src/metrics/endpoints.c src/metrics/endpoints.h \
	src/metrics/metrics.c src/metrics/metrics.h \
	src/metrics/row.h \
	src/metrics/sources.h \
	src/metrics/snapshot.c src/metrics/snapshot.h \
	src/metrics/table.c src/metrics/table.h \
	src/metrics/text.c src/metrics/text.h
