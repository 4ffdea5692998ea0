/* SPDX-License-Identifier: ISC */
/*
 * command_products.c: `products`, which shows the catalog.
 */
#include "admin/command.h"
#include "catalog/describe.h"

void admin_products(const struct admin_context *context, const struct args *args, struct admin_reply *reply)
{
	const char *name = args_get(args, "product");
	const struct catalog_product *product = name ? catalog_product_find(str_from(name)) : NULL;
	struct error err;

	(void)context;
	if (name && !product) {
		error_set(&err, ERROR_NOT_FOUND, "product \"%.64s\": no such product", name);
		admin_reply_error(reply, &err);
		return;
	}
	if (product)
		catalog_write_product(admin_reply_result(reply), product);
	else
		catalog_write_products(admin_reply_result(reply));
	admin_reply_send(reply);
}
