# SPDX-License-Identifier: ISC
libcdrd_a_SOURCES += \
	src/report/archive.c src/report/archive.h src/report/archive_private.h \
	src/report/archive_deflate.c \
	src/report/archive_gzip.c \
	src/report/archive_plain.c \
	src/report/archive_reader.c src/report/archive_reader.h \
	src/report/archive_reader_parquet.c src/report/archive_reader_parquet.h \
	src/report/archive_zip.c \
	src/report/archive_zstd.c \
	src/report/crc_append.c src/report/crc_append.h \
	src/report/maker.c src/report/maker.h src/report/maker_private.h \
	src/report/maker_checkpoint.c \
	src/report/maker_dress.c \
	src/report/maker_lines.c \
	src/report/maker_parquet.c \
	src/report/maker_totals.c

libcdrd_a_SOURCES += \
	src/report/away.c src/report/away.h \
	src/report/erasing.c \
	src/report/expiry.c \
	src/report/file_size.c \
	src/report/row_sizes.def \
	src/report/files.c \
	src/report/job.c \
	src/report/order.c src/report/order.h \
	src/report/queue.c \
	src/report/callback_note.c \
	src/report/report.h src/report/report_private.h \
	src/report/reports.c \
	src/report/report_check.c \
	src/report/row.c \
	src/report/scheduler.c \
	src/report/search.c src/report/search.h \
	src/report/status.c \
	src/report/table.c src/report/table.h \
	src/report/job_work.c \
	src/report/worker.c src/report/worker.h \
	src/report/workers.c src/report/workers.h
