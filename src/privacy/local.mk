# SPDX-License-Identifier: ISC
# Erasing a person's number, and closed accounts.
libcdrd_a_SOURCES += \
	src/privacy/closing.c src/privacy/closing.h \
	src/privacy/entry.c src/privacy/entry.h \
	src/privacy/erasure.c src/privacy/erasure.h \
	src/privacy/finding.c src/privacy/finding.h
