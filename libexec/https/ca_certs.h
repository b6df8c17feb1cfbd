/* ca_certs.h - the certificates that servers are checked with: those of ca_file, and of no
 * other, or without it (NULL) the system's.
 *
 * Of the system's OpenSSL looks up in a folder the one it needs, and reads all hundred and more of
 * a file, which takes 25 ms; but not every system's folder can be looked up in.
 */
#ifndef CA_CERTS_H
#define CA_CERTS_H

#include <curl/curl.h>
#include <stdbool.h>
#include <sys/stat.h>

/* by_folder: the system's from its folder, where libcurl knows of one.  False: libcurl refuses
 * it. */
bool ca_certs_set(CURL *curl, const char *ca_file, bool by_folder);

/* Whether they are others than when it was asked last; before is what was seen then. */
bool ca_certs_changed(const char *ca_file, struct stat *before);

#endif
