# SPDX-License-Identifier: ISC
libcdrd_a_SOURCES += \
	src/deflate/deflate.c src/deflate/deflate.h src/deflate/deflate_private.h \
	src/deflate/huffman.c \
	src/deflate/parse.c \
	src/deflate/stored.c
