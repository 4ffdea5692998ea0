# SPDX-License-Identifier: ISC
libcdrd_a_SOURCES += \
	src/limits/bucket.h \
	src/limits/guard.c src/limits/guard.h \
	src/limits/limits.c src/limits/limits.h \
	src/limits/logins.c src/limits/logins.h
