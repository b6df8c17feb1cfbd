/* empty.c - a CGI program that does nothing: the minimal cost of starting a program.
 *
 * With a file as its argument it appends 2 KB and syncs them to disk before it responds: the
 * minimal cost of a program that stores an event.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool
keep(const char *path)
{
	static char event[2048];
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);

	memset(event, 'x', sizeof event - 1);
	event[sizeof event - 1] = '\n';
	return fd >= 0 && write(fd, event, sizeof event) == (ssize_t)sizeof event
	    && fdatasync(fd) == 0 && close(fd) == 0;
}

int
main(int argc, char **argv)
{
	if (argc > 1 && !keep(argv[1]))
		return EXIT_FAILURE;
	return fputs("Status: 200 OK\r\nContent-Type: text/plain\r\n\r\n", stdout) < 0
	    ? EXIT_FAILURE
	    : EXIT_SUCCESS;
}
