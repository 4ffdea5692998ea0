# SPDX-License-Identifier: ISC
libcdrd_a_SOURCES += \
	src/feed/feed.h src/feed/feed_private.h \
	src/feed/feed_file.c \
	src/feed/feeds.c \
	src/feed/feed_scan.c \
	src/feed/place.c \
	src/feed/spool.c \
	src/feed/spool_end.c \
	src/feed/tail.c \
	src/feed/tail_files.c
