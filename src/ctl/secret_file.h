/* SPDX-License-Identifier: ISC */
/*
 * secret_file.h: reads a secret from a file or standard input, so that no list of processes shows it.
 */
#ifndef CDRD_CTL_SECRET_FILE_H
#define CDRD_CTL_SECRET_FILE_H

#include "admin/args.h"
#include "base/buf.h"
#include "base/error.h"

/*
 * Reads the file that --secret-file names ("-": standard input), without a line end, and uses it as --secret: the
 * daemon never sees the path. `text` holds the secret for as long as the arguments are used; the caller frees it. Does
 * nothing without the option. ERROR_INVALID when --secret was given, too, or the file is too long.
 */
MUST_CHECK int secret_file_take(struct args *args, struct buf *text, struct error *err);

#endif
