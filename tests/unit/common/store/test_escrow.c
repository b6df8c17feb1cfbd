/* test_escrow.c - a slot holds its text until it was used, and is free in any other case. */
#include "../../child.h"
#include "../../setup.h"

#include "store/escrow.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <sys/resource.h>
#include <unistd.h>

static int entries = -1; /* how many are read before an error; -1: all */

/* In place of the C library's. */
struct dirent *
readdir(DIR *directory)
{
	struct dirent *(*original)(DIR *);

	if (entries == 0) {
		errno = EIO;
		return NULL;
	}
	entries -= entries > 0;
	*(void **)&original = dlsym(RTLD_NEXT, "readdir");
	return original(directory);
}

struct seen {
	int count;
	int number;
	char text[64];
	struct first_reason unreadable;
};

static bool
note(struct ctx *ctx, void *arg, int number, const char *text)
{
	struct seen *seen = arg;

	(void)ctx;
	seen->count++;
	seen->number = number;
	snprintf(seen->text, sizeof seen->text, "%s", text);
	return true;
}

static struct seen
look(struct setup *s)
{
	struct seen seen = { 0 };

	if (!escrow_each(&s->ctx, &s->cfg.store, note, &seen, &seen.unreadable))
		fail_msg("%s", s->ctx.reason);
	return seen;
}

static void
keep(struct setup *s, const char *text)
{
	struct lock slot;

	if (!escrow_reserve(&s->ctx, &s->cfg.store, ESCROW_SLOTS, &slot)
	    || !escrow_write(&s->ctx, &slot, text, true))
		fail_msg("%s", s->ctx.reason);
	escrow_release(&slot);
}

struct use {
	bool ok;
	int count;
};

static bool
use(struct ctx *ctx, void *arg, const char *text)
{
	struct use *use = arg;

	use->count++;
	same_text("the text that is used", text, "one");
	return use->ok || fault(ctx, FAULT_STORAGE, "the place fails still");
}

static void
keeps_a_text_until_it_is_used(void **state)
{
	struct use failing = { false, 0 };
	struct use working = { true, 0 };
	struct setup s;
	struct seen seen;

	setup_open(&s, *state, CONNECTIONS_SHARED);
	same_number("without a directory", look(&s).count, 0);
	keep(&s, "one");
	seen = look(&s);
	same_number("after it was written", seen.count, 1);
	same_text("its text", seen.text, "one");
	same_fault("used in vain", &s.ctx,
	    escrow_take(&s.ctx, &s.cfg.store, seen.number, 1000, use, &failing), FAULT_STORAGE);
	ctx_clear_fault(&s.ctx);
	same_number("after it was used in vain", look(&s).count, 1);
	assert_true(escrow_take(&s.ctx, &s.cfg.store, seen.number, 1000, use, &working));
	same_number("after it was used", look(&s).count, 0);
	assert_true(escrow_take(&s.ctx, &s.cfg.store, seen.number, 1000, use, &working));
	same_number("a free slot is not used", working.count, 1);
	keep(&s, "two");
	same_number("the slot is reused", look(&s).number, seen.number);
	setup_close(&s);
}

static void
limits_a_text(void **state)
{
	static const struct {
		const char *label;
		size_t len;
		enum fault_kind expected;
	} table[] = {
		{ "empty", 0, FAULT_NONE },
		{ "the longest", ESCROW_TEXT_MAX, FAULT_NONE },
		{ "a byte more", ESCROW_TEXT_MAX + 1, FAULT_SERVER },
	};
	struct setup s;

	setup_open(&s, *state, CONNECTIONS_SHARED);
	for (size_t i = 0; i < ROWS(table); i++) {
		char *text = calloc(1, table[i].len + 1);
		struct lock slot;

		assert_non_null(text);
		memset(text, 'x', table[i].len);
		assert_true(escrow_reserve(&s.ctx, &s.cfg.store, ESCROW_SLOTS, &slot));
		same_fault(table[i].label, &s.ctx, escrow_write(&s.ctx, &slot, text, true),
		    table[i].expected);
		ctx_clear_fault(&s.ctx);
		escrow_release(&slot);
		free(text);
	}
	same_number("texts that were kept", look(&s).count, 2);
	setup_close(&s);
}

