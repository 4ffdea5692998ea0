/* SPDX-License-Identifier: ISC */
/*
 * answer_time.h: times in answers; private to api/.
 */
#ifndef CDRD_API_ANSWER_TIME_H
#define CDRD_API_ANSWER_TIME_H

#include <stdint.h>

#include "base/json.h"

/* Writes the member "key": a time, in whole seconds. */
void api_write_time(struct json *json, const char *key, int64_t time_us);

#endif
