/* glibc_origin.c - spares a static program a system call before main.
 *
 * glibc reads the link /proc/self/exe, in case the program loads a library from its own directory
 * ($ORIGIN, see ld.so(8)).  Our programs load none, and the kernel spends a twentieth of their
 * start on it, because it has to set up the process's directory in /proc.  This override says that
 * the path is unknown.  It is weak, so a C library with another definition keeps its own.
 */
const char *_dl_get_origin(void);

__attribute__((weak)) const char *
_dl_get_origin(void)
{
	return (const char *)-1;
}
