# SPDX-License-Identifier: ISC
libcdrd_a_SOURCES += \
	src/limits/bucket.h \
	src/limits/key_uses.c src/limits/key_uses.h \
	src/limits/load_shedding.c src/limits/load_shedding.h \
	src/limits/limits.c src/limits/limits.h \
	src/limits/logins.c src/limits/logins.h
