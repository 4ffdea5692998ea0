# SPDX-License-Identifier: ISC
libcdrd_a_SOURCES += \
	src/ingest/batch.c \
	src/ingest/batch_record.c \
	src/ingest/errors.c src/ingest/errors.h \
	src/ingest/check.c src/ingest/check_values.c src/ingest/check.h \
	src/ingest/held.c \
	src/ingest/ingest.c src/ingest/ingest.h src/ingest/ingest_private.h \
	src/ingest/ingest_summary.c \
	src/ingest/reject.c \
	src/ingest/repeats.c src/ingest/repeats.h \
	src/ingest/maintenance.c \
	src/ingest/moving.c src/ingest/moving.h \
	src/ingest/trial.c \
	src/ingest/zones.c src/ingest/zones.h
