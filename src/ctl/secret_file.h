/* SPDX-License-Identifier: ISC */
/*
 * secret_file.h: a secret out of a file or standard input, so that it stands in no list of processes.
 */
#ifndef CDRD_CTL_SECRET_FILE_H
#define CDRD_CTL_SECRET_FILE_H

#include "admin/args.h"
#include "base/buf.h"
#include "base/error.h"

/*
 * Reads the file that --secret-file names ("-": standard input), less a line end, and puts it in the place of --secret:
 * the daemon never sees the path. `text` holds the secret for as long as the arguments are used; the caller frees it.
 * Does nothing when the option was not given. ERROR_INVALID when --secret was given, too, or for a file too long.
 */
MUST_CHECK int secret_file_take(struct args *args, struct buf *text, struct error *err);

#endif
