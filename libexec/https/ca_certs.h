/* ca_certs.h - the CA certificates that servers are verified with: those of ca_file alone or, when
 * it is NULL, the system's.
 *
 * OpenSSL looks up the one certificate that it needs in the system's folder, but parses all of the
 * system's file, over a hundred certificates, which takes 25 ms.  Not every system's folder has the
 * names by hash that such a look-up needs.
 */
#ifndef CA_CERTS_H
#define CA_CERTS_H

#include <curl/curl.h>
#include <stdbool.h>
#include <sys/stat.h>

/* by_folder: uses the system's folder, if libcurl knows one, instead of the system's file.
 * False: libcurl refuses the file or folder. */
bool ca_certs_set(CURL *curl, const char *ca_file, bool by_folder);

/* Whether the file or folder has changed since *before was filled; fills it again. */
bool ca_certs_changed(const char *ca_file, struct stat *before);

#endif