static void
has_a_limit_of_slots(void **state)
{
	static struct lock slots[ESCROW_SLOTS];
	struct lock another;
	struct setup s;

	setup_open(&s, *state, CONNECTIONS_SHARED);
	keep(&s, "one");
	for (int i = 1; i < ESCROW_SLOTS; i++)
		if (!escrow_reserve(&s.ctx, &s.cfg.store, ESCROW_SLOTS, &slots[i]))
			fail_msg("slot %d: %s", i, s.ctx.reason);
	same_fault("one more", &s.ctx, escrow_reserve(&s.ctx, &s.cfg.store, ESCROW_SLOTS, &another),
	    FAULT_STORAGE);
	ctx_clear_fault(&s.ctx);
	escrow_release(&slots[5]);
	assert_true(escrow_reserve(&s.ctx, &s.cfg.store, ESCROW_SLOTS, &another));
	escrow_release(&another);
	for (int i = 1; i < ESCROW_SLOTS; i++)
		if (i != 5)
			escrow_release(&slots[i]);
	setup_close(&s);
}

static void
keeps_slots_for_refreshes(void **state)
{
	static struct lock slots[ESCROW_SLOTS_EXCHANGE];
	struct lock another;
	struct setup s;

	setup_open(&s, *state, CONNECTIONS_SHARED);
	for (int i = 0; i < ESCROW_SLOTS_EXCHANGE; i++)
		if (!escrow_reserve(&s.ctx, &s.cfg.store, ESCROW_SLOTS_EXCHANGE, &slots[i]))
			fail_msg("slot %d: %s", i, s.ctx.reason);
	same_fault("one more exchange", &s.ctx,
	    escrow_reserve(&s.ctx, &s.cfg.store, ESCROW_SLOTS_EXCHANGE, &another), FAULT_STORAGE);
	ctx_clear_fault(&s.ctx);
	assert_true(escrow_reserve(&s.ctx, &s.cfg.store, ESCROW_SLOTS, &another));
	escrow_release(&another);
	for (int i = 0; i < ESCROW_SLOTS_EXCHANGE; i++)
		escrow_release(&slots[i]);
	setup_close(&s);
}

static void
is_free_after_it_was_erased(void **state)
{
	struct lock slot;
	struct setup s;

	setup_open(&s, *state, CONNECTIONS_SHARED);
	assert_true(escrow_reserve(&s.ctx, &s.cfg.store, ESCROW_SLOTS, &slot));
	assert_true(escrow_write(&s.ctx, &slot, "one", false));
	same_text("before the sync", look(&s).text, "one");
	escrow_erase(&slot);
	escrow_release(&slot);
	same_number("after it was erased", look(&s).count, 0);
	setup_close(&s);
}

static bool
write_and_be_killed(void *arg)
{
	struct setup *s = arg;
	struct lock slot;

	if (escrow_reserve(&s->ctx, &s->cfg.store, ESCROW_SLOTS, &slot)
	    && escrow_write(&s->ctx, &slot, "one", false))
		kill(getpid(), SIGKILL);
	return false;
}

static void
keeps_the_text_of_a_killed_process(void **state)
{
	struct use working = { true, 0 };
	struct setup s;
	int status;

	setup_open(&s, *state, CONNECTIONS_SHARED);
	status = child_status(child_start(write_and_be_killed, &s));
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_true(escrow_take(&s.ctx, &s.cfg.store, look(&s).number, 1000, use, &working));
	same_number("it was used", working.count, 1);
	setup_close(&s);
}

static bool
reserve_and_be_killed(void *arg)
{
	struct setup *s = arg;
	struct lock slot;

	if (escrow_reserve(&s->ctx, &s->cfg.store, ESCROW_SLOTS, &slot))
		kill(getpid(), SIGKILL);
	return false;
}

static void
frees_the_slot_of_a_killed_process(void **state)
{
	char path[PATH_SIZE];
	struct setup s;
	int status;

	setup_open(&s, *state, CONNECTIONS_SHARED);
	status = child_status(child_start(reserve_and_be_killed, &s));
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	keep(&s, "one");
	same_number("the slot is used", look(&s).number, 0);
	path_in(*state, "escrow", path);
	same_number("slots", folder_count(path, "000") + folder_count(path, "001"), 1);
	setup_close(&s);
}

/* A writer that was killed, or a disk that lies, leaves something that is not a text. */
static void
ignores_a_damaged_slot(void **state)
{
	char path[PATH_SIZE];
	struct setup s;
	uint8_t *bytes;
	size_t len;

	setup_open(&s, *state, CONNECTIONS_SHARED);
	keep(&s, "one");
	path_in(*state, "escrow/000", path);
	bytes = file_read(path, &len);
	for (size_t at = 0; at < 47; at++) {
		bytes[at] ^= 1;
		file_write(path, bytes, len, 0600);
		bytes[at] ^= 1;
		if (look(&s).count != 0)
			fail_msg("the byte %zu is not checked", at);
	}
	file_write(path, bytes, len, 0600);
	same_number("whole again", look(&s).count, 1);
	for (size_t cut = 0; cut < 47; cut++) {
		file_write(path, bytes, cut, 0600);
		if (look(&s).count != 0)
			fail_msg("cut to %zu bytes, it is taken", cut);
	}
	free(bytes);
	keep(&s, "two");
	same_text("it is reused", look(&s).text, "two");
	setup_close(&s);
}

