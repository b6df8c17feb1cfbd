/* ca_certs.c - see ca_certs.h. */
#include "ca_certs.h"

struct place {
	const char *file;
	const char *folder;
};

static struct place
place_of(const char *ca_file, bool by_folder)
{
	const curl_version_info_data *known = curl_version_info(CURLVERSION_NOW);

	if (ca_file != NULL)
		return (struct place){ ca_file, NULL };
	if (known->capath == NULL || (known->cainfo != NULL && !by_folder))
		return (struct place){ known->cainfo, NULL };
	return (struct place){ NULL, known->capath };
}

bool
ca_certs_set(CURL *curl, const char *ca_file, bool by_folder)
{
	const struct place place = place_of(ca_file, by_folder);

	return curl_easy_setopt(curl, CURLOPT_CAINFO, place.file) == CURLE_OK
	    && curl_easy_setopt(curl, CURLOPT_CAPATH, place.folder) == CURLE_OK;
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
	const struct place place = place_of(ca_file, true);
	const char *path = place.file != NULL ? place.file : place.folder;
	struct stat now = { 0 };
	bool changed;

	if (path != NULL)
		(void)stat(path, &now);
	changed = !same_file(&now, before);
	*before = now;
	return changed;
}
