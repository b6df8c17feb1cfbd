/* test_file.c - files that hold secrets are opened only if others cannot read them. */
#include "../../folder.h"

#include "base/file.h"

#include <errno.h>

static void
checks_the_mode(void **state)
{
	static const struct {
		const char *label;
		mode_t mode;
		bool safe;
	} table[] = {
		{ "readable and writable for the owner", 0600, true },
		{ "read-only for the owner", 0400, true },
		{ "readable also for the group", 0640, true },
		{ "read-only for owner and group", 0440, true },
		{ "the group may write", 0660, false },
		{ "the group may execute", 0650, false },
		{ "the group may only write", 0620, false },
		{ "others may read", 0604, false },
		{ "everybody may read", 0644, false },
		{ "others may write", 0602, false },
		{ "others may execute", 0601, false },
		{ "the owner may execute", 0700, false },
		{ "everybody may do everything", 0777, false },
	};
	char path[PATH_SIZE];

	path_in(*state, "secret", path);
	for (size_t i = 0; i < ROWS(table); i++) {
		struct ctx ctx;
		FILE *file;
		bool ok;
		char text[8];

		file_write(path, "secret", 6, table[i].mode);
		open_ctx(&ctx);
		ok = file_open_secret(&ctx, path, &file);
		same_fault(table[i].label, &ctx, ok, table[i].safe ? FAULT_NONE : FAULT_CONFIG);
		if (ok) {
			DEMAND(table[i].label, fgets(text, sizeof text, file) != NULL);
			same_text(table[i].label, text, "secret");
			DEMAND("the descriptor is not inherited by a child program",
			    fcntl(fileno(file), F_GETFD) == FD_CLOEXEC);
			fclose(file);
		} else {
			has_text(table[i].label, ctx.reason, path);
			has_text(table[i].label, ctx.reason, "mode 0");
		}
		assert_int_equal(unlink(path), 0);
		ctx_close(&ctx);
	}
}

static void
opens_only_regular_files(void **state)
{
	static const struct {
		const char *label, *name;
		enum fault_kind expected;
	} table[] = {
		{ "a missing file", "absent", FAULT_CONFIG },
		{ "a folder", "folder", FAULT_CONFIG },
		{ "a pipe without a writer", "pipe", FAULT_CONFIG },
		{ "a missing folder", "absent/secret", FAULT_CONFIG },
		{ "a file instead of a folder", "file/secret", FAULT_CONFIG },
		{ "a link to a file", "link", FAULT_NONE },
		{ "a dangling link", "dangling", FAULT_CONFIG },
		{ "a link to a file that others may read", "open_link", FAULT_CONFIG },
		{ "the folder of the files", "", FAULT_CONFIG },
	};
	char path[PATH_SIZE];
	char other[PATH_SIZE];

	path_in(*state, "folder", path);
	assert_int_equal(mkdir(path, 0600), 0);
	path_in(*state, "pipe", path);
	assert_int_equal(mkfifo(path, 0600), 0);
	path_in(*state, "file", path);
	file_write(path, "secret", 6, 0600);
	path_in(*state, "link", other);
	assert_int_equal(symlink(path, other), 0);
	path_in(*state, "open", path);
	file_write(path, "secret", 6, 0644);
	path_in(*state, "open_link", other);
	assert_int_equal(symlink(path, other), 0);
	path_in(*state, "dangling", other);
	assert_int_equal(symlink("/nonexistent/file", other), 0);

	for (size_t i = 0; i < ROWS(table); i++) {
		struct ctx ctx;
		FILE *file;
		bool ok;

		path_in(*state, table[i].name, path);
		open_ctx(&ctx);
		ok = file_open_secret(&ctx, path, &file);
		same_fault(table[i].label, &ctx, ok, table[i].expected);
		if (ok)
			fclose(file);
		ctx_close(&ctx);
	}
}

static void
never_waits_for_what_is_no_file(void **state)
{
	static const struct {
		const char *label, *name;
		int flags;
		const char *found; /* NULL: it can be opened */
	} table[] = {
		{ "a file to read", "file", O_RDONLY, NULL },
		{ "a file to write", "file", O_WRONLY, NULL },
		{ "a FIFO to read", "pipe", O_RDONLY, "is not a regular file" },
		{ "a FIFO to write", "pipe", O_WRONLY, "is not a regular file" },
		{ "a FIFO for both", "pipe", O_RDWR, "is not a regular file" },
		{ "a device", "null", O_RDWR, "is not a regular file" },
		{ "a folder to read", "folder", O_RDONLY, "Is a directory" },
		{ "a folder to write", "folder", O_WRONLY, "Is a directory" },
		{ "nothing", "absent", O_RDONLY, "No such file or directory" },
	};
	char path[PATH_SIZE];

	path_in(*state, "folder", path);
	assert_int_equal(mkdir(path, 0700), 0);
	path_in(*state, "pipe", path);
	assert_int_equal(mkfifo(path, 0600), 0);
	path_in(*state, "file", path);
	file_write_text(path, "text");
	path_in(*state, "null", path);
	assert_int_equal(symlink("/dev/null", path), 0);

	for (size_t i = 0; i < ROWS(table); i++) {
		int fd;

		path_in(*state, table[i].name, path);
		fd = file_open_regular(path, table[i].flags);
		same_text(table[i].label, fd < 0 ? file_open_error(errno) : NULL, table[i].found);
		if (fd >= 0)
			close(fd);
	}
}

