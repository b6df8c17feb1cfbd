/* load.c - sends one request repeatedly and measures the time until each response.
 *
 *   load fastcgi PATH COUNT AT_ONCE < request     a new connection each, as web servers do
 *   load http    PORT COUNT AT_ONCE < request     kept connections, on loopback
 *
 * The request is sent unchanged: FastCGI records, or the text of an HTTP/1.1 request.  It prints
 *
 *   <responses with status 2xx or 3xx> <seconds> <median us> <99th percentile us>
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define REQUEST_MAX 65536  /* bytes */
#define ANSWER_MAX  262144 /* bytes; the redirect page is under 16 KB */
#define AT_ONCE_MAX 256
#define STALL_MS    20000 /* without any response */

struct connection {
	int fd; /* -1: none */
	size_t sent;
	size_t len;
	int64_t began_ns;
	char answer[ANSWER_MAX + 1];
};

struct load {
	bool is_http;
	const char *where;
	char request[REQUEST_MAX];
	size_t request_len;
	long count;
	long begun;
	long done;
	long good;
	int64_t *took_ns; /* the time of each completed request */
	int epoll;
};

static int64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void
give_up(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

static int
connect_http(const char *port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)strtoul(port, NULL, 10)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int on = 1;

	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
		give_up("connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	return fd;
}

static int
connect_fastcgi(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof address.sun_path) {
		errno = ENAMETOOLONG;
		give_up(path);
	}
	memcpy(address.sun_path, path, strlen(path) + 1);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
		give_up("connect");
	return fd;
}

static void
watch(const struct load *load, struct connection *c)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = c };

	if (epoll_ctl(load->epoll, EPOLL_CTL_ADD, c->fd, &event) != 0)
		give_up("epoll_ctl");
}

/* Requests are short, so they fit into the socket's buffer. */
static void
send_request(const struct load *load, struct connection *c)
{
	for (c->sent = 0; c->sent < load->request_len;) {
		ssize_t n =
		    send(c->fd, load->request + c->sent, load->request_len - c->sent, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			give_up("send");
		c->sent += n < 0 ? 0 : (size_t)n;
	}
}

static void
begin(struct load *load, struct connection *c)
{
	if (load->begun == load->count)
		return;
	load->begun++;
	c->began_ns = now_ns();
	c->len = 0;
	if (c->fd < 0) {
		c->fd = load->is_http ? connect_http(load->where) : connect_fastcgi(load->where);
		watch(load, c);
	}
	send_request(load, c);
}

/* The value of a header, or NULL. */
static const char *
header_of(const char *head, const char *name)
{
	for (const char *line = head; line != NULL; line = strstr(line, "\r\n")) {
		line += line == head ? 0 : 2;
		if (strncasecmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':')
			return line + strlen(name) + 1;
		if (strncmp(line, "\r\n", 2) == 0)
			return NULL;
	}
	return NULL;
}

static bool
http_is_whole(const struct connection *c)
{
	const char *body = strstr(c->answer, "\r\n\r\n");
	const char *length;

	if (body == NULL)
		return false;
	length = header_of(c->answer, "Content-Length");
	if (length == NULL)
		return c->len >= 5 && memcmp(c->answer + c->len - 5, "0\r\n\r\n", 5) == 0;
	return c->len >= (size_t)(body + 4 - c->answer) + strtoul(length, NULL, 10);
}

static bool
http_is_good(const struct connection *c)
{
	return c->answer[9] == '2' || c->answer[9] == '3';
}

/* The FastCGI specification, section 3.3: version, type, id (2), length of content (2) and
 * padding. */
static bool
fastcgi_is_whole(const struct connection *c)
{
	enum { HEADER = 8, END_REQUEST = 3 };
	const unsigned char *record = (const unsigned char *)c->answer;
	size_t left = c->len;

	while (left >= HEADER) {
		size_t size = HEADER + (size_t)(record[4] << 8 | record[5]) + record[6];

		if (size > left)
			return false;
		if (record[1] == END_REQUEST)
			return true;
		record += size;
		left -= size;
	}
	return false;
}

/* The first record is the beginning of the response; without a Status header it is 200. */
static bool
fastcgi_is_good(const struct connection *c)
{
	const char *status = header_of(c->answer + 8, "Status");

	return status == NULL || status[1] == '2' || status[1] == '3';
}

static void
finish(struct load *load, struct connection *c)
{
	load->took_ns[load->done++] = now_ns() - c->began_ns;
	load->good += load->is_http ? http_is_good(c) : fastcgi_is_good(c);
	if (!load->is_http) {
		close(c->fd);
		c->fd = -1;
	}
	begin(load, c);
}

static void
receive(struct load *load, struct connection *c)
{
	ssize_t n = recv(c->fd, c->answer + c->len, ANSWER_MAX - c->len, 0);

	if (n <= 0)
		give_up("a response that is incomplete or too long");
	c->len += (size_t)n;
	c->answer[c->len] = '\0';
	if (load->is_http ? http_is_whole(c) : fastcgi_is_whole(c))
		finish(load, c);
}

static void
run(struct load *load, struct connection *connections, long at_once)
{
	struct epoll_event events[AT_ONCE_MAX];

	load->epoll = epoll_create1(EPOLL_CLOEXEC);
	for (long i = 0; i < at_once; i++) {
		connections[i].fd = -1;
		begin(load, &connections[i]);
	}
	while (load->done < load->count) {
		int ready = epoll_wait(load->epoll, events, AT_ONCE_MAX, STALL_MS);

		if (ready == 0)
			errno = ETIMEDOUT;
		if (ready == 0 || (ready < 0 && errno != EINTR))
			give_up("no response");
		for (int i = 0; i < ready; i++)
			receive(load, events[i].data.ptr);
	}
}

static int
by_time(const void *a, const void *b)
{
	const int64_t *left = a;
	const int64_t *right = b;

	return (*left > *right) - (*left < *right);
}

int
main(int argc, char **argv)
{
	static struct load load;
	struct connection *connections;
	int64_t began;
	double seconds;
	long at_once;

	if (argc != 5)
		return EXIT_FAILURE;
	load.is_http = strcmp(argv[1], "http") == 0;
	load.where = argv[2];
	load.count = strtol(argv[3], NULL, 10);
	at_once = strtol(argv[4], NULL, 10);
	load.request_len = fread(load.request, 1, sizeof load.request, stdin);
	if (load.count < 1 || at_once < 1 || at_once > AT_ONCE_MAX || load.request_len == 0
	    || load.request_len == sizeof load.request)
		return EXIT_FAILURE;
	connections = calloc((size_t)at_once, sizeof *connections);
	load.took_ns = calloc((size_t)load.count, sizeof *load.took_ns);
	if (connections == NULL || load.took_ns == NULL)
		return EXIT_FAILURE;
	began = now_ns();
	run(&load, connections, at_once);
	seconds = (double)(now_ns() - began) / 1e9;
	qsort(load.took_ns, (size_t)load.done, sizeof *load.took_ns, by_time);
	printf("%ld %.6f %.1f %.1f\n", load.good, seconds, (double)load.took_ns[load.done / 2] / 1e3,
	    (double)load.took_ns[load.done * 99 / 100] / 1e3);
	free(load.took_ns);
	free(connections);
	return EXIT_SUCCESS;
}
