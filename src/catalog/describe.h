/* SPDX-License-Identifier: ISC */
/*
 * describe.h: the catalog as JSON, for `cdrctl products` and for GET /v2/reports/products.
 */
#ifndef CDRD_CATALOG_DESCRIBE_H
#define CDRD_CATALOG_DESCRIBE_H

#include "base/json.h"
#include "catalog/catalog.h"

/* An object: the product with its columns and filters, as they stand in the catalog. A filter without known values has
 * an empty list of them. */
void catalog_write_product(struct json *j, const struct catalog_product *product);

/* An array of all products: names, and how much there is to each. */
void catalog_write_products(struct json *j);

#endif
