/* SPDX-License-Identifier: ISC */
/*
 * openapi.h: the description of the API for programs, made by tools/gen_openapi.py of routes.def, api.json and the other
 * tables when cdrd is built; private to api/.
 */
#ifndef CDRD_API_OPENAPI_H
#define CDRD_API_OPENAPI_H

#include <stddef.h>
#include <stdint.h>

struct api_openapi {
	const uint8_t *gzip;
	size_t gzip_len;
	size_t len;      /* uncompressed */
	const char *tag; /* in quotes: of the uncompressed text */
};

extern const struct api_openapi api_openapi;

#endif
