/* ctx.c - the room is one anonymous mapping, handed out from its start to its end. */
#include "base/ctx.h"

#include <malloc.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define WIPED_WITH 0xa5 /* any byte but 0, which would switch it off */

/* What libraries allocate holds our secrets too, and they free it as it is: GDBM would write it
 * into a file with the next block it leaves in part unused.
 *
 * glibc wipes nothing that it puts into its cache for each thread, blocks of up to 1 KB, and only
 * the environment a program starts with can switch that cache off.  So a process that serves one
 * request after the other is started with WORK_TUNABLES; one that ends with its request need not
 * be. */
static void
wipe_what_is_freed(void)
{
	mallopt(M_PERTURB, WIPED_WITH);
}

bool
work_open(struct work *w, size_t size)
{
	memset(w, 0, sizeof *w);
	wipe_what_is_freed();
	w->room = mmap(
	    NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (w->room == MAP_FAILED)
		return fault(w, FAULT_SERVER, "no memory for a room of %zu bytes", size);
	w->size = size;
	return true;
}

size_t
work_mark(const struct work *w)
{
	return w->used;
}

void
work_release(struct work *w, size_t mark)
{
	explicit_bzero(w->room + mark, w->used - mark);
	w->used = mark;
}

void
work_recover(struct work *w)
{
	explicit_bzero(w->reason, sizeof w->reason);
	w->kind = FAULT_NONE;
	w->retry_after_s = 0;
}

void
work_wipe(struct work *w)
{
	work_release(w, 0);
	work_recover(w);
	explicit_bzero(w->notes, sizeof w->notes);
}

void
work_close(struct work *w)
{
	work_wipe(w);
	for (int i = 0; i < HELPERS; i++)
		if (w->helpers[i].running)
			close(w->helpers[i].fd);
	munmap(w->room, w->size);
	w->room = NULL;
	w->size = 0;
}

void
work_fault(struct work *w, enum fault_kind kind, const char *format, ...)
{
	va_list args;

	if (w->kind != FAULT_NONE)
		return;
	w->kind = kind;
	va_start(args, format);
	vsnprintf(w->reason, sizeof w->reason, format, args);
	va_end(args);
}

/* What is left of the room, from the next byte that is aligned as asked. */
static char *
room_left(struct work *w, size_t alignment, size_t *left)
{
	size_t start = (w->used + alignment - 1) / alignment * alignment;

	if (start > w->size)
		start = w->size;
	*left = w->size - start;
	return w->room + start;
}

bool
work_alloc(struct work *w, size_t size, void *out)
{
	size_t left;
	char *at = room_left(w, alignof(max_align_t), &left);

	if (size > left)
		return fault(w, FAULT_SERVER, "the room of %zu bytes is full", w->size);
	w->used = (size_t)(at - w->room) + size;
	memcpy(out, &at, sizeof at);
	return true;
}

bool
work_copy(struct work *w, const char *s, size_t len, const char **out)
{
	char *copy;

	if (!work_alloc(w, len + 1, &copy))
		return false;
	memcpy(copy, s, len);
	copy[len] = '\0';
	*out = copy;
	return true;
}

bool
work_print(struct work *w, const char **out, const char *format, ...)
{
	char *at;
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (len < 0 || !work_alloc(w, (size_t)len + 1, &at))
		return fault(w, FAULT_SERVER, "a text cannot be printed");
	va_start(args, format);
	vsnprintf(at, (size_t)len + 1, format, args);
	va_end(args);
	*out = at;
	return true;
}

void
text_begin(struct work *w, struct text *t)
{
	t->w = w;
	t->start = w->room + w->used;
	t->len = 0;
	t->full = false;
}

static char *
text_full(struct text *t)
{
	t->full = true;
	work_fault(t->w, FAULT_SERVER, "the room of %zu bytes is full", t->w->size);
	return NULL;
}

/* Room for len more bytes behind the text, which moves when something else was put behind it. */
static char *
text_extend(struct text *t, size_t len)
{
	struct work *w = t->w;
	bool at_end = t->start + t->len == w->room + w->used;
	size_t left;
	char *end = room_left(w, 1, &left);

	if (t->full || left < len || (!at_end && left - len < t->len))
		return text_full(t);
	if (!at_end) {
		t->start = memcpy(end, t->start, t->len);
		w->used += t->len;
	}
	end = t->start + t->len;
	w->used += len;
	t->len += len;
	return end;
}

void
text_add_bytes(struct text *t, const void *bytes, size_t len)
{
	char *end = text_extend(t, len);

	if (end != NULL)
		memcpy(end, bytes, len);
}

void
text_add(struct text *t, const char *s)
{
	text_add_bytes(t, s, strlen(s));
}

void
text_add_char(struct text *t, char c)
{
	text_add_bytes(t, &c, 1);
}

void
text_print(struct text *t, const char *format, ...)
{
	va_list args;
	int len;
	char *end;

	va_start(args, format);
	len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (len < 0 || (end = text_extend(t, (size_t)len + 1)) == NULL)
		return;
	va_start(args, format);
	vsnprintf(end, (size_t)len + 1, format, args);
	va_end(args);
	t->len--; /* the NUL is not part of the text */
	t->w->used--;
}

bool
text_end(struct text *t, const char **out)
{
	text_add_char(t, '\0');
	*out = t->start;
	return !t->full;
}
