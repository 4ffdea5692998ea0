/* SPDX-License-Identifier: ISC */
/*
 * products.c: GET /v2/reports/products and /v2/reports/products/{name}, what can be queried: each product's columns
 * with their kinds, and its filters with their values, as the catalog has them.
 */
#include "api/routes.h"
#include "base/json.h"
#include "catalog/describe.h"

#define NAME_SHOWN 64

void api_products_get(struct http_request *request, void *app)
{
	struct buf body = { 0 };
	struct json json = json_to(&body);

	(void)app;
	json_object_begin(&json);
	json_member_uint(&json, "items_count", catalog_products_count);
	json_key(&json, "products");
	catalog_write_products(&json);
	json_object_end(&json);
	http_reply(request, 200, "application/json", &body);
}

static void reply_unknown(struct http_request *request, struct str name)
{
	struct buf detail = { 0 };

	if (name.len > NAME_SHOWN)
		name.len = NAME_SHOWN;
	buf_addf(&detail, "Product %.*s does not exist; GET /v2/reports/products lists those that do.", STR_ARGS(name));
	http_reply_problem(request, 404, "Invalid product", buf_cstr(&detail));
	buf_free(&detail);
}

void api_product_get(struct http_request *request, void *app)
{
	struct str name = http_request_segment(request);
	const struct catalog_product *product = catalog_product_find(name);
	struct buf body = { 0 };
	struct json json = json_to(&body);

	(void)app;
	if (!product) {
		reply_unknown(request, name);
		return;
	}
	catalog_write_product(&json, product);
	http_reply(request, 200, "application/json", &body);
}
