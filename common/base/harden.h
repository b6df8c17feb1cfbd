/* harden.h - keeps the secrets in a process's memory out of core files and from other processes.
 */
#ifndef HARDEN_H
#define HARDEN_H

/* Forbids core files, and that other processes of the same user attach by ptrace or read
 * /proc/PID/mem, environ or fd (prctl(2), PR_SET_DUMPABLE); root, with CAP_SYS_PTRACE, still may.
 * The process's own /proc/self stays usable to it.
 *
 * Called first in each program that handles secrets, and again after a change of user, since the
 * kernel then resets it.  execve resets it too, so the helpers call it themselves; they inherit
 * only the limit of core files.
 *
 * Where a container or a security module forbids it, the program runs without: its requests matter
 * more.  It costs two system calls. */
void harden_process(void);

#endif
