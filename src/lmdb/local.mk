# SPDX-License-Identifier: ISC
# LMDB, wrapped once: environments, rows, maps that are read with care.
libcdrd_a_SOURCES += \
	src/lmdb/env.c src/lmdb/env.h \
	src/lmdb/env_size.c \
	src/lmdb/env_walk.c \
	src/lmdb/map_guard.c src/lmdb/map_guard.h \
	src/lmdb/value.c src/lmdb/value.h
