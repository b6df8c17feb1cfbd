/* ca_certs.c - see ca_certs.h. */
#include "ca_certs.h"

struct ca_source {
	const char *file;
	const char *folder;
};

static struct ca_source
find_source(const char *ca_file, bool by_folder)
{
	const curl_version_info_data *curl_info = curl_version_info(CURLVERSION_NOW);

	if (ca_file != NULL)
		return (struct ca_source){ ca_file, NULL };
	if (curl_info->capath == NULL || (curl_info->cainfo != NULL && !by_folder))
		return (struct ca_source){ curl_info->cainfo, NULL };
	return (struct ca_source){ NULL, curl_info->capath };
}

bool
ca_certs_set(CURL *curl, const char *ca_file, bool by_folder)
{
	const struct ca_source source = find_source(ca_file, by_folder);

	return curl_easy_setopt(curl, CURLOPT_CAINFO, source.file) == CURLE_OK
	    && curl_easy_setopt(curl, CURLOPT_CAPATH, source.folder) == CURLE_OK;
}

static bool
same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size
	    && a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec
	    && a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

bool
ca_certs_changed(const char *ca_file, struct stat *before)
{
	const struct ca_source source = find_source(ca_file, true);
	const char *path = source.file != NULL ? source.file : source.folder;
	struct stat now = { 0 };
	bool changed;

	if (path != NULL)
		(void)stat(path, &now);
	changed = !same_file(&now, before);
	*before = now;
	return changed;
}
