/* launch.c - executes the real amo-crm-https with the dynamic loader and the libraries shipped with
 * it.
 *
 *   libexec/amo-crm-https          this program, statically linked
 *   libexec/https/amo-crm-https    the real program
 *   libexec/https/ld-linux-….so    its dynamic loader, beside its libraries
 *
 * The libc of the host may be older than the one that amo-crm-https was built with, and loader and
 * libc must come from the same build.  An executable names its loader by an absolute path, in which
 * $ORIGIN is not expanded.  Therefore this program executes the loader explicitly.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#ifndef LOADER
#define LOADER "ld-linux-x86-64.so.2"
#endif

#define PATH_SIZE 4096

/* The path of a file in the folder https beside this program.  It is derived from the path by which
 * the program was executed, so it does not need /proc.  Returns 0 if it does not fit. */
static int
beside(char *path, const char *name)
{
	const char *self = (const char *)getauxval(AT_EXECFN);
	const char *slash = self == NULL ? NULL : strrchr(self, '/');
	int len = slash == NULL ? 0 : (int)(slash - self);

	len = snprintf(path, PATH_SIZE, "%.*s/https%s%s", len, slash == NULL ? "." : self,
	    *name ? "/" : "", name);
	return len > 0 && len < PATH_SIZE;
}

int
main(void)
{
	char inhibit_cache[] = "--inhibit-cache";
	char library_path[] = "--library-path";
	char loader[PATH_SIZE];
	char folder[PATH_SIZE];
	char program[PATH_SIZE];
	char *const argv[] = { loader, inhibit_cache, library_path, folder, program, NULL };

	if (!beside(loader, LOADER) || !beside(folder, "") || !beside(program, "amo-crm-https"))
		return EXIT_FAILURE;
	execve(loader, argv, environ);
	perror(loader);
	return EXIT_FAILURE;
}