static void
passes_a_slot_that_is_no_file(void **state)
{
	char path[PATH_SIZE];
	struct lock slot;
	struct setup s;

	setup_open(&s, *state, CONNECTIONS_SHARED);
	path_in(*state, "escrow", path);
	assert_int_equal(mkdir(path, 0700), 0);
	path_in(*state, "escrow/000", path);
	assert_int_equal(mkfifo(path, 0600), 0);
	same_number("a FIFO holds no text", look(&s).count, 0);
	same_fault("a FIFO", &s.ctx, escrow_reserve(&s.ctx, &s.cfg.store, 1, &slot), FAULT_STORAGE);
	has_text("a FIFO", s.ctx.reason, "escrow/000: is not a regular file");
	ctx_clear_fault(&s.ctx);
	if (!escrow_reserve(&s.ctx, &s.cfg.store, ESCROW_SLOTS, &slot))
		fail_msg("the next slot: %s", s.ctx.reason);
	escrow_release(&slot);
	setup_close(&s);
}

/* Reading the memory of this process at offset 0 fails with EIO, as of a bad disk. */
static void
tells_a_slot_that_cannot_be_read_from_a_free_one(void **state)
{
	struct use working = { true, 0 };
	char path[PATH_SIZE];
	struct lock slot;
	struct setup s;
	struct seen seen;

	setup_open(&s, *state, CONNECTIONS_SHARED);
	keep(&s, "zero");
	keep(&s, "one");
	path_in(*state, "escrow/000", path);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/proc/self/mem", path), 0);
	seen = look(&s);
	same_number("the others", seen.count, 1);
	same_number("unreadable", (long long)seen.unreadable.count, 1);
	has_text("unreadable", seen.unreadable.text, "escrow/000: cannot be read");
	same_fault("to be used", &s.ctx, escrow_take(&s.ctx, &s.cfg.store, 0, 1000, use, &working),
	    FAULT_STORAGE);
	same_number("used", working.count, 0);
	ctx_clear_fault(&s.ctx);
	same_fault("to be reserved", &s.ctx, escrow_reserve(&s.ctx, &s.cfg.store, 1, &slot),
	    FAULT_STORAGE);
	setup_close(&s);
}

static void
tells_a_directory_that_cannot_be_read_from_an_empty_one(void **state)
{
	struct setup s;

	setup_open(&s, *state, CONNECTIONS_SHARED);
	keep(&s, "one");
	for (int i = 0; i < 3; i++) {
		struct seen seen = { 0 };
		bool ok;

		entries = i;
		ok = escrow_each(&s.ctx, &s.cfg.store, note, &seen, &seen.unreadable);
		entries = -1;
		same_fault("an error", &s.ctx, ok, FAULT_STORAGE);
		has_text("an error", s.ctx.reason, "escrow: ");
		ctx_clear_fault(&s.ctx);
	}
	same_number("without an error", look(&s).count, 1);
	setup_close(&s);
}

/* A full disk must not matter after a slot is reserved. */
static void
writes_without_opening_or_growing_a_file(void **state)
{
	struct rlimit before;
	struct rlimit none;
	struct lock slot;
	struct setup s;
	bool ok;

	setup_open(&s, *state, CONNECTIONS_SHARED);
	assert_true(escrow_reserve(&s.ctx, &s.cfg.store, ESCROW_SLOTS, &slot));
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){ 0, before.rlim_max };
	setrlimit(RLIMIT_NOFILE, &none);
	ok = escrow_write(&s.ctx, &slot, "one", true);
	setrlimit(RLIMIT_NOFILE, &before);
	assert_true(ok);
	escrow_release(&slot);
	same_text("it is kept", look(&s).text, "one");
	setup_close(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(keeps_a_text_until_it_is_used),
		IN_FOLDER(limits_a_text),
		IN_FOLDER(has_a_limit_of_slots),
		IN_FOLDER(keeps_slots_for_refreshes),
		IN_FOLDER(is_free_after_it_was_erased),
		IN_FOLDER(keeps_the_text_of_a_killed_process),
		IN_FOLDER(frees_the_slot_of_a_killed_process),
		IN_FOLDER(ignores_a_damaged_slot),
		IN_FOLDER(passes_a_slot_that_is_no_file),
		IN_FOLDER(tells_a_slot_that_cannot_be_read_from_a_free_one),
		IN_FOLDER(tells_a_directory_that_cannot_be_read_from_an_empty_one),
		IN_FOLDER(writes_without_opening_or_growing_a_file),
	};

	return cmocka_run_group_tests_name("escrow", tests, NULL, NULL);
}
