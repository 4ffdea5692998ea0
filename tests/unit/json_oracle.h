/* SPDX-License-Identifier: ISC */
/*
 * json_oracle.h: what another implementation, json-c, says of a text. In a file of its own, as json-c and base/json.h each
 * have a json_bool.
 */
#ifndef CDRD_TESTS_JSON_ORACLE_H
#define CDRD_TESTS_JSON_ORACLE_H

#include <stdbool.h>

#include "base/str.h"

bool json_oracle_takes(struct str text);

#endif
