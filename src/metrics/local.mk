# SPDX-License-Identifier: ISC
libcdrd_a_SOURCES += \
	src/metrics/metrics.c src/metrics/metrics.h \
	src/metrics/routes.c src/metrics/routes.h \
	src/metrics/row.h \
	src/metrics/sources.h \
	src/metrics/snapshot.c src/metrics/snapshot.h \
	src/metrics/table.c src/metrics/table.h \
	src/metrics/text.c src/metrics/text.h \
	src/metrics/values.c src/metrics/values.h
