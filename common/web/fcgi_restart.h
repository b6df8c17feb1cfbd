/* fcgi_restart.h - a FastCGI process restarts in place: it executes its program again.
 *
 * execve keeps the process id, the listening socket and the connections that wait at it.  Memory,
 * helpers and all other descriptors are gone.  The program file is opened by its path, so a program
 * that was upgraded meanwhile is the one that runs.
 *
 * A process that exited instead, and left it to its parent to start another, would lose requests.
 * Of 6000 requests to `status` behind the configurations we ship, with processes limited to 500
 * requests each, failed:
 *
 *                                         exit         restart in place
 *   lighttpd 1.4.69                       4001 (503)   0
 *   Apache 2.4.71, mod_fcgid 2.3.9           2 (500)   0
 *   nginx 1.22.1, processes of spawn-fcgi 4001 (502)   0
 *   nginx 1.22.1, processes of multiwatch    0         0
 *
 * When a process exits, lighttpd resets the connections that wait at its socket, and treats the
 * backend as dead for a second; spawn-fcgi starts no process a second time.
 */
#ifndef FCGI_RESTART_H
#define FCGI_RESTART_H

/* A process restarts after this many requests, so that a leak cannot grow without limit: 1 KB per
 * request would end at 10 MB.  No leak is known: in tests/bench/soak, from 10 000 to
 * 100 000 requests one of the programs grew by 8 KiB and the others by nothing, and after that none
 * did.  But future versions of the libraries may have one.  A restart takes under 2 ms. */
#ifndef FASTCGI_REQUESTS_MAX
#define FASTCGI_REQUESTS_MAX 10000
#endif

/* Returns only when the program cannot be executed, as without /proc; the process then goes on as
 * it is. */
void fcgi_restart(void);

/* Restarts with CTX_TUNABLE (see ctx.h) in GLIBC_TUNABLES, which glibc reads only when a program
 * starts.  Returns at once when it is there already, and like fcgi_restart. */
void fcgi_restart_with_tunables(void);

#endif
