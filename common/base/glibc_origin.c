/* glibc_origin.c - what a static program need not ask before its main.
 *
 * The C library has it look up its own path in /proc,
 * in case it should load a library that is found beside it ($ORIGIN, see ld.so(8)).
 * Ours load none, and for the kernel it is a twentieth of starting them:
 * the process gets a folder in /proc, which is taken away again.  This says that the path is not
 * known.  Weak: where the library has it otherwise, its own stands.
 */
const char *_dl_get_origin(void);

__attribute__((weak)) const char *
_dl_get_origin(void)
{
	return (const char *)-1;
}
