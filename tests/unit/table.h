/* table.h - shared by the unit tests: failures that name the row of a table, and small arenas.
 *
 * A test is a table of rows; the label of a row explains a failure.  Do not call these functions in
 * a child process: a failure of cmocka jumps back into the test runner.
 */
#ifndef TABLE_H
#define TABLE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <unistd.h>

#include "base/ctx.h"

#define ROWS(table) (sizeof(table) / sizeof(table)[0])

#define ARENA_SIZE ((size_t)4 << 20) /* bytes; enough for every test */
#define BUSY_MS    60000             /* how much longer a wait may be on a busy machine */

/* Fails with the label of the row and the condition. */
#define DEMAND(label, condition)                                                                   \
	do {                                                                                       \
		if (!(condition))                                                                  \
			fail_msg("%s: false: %s", (label), #condition);                            \
	} while (0)

static inline void
open_ctx(struct ctx *ctx)
{
	if (!ctx_open(ctx, ARENA_SIZE))
		fail_msg("no arena: %s", ctx->reason);
}

/* Both may be NULL. */
static inline void
same_text(const char *label, const char *got, const char *expected)
{
	if ((got == NULL) != (expected == NULL)
	    || (got != NULL && expected != NULL && strcmp(got, expected) != 0))
		fail_msg("%s: \"%s\", not \"%s\"", label, got == NULL ? "(nothing)" : got,
		    expected == NULL ? "(nothing)" : expected);
}

static inline void
same_number(const char *label, long long got, long long expected)
{
	if (got != expected)
		fail_msg("%s: %lld, not %lld", label, got, expected);
}

static inline void
same_bytes(const char *label, const void *got, const void *expected, size_t len)
{
	if (memcmp(got, expected, len) != 0)
		fail_msg("%s: other bytes than expected", label);
}

/* ok is the result of a step: it must be true without a fault, or false with the expected one. */
static inline void
same_fault(const char *label, const struct ctx *ctx, bool ok, enum fault_kind expected)
{
	if (ctx->kind != expected)
		fail_msg("%s: fault %s, not %s; reason \"%s\"", label, fault_name(ctx->kind),
		    fault_name(expected), ctx->reason);
	if (ok != (expected == FAULT_NONE))
		fail_msg("%s: answered %s with fault %s", label, ok ? "true" : "false",
		    fault_name(ctx->kind));
}

static inline void
has_text(const char *label, const char *s, const char *part)
{
	if (strstr(s, part) == NULL)
		fail_msg("%s: \"%s\" is not in \"%s\"", label, part, s);
}

static inline void
has_no_text(const char *label, const char *s, const char *part)
{
	if (strstr(s, part) != NULL)
		fail_msg("%s: \"%s\" is in \"%s\"", label, part, s);
}

/* Whether the rest of the arena's last page is still zero. */
static inline bool
nothing_written_behind(const struct ctx *ctx)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	for (size_t i = ctx->size; i % page != 0; i++)
		if (ctx->arena[i] != '\0')
			return false;
	return true;
}

typedef bool arena_step(struct ctx *ctx, void *arg);

/* Runs step in growing arenas until it succeeds.  In every smaller arena it must report that the
 * arena is full, and write nothing beyond its end; the step itself checks the result when it
 * succeeds. */
static inline void
try_small_arenas(const char *label, arena_step *step, void *arg)
{
	bool ok = false;

	for (size_t size = 1; !ok; size += 1 + size / 64) {
		struct ctx ctx;

		if (size > ARENA_SIZE)
			fail_msg("%s: does not succeed in any arena", label);
		assert_true(ctx_open(&ctx, size));
		ok = step(&ctx, arg);
		if (ctx.kind != (ok ? FAULT_NONE : FAULT_SERVER))
			fail_msg("%s: %s with fault %s in an arena of %zu bytes: %s", label,
			    ok ? "true" : "false", fault_name(ctx.kind), size, ctx.reason);
		if (!nothing_written_behind(&ctx))
			fail_msg("%s: writes behind an arena of %zu bytes", label, size);
		ctx_close(&ctx);
	}
}

/* A line of log_to_stderr behind its time; an empty one as it is. */
static inline const char *
behind_time(const char *label, const char *line)
{
	static const char form[] = "0000-00-00T00:00:00Z ";

	for (size_t i = 0; line[0] != '\0' && form[i] != '\0'; i++)
		if (form[i] == '0' ? line[i] < '0' || line[i] > '9' : line[i] != form[i])
			fail_msg("%s: \"%s\" does not begin with a time", label, line);
	return line[0] == '\0' ? line : line + sizeof form - 1;
}

#endif
