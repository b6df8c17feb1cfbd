/* ndjson.h - appending to a file of JSON lines, a segment of the journal or the dead letters.
 */
#ifndef NDJSON_H
#define NDJSON_H

#include "base/ctx.h"

#include <stddef.h>
#include <stdint.h>

struct ndjson {
	const char *path;
	int fd;
	int64_t size; /* bytes */
	bool torn;    /* the last line has no newline, because its writer was killed */
};

/* Opens the file, which is created if there is none, for appending and reading; the caller closes
 * fd.  Fault: FAULT_STORAGE. */
bool ndjson_open(struct ctx *ctx, const char *path, struct ndjson *file);

/* Appends the line and a newline by one write; a torn line before it is ended by a newline.  A
 * short write is undone by truncation; if that fails, a torn line is left.  Nobody else may append
 * meanwhile.  Fault: FAULT_STORAGE. */
bool ndjson_append(struct ctx *ctx, const struct ndjson *file, const char *line, size_t len);

#endif
