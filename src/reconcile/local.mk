# SPDX-License-Identifier: ISC
libcdrd_a_SOURCES += \
	src/reconcile/class_file.c src/reconcile/class_file.h \
	src/reconcile/class_sums.c src/reconcile/class_sums.h \
	src/reconcile/match_row.c src/reconcile/match_row.h \
	src/reconcile/pairing.c src/reconcile/pairing.h \
	src/reconcile/reconcile.h src/reconcile/reconcile_private.h \
	src/reconcile/reconcile_file.c \
	src/reconcile/reconcile_job.c \
	src/reconcile/reconcile_request.c src/reconcile/reconcile_request.h \
	src/reconcile/reconcile_status.c \
	src/reconcile/reconcile_upload.c \
	src/reconcile/reconciler.c src/reconcile/reconciler.h src/reconcile/reconciler_private.h \
	src/reconcile/reconciler_join.c \
	src/reconcile/reconciler_sides.c \
	src/reconcile/reconciles.c \
	src/reconcile/sorter.c src/reconcile/sorter.h
