/* fcgi_listener.c - see fcgi_listener.h. */
#include "web/fcgi_listener.h"

#include "helper/helper.h"
#include "web/fcgi_peer.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

static bool
is_ignored(int signal)
{
	struct sigaction action;

	return sigaction(signal, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

/* A signal that was ignored when the process started stays ignored, as with nohup. */
static bool
block_signals(struct fcgi_listener *l)
{
	static const int terminating[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1 };
	const struct sigaction default_action = { .sa_handler = SIG_DFL };
	sigset_t blocked;

	sigemptyset(&blocked);
	for (size_t i = 0; i < sizeof terminating / sizeof *terminating; i++)
		if (!is_ignored(terminating[i]))
			sigaddset(&blocked, terminating[i]);
	sigaddset(&blocked, SIGCHLD);
	sigaction(SIGCHLD, &default_action, NULL);
	l->signals = signalfd(-1, &blocked, SFD_NONBLOCK | SFD_CLOEXEC);
	return l->signals >= 0 && sigprocmask(SIG_BLOCK, &blocked, NULL) == 0;
}

/* Another process may accept the connection that woke this one; accept must not block then. */
static bool
set_nonblocking(int socket)
{
	int flags = fcntl(socket, F_GETFL);

	return flags >= 0 && fcntl(socket, F_SETFL, flags | O_NONBLOCK) == 0;
}

bool
fcgi_listener_open(struct ctx *ctx, struct fcgi_listener *l, int socket)
{
	*l = (struct fcgi_listener){ .socket = socket, .signals = -1 };
	if (block_signals(l) && set_nonblocking(socket)) {
		helper_reap(ctx); /* SIGCHLD may have come before the signalfd was there */
		return true;
	}
	ctx_fault(ctx, FAULT_SERVER, "cannot listen: %s", strerror(errno));
	fcgi_listener_close(l);
	return false;
}

void
fcgi_listener_close(struct fcgi_listener *l)
{
	if (l->signals >= 0)
		close(l->signals);
}

static void
set_timeouts(int connection, const struct sockaddr_storage *peer)
{
	const struct timeval timeout = { .tv_sec = FCGI_LISTENER_STALL_S };
	const int on = 1;

	setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
	setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
	if (peer->ss_family == AF_INET || peer->ss_family == AF_INET6)
		setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

/* *connection is -1 if the peer is gone or not allowed.  False: the socket is unusable. */
static bool
accept_connection(const struct fcgi_listener *l, int *connection)
{
	struct sockaddr_storage peer = { 0 };
	socklen_t len = sizeof peer;

	*connection = accept4(l->socket, (struct sockaddr *)&peer, &len, SOCK_CLOEXEC);
	if (*connection < 0)
		return errno == EAGAIN || errno == EINTR || errno == ECONNABORTED
		    || errno == EPROTO;
	if (!fcgi_peer_allowed(getenv("FCGI_WEB_SERVER_ADDRS"), &peer)) {
		close(*connection);
		*connection = -1;
	} else
		set_timeouts(*connection, &peer);
	return true;
}

static void
read_signals(struct fcgi_listener *l, struct ctx *ctx)
{
	struct signalfd_siginfo info;

	while (read(l->signals, &info, sizeof info) == sizeof info)
		if (info.ssi_signo == SIGCHLD)
			helper_reap(ctx);
		else
			l->ending = true;
}

bool
fcgi_listener_wait(struct fcgi_listener *l, struct ctx *ctx, int *connection)
{
	bool is_new = false;

	for (;;) {
		struct pollfd ready[] = {
			{ .fd = l->signals, .events = POLLIN },
			{ .fd = *connection < 0 ? l->socket : *connection, .events = POLLIN },
		};
		int timeout_ms = is_new ? FCGI_LISTENER_SILENT_MS : l->ending ? 0 : -1;
		int found = poll(ready, 2, timeout_ms);

		if (found < 0 && errno != EINTR)
			return false;
		if (ready[0].revents != 0)
			read_signals(l, ctx);
		if (*connection >= 0 && ready[1].revents != 0)
			return true;
		if (l->ending && !is_new)
			return false;
		if (is_new && found == 0) {
			close(*connection);
			*connection = -1;
			is_new = false;
		} else if (*connection < 0 && ready[1].revents != 0) {
			if (!accept_connection(l, connection))
				return false;
			is_new = *connection >= 0;
		}
	}
}