/* Nobody but root and this process's user may be able to change it. */
static void
trusts_what_others_cannot_change(void **state)
{
	static const struct {
		const char *label;
		mode_t mode;
		bool secret, trusted; /* for file_open_secret, and for file_open_trusted */
	} table[] = {
		{ "the owner's alone", 0600, true, true },
		{ "readable for the group", 0640, true, true },
		{ "readable for everybody", 0644, false, true },
		{ "executable", 0755, false, true },
		{ "writable for the group", 0660, false, false },
		{ "writable for the group alone", 0620, false, false },
		{ "writable for others", 0646, false, false },
		{ "writable for others alone", 0602, false, false },
		{ "writable for everybody", 0666, false, false },
	};
	static const struct {
		const char *label;
		uid_t owner; /* relative to this process's user, which root is where we are root */
		bool trusted;
	} owners[] = {
		{ "of this user", 0, true },
		{ "of another user", 1, false },
	};
	char path[PATH_SIZE];

	path_in(*state, "file", path);
	for (size_t i = 0; i < ROWS(table); i++) {
		struct ctx ctx;
		struct stat st;
		FILE *file;
		bool ok;

		file_write(path, "text", 4, table[i].mode);
		open_ctx(&ctx);
		assert_int_equal(stat(path, &st), 0);
		DEMAND(table[i].label, file_trusted(&ctx, &st, path) == table[i].trusted);
		ctx_clear_fault(&ctx);
		ok = file_open_trusted(&ctx, path, &file);
		same_fault(table[i].label, &ctx, ok, table[i].trusted ? FAULT_NONE : FAULT_CONFIG);
		if (ok)
			fclose(file);
		else
			has_text(table[i].label, ctx.reason, "lets other users change it");
		ctx_clear_fault(&ctx);
		ok = file_open_secret(&ctx, path, &file);
		DEMAND(table[i].label, ok == table[i].secret);
		if (ok)
			fclose(file);
		for (size_t o = 0; o < ROWS(owners); o++) {
			st.st_uid = geteuid() + owners[o].owner;
			ctx_clear_fault(&ctx);
			DEMAND(owners[o].label,
			    file_trusted(&ctx, &st, path)
				== (table[i].trusted && owners[o].trusted));
			st.st_uid = 0;
			ctx_clear_fault(&ctx);
			DEMAND("of root", file_trusted(&ctx, &st, path) == table[i].trusted);
		}
		assert_int_equal(unlink(path), 0);
		ctx_close(&ctx);
	}
}

/* Root reads the configuration before it becomes another user.  Others cannot give files away. */
static void
opens_anybodys_secret_for_root(void **state)
{
	char path[PATH_SIZE];
	struct ctx ctx;
	FILE *file;

	if (geteuid() != 0)
		skip();
	path_in(*state, "file", path);
	file_write(path, "text", 4, 0600);
	assert_int_equal(chown(path, 12345, 12345), 0);
	open_ctx(&ctx);
	same_fault("another user's", &ctx, file_open_secret(&ctx, path, &file), FAULT_CONFIG);
	has_text("another user's", ctx.reason, "user 12345");
	ctx_clear_fault(&ctx);
	same_fault("anybody's", &ctx, file_open_anybodys_secret(&ctx, path, &file), FAULT_NONE);
	fclose(file);
	assert_int_equal(chmod(path, 0644), 0);
	same_fault(
	    "its mode counts", &ctx, file_open_anybodys_secret(&ctx, path, &file), FAULT_CONFIG);
	ctx_close(&ctx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(checks_the_mode),
		IN_FOLDER(opens_only_regular_files),
		IN_FOLDER(never_waits_for_what_is_no_file),
		IN_FOLDER(trusts_what_others_cannot_change),
		IN_FOLDER(opens_anybodys_secret_for_root),
	};

	return cmocka_run_group_tests_name("file", tests, NULL, NULL);
}
