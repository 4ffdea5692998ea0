# SPDX-License-Identifier: ISC
libcdrd_a_SOURCES += \
	src/schedule/cron.c src/schedule/cron.h \
	src/schedule/period.c src/schedule/period.h \
	src/schedule/schedule.h src/schedule/schedule_private.h \
	src/schedule/schedule_check.c \
	src/schedule/schedule_due.c \
	src/schedule/schedule_erasing.c \
	src/schedule/schedule_row.c \
	src/schedule/schedule_table.c src/schedule/schedule_table.h \
	src/schedule/schedule_write.c \
	src/schedule/schedules.c
