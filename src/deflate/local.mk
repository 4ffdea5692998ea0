# SPDX-License-Identifier: ISC
libcdrd_a_SOURCES += \
	src/deflate/codes.c src/deflate/codes.h \
	src/deflate/deflate.c src/deflate/deflate.h src/deflate/deflate_private.h \
	src/deflate/huffman.c \
	src/deflate/parse.c \
	src/deflate/sift.c src/deflate/sift.h src/deflate/sift_private.h src/deflate/sift_read.c \
	src/deflate/stored.c
