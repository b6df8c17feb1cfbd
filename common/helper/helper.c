/* helper.c - the caller's end; see helper.h.  The helper's end is helper_server.c. */
#include "helper/helper.h"

#include "base/clock.h"
#include "base/signals.h"
#include "helper/helper_fault.h"
#include "helper/helper_start_fault.h"
#include "text/json.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef LIBEXEC_PATH
#define LIBEXEC_PATH "/usr/local/lib/amo-crm/libexec"
#endif

#define STATUS_NOT_LOADED 127

#define CHUNK_SIZE      16384 /* bytes; most replies are shorter */
#define READ_ERRORS_MAX 8     /* of one reply; more do not pass */

static const char *const programs[HELPERS] = {
	[HELPER_HTTPS] = "amo-crm-https",
	[HELPER_CRYPTO] = "amo-crm-crypto",
	[HELPER_POSTGRESQL] = "amo-crm-postgresql",
};

/* The longest reply of each, in bytes. */
static const size_t reply_max[HELPERS] = {
	[HELPER_HTTPS] = 512 << 10,     /* 64 KiB of body, each byte at worst a \u escape */
	[HELPER_CRYPTO] = 512 << 10,    /* two tokens of 16 KB */
	[HELPER_POSTGRESQL] = 48 << 20, /* an event of 32 MiB in base64url, or a page of others */
};

/* Looks beside the folder of the programs, as they are built and installed; in that folder, where
 * they may have been unpacked by hand; and in LIBEXEC_PATH. */
static bool
find_program(struct ctx *ctx, enum helper which, const char **path)
{
	char self[4096];
	ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
	const char *const folders[][2] = {
		{ self, "/../libexec" },
		{ self, "" },
		{ LIBEXEC_PATH, "" },
	};
	const char *denied = NULL;
	int error = 0;
	char *slash;

	self[len > 0 ? len : 0] = '\0';
	slash = strrchr(self, '/');
	if (slash != NULL)
		*slash = '\0';
	for (size_t i = slash == NULL ? 2 : 0; i < sizeof folders / sizeof *folders; i++) {
		if (!ctx_printf(
			ctx, path, "%s%s/%s", folders[i][0], folders[i][1], programs[which]))
			return false;
		if (access(*path, X_OK) == 0)
			return true;
		if (denied == NULL && errno != ENOENT && errno != ENOTDIR) {
			denied = *path;
			error = errno;
		}
	}
	if (denied != NULL)
		return helper_start_denied(ctx, denied, error);
	return fault(ctx, FAULT_CONFIG,
	    "%s is neither beside the programs nor at %s: install or upload it again",
	    programs[which], *path);
}

/* A signal to the whole process group, as by Ctrl-C, is left to the caller: a helper that it killed
 * could lose tokens it has just received.  SIGALRM must not be ignored, since helper_server.c
 * relies on it. */
static void
set_signals(posix_spawnattr_t *attributes)
{
	sigset_t blocked;
	sigset_t defaulted;

	signals_blocked_set(&blocked);
	sigemptyset(&defaulted);
	sigaddset(&defaulted, SIGALRM);
	posix_spawnattr_setsigmask(attributes, &blocked);
	posix_spawnattr_setsigdefault(attributes, &defaulted);
	posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

static int
spawn(int *pid, const char *path, int socket, char *const *argv, char *const *envp)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int error;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, socket, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, socket, STDOUT_FILENO);
	posix_spawnattr_init(&attributes);
	set_signals(&attributes);
	error = posix_spawn(pid, path, &actions, &attributes, argv, envp);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return error;
}

/* The environment holds only what makes malloc overwrite freed memory (see ctx.c): libcurl would
 * take proxies, certificates and a file for key logs from it. */
static bool
start(struct ctx *ctx, enum helper which)
{
	struct helper_process *helper = &ctx->helpers[which];
	char name[] = "amo-crm-postgresql"; /* large enough for each */
	char *const argv[] = { name, NULL };
	char tunables[] = CTX_TUNABLES;
	char *const envp[] = { tunables, NULL };
	const char *path;
	int sockets[2];
	int error;

	if (!find_program(ctx, which, &path))
		return false;
	memcpy(name, programs[which], strlen(programs[which]) + 1);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0)
		return fault(ctx, FAULT_SERVER, "cannot create a socket pair: %s", strerror(errno));
	error = spawn(&helper->pid, path, sockets[1], argv, envp);
	close(sockets[1]);
	if (error != 0) {
		close(sockets[0]);
		return helper_start_failed(ctx, path, error);
	}
	helper->fd = sockets[0];
	helper->running = true;
	return true;
}

void
helper_start(struct ctx *ctx, enum helper which)
{
	bool faulty = ctx->kind != FAULT_NONE;

	if (!ctx->helpers[which].running && !start(ctx, which) && !faulty)
		ctx_clear_fault(ctx);
}

