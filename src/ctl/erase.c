/* SPDX-License-Identifier: ISC */
/*
 * erase.c: `cdrctl erase`, whose result can be kept as a receipt: what was erased, when, by whom, and how much of it
 * there was, but not the number itself. The file is made before anything is erased, so that no erasure lacks its
 * receipt.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/directory.h"
#include "ctl/ctl.h"

struct receipt {
	FILE *file; /* NULL when none is wanted */
	bool written;
};

static int take_answer(void *arg, const struct ctl *ctl, struct str result, struct error *err)
{
	struct receipt *receipt = arg;

	if (receipt->file && ctl_print_to(receipt->file, ctl, result, err) != 0)
		return -1;
	if (receipt->file && (fflush(receipt->file) != 0 || fsync(fileno(receipt->file)) != 0))
		return error_set_errno(err, errno, "%s: write", args_get(ctl->args, "receipt"));
	if (receipt->file && directory_sync_parent(args_get(ctl->args, "receipt"), err) != 0)
		return -1;
	receipt->written = true;
	return ctl_print(ctl, result, err);
}

int ctl_erase(const struct ctl *ctl, struct error *err)
{
	const char *path = args_get(ctl->args, "receipt");
	struct receipt receipt = { NULL, false };

	if (path) {
		int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

		receipt.file = fd >= 0 ? fdopen(fd, "w") : NULL;
		if (!receipt.file)
			return error_set_errno(err, errno, "%s: make", path);
	}
	int result = ctl_run(ctl, take_answer, &receipt, err);
	if (receipt.file)
		fclose(receipt.file);
	if (path && !receipt.written)
		unlink(path);
	return result;
}