/* Returns the status of waitpid: how it ended, if it had done so before. */
static int
kill_helper(struct helper_process *helper)
{
	int status = 0;

	close(helper->fd);
	kill(helper->pid, SIGKILL);
	while (waitpid(helper->pid, &status, 0) < 0 && errno == EINTR)
		;
	helper->running = false;
	return status;
}

/* The fault of a helper that ended too early; always false.  Status 127 is the dynamic linker's,
 * before main. */
static bool
ended_early(struct ctx *ctx, enum helper which)
{
	int status = kill_helper(&ctx->helpers[which]);

	if (WIFEXITED(status) && WEXITSTATUS(status) == STATUS_NOT_LOADED)
		return fault(ctx, FAULT_SERVER,
		    "%s cannot start: a library that it needs is missing, or there is no memory "
		    "to load it",
		    programs[which]);
	if (WIFEXITED(status) && WEXITSTATUS(status) == HELPER_NO_MEMORY)
		return fault(ctx, FAULT_SERVER, "%s has no memory to start", programs[which]);
	if (WIFSIGNALED(status))
		return fault(ctx, FAULT_REPLY_LOST, "%s ended without a reply, by signal %d",
		    programs[which], WTERMSIG(status));
	return fault(ctx, FAULT_REPLY_LOST, "%s exited without a reply", programs[which]);
}

/* False: the helper ended since its last reply, and has not read the request. */
static bool
send_line(int fd, const char *line)
{
	size_t left = strlen(line);

	while (left > 0) {
		ssize_t n = send(fd, line, left, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			return false;
		line += n < 0 ? 0 : n;
		left -= n < 0 ? 0 : (size_t)n;
	}
	return true;
}

static bool
send_request(struct ctx *ctx, enum helper which, const char *line)
{
	struct helper_process *helper = &ctx->helpers[which];

	if (helper->running && send_line(helper->fd, line))
		return true;
	if (helper->running)
		kill_helper(helper);
	if (!start(ctx, which))
		return false;
	if (send_line(helper->fd, line))
		return true;
	(void)ended_early(ctx, which);
	if (ctx->kind == FAULT_REPLY_LOST)
		ctx->kind = FAULT_SERVER; /* it has not read the request */
	return false;
}

/* After an error of read, such as a signal, the reply still waits to be read. */
static bool
read_line(struct ctx *ctx, enum helper which, int64_t deadline_ms, const char **line)
{
	char buffer[CHUNK_SIZE];
	struct strbuf sb;
	ssize_t n = 0;
	int errors = 0;

	strbuf_init(ctx, &sb);
	while (n == 0 || buffer[n - 1] != '\n') {
		struct pollfd ready = { .fd = ctx->helpers[which].fd, .events = POLLIN };
		int64_t left_ms = deadline_ms - clock_ms();
		int polled = left_ms <= 0 ? 0 : poll(&ready, 1, (int)left_ms);

		if (polled == 0)
			return fault(
			    ctx, FAULT_REPLY_LOST, "%s did not reply in time", programs[which]);
		n = polled < 0 ? -1 : read(ready.fd, buffer, sizeof buffer);
		if (n < 0 && ++errors <= READ_ERRORS_MAX) {
			n = 0;
			continue;
		}
		if (n <= 0)
			return ended_early(ctx, which);
		if (sb.len + (size_t)n > reply_max[which])
			return fault(ctx, FAULT_REPLY_LOST, "%s replies with over %zu bytes",
			    programs[which], reply_max[which]);
		strbuf_add(&sb, buffer, (size_t)n);
	}
	explicit_bzero(buffer, sizeof buffer);
	return strbuf_finish(&sb, line);
}

static bool
check_reply(struct ctx *ctx, enum helper which, const struct json_object *reply)
{
	if (reply == NULL)
		return fault(
		    ctx, FAULT_SERVER, "%s sent a line that is not a reply", programs[which]);
	return helper_fault_decode(ctx, reply);
}

struct json_object *
helper_request(struct ctx *ctx, enum helper which, const char *line, int64_t deadline_ms)
{
	struct json_object *reply;
	const char *reply_line;
	size_t mark;

	if (!send_request(ctx, which, line))
		return NULL;
	mark = arena_mark(ctx);
	if (!read_line(ctx, which, deadline_ms, &reply_line)) {
		/* a late reply would be taken for the next request's */
		if (ctx->helpers[which].running)
			kill_helper(&ctx->helpers[which]);
		return NULL;
	}
	reply = json_parse(reply_line, strlen(reply_line));
	arena_rewind(ctx, mark);
	if (check_reply(ctx, which, reply))
		return reply;
	json_object_put(reply);
	return NULL;
}

/* Waits for any child: a program that has restarted itself by exec has children that it does not
 * know. */
void
helper_reap(struct ctx *ctx)
{
	pid_t ended;

	while ((ended = waitpid(-1, NULL, WNOHANG)) > 0)
		for (int i = 0; i < HELPERS; i++)
			if (ctx->helpers[i].running && ctx->helpers[i].pid == ended) {
				close(ctx->helpers[i].fd);
				ctx->helpers[i].running = false;
			}
}
