/* fetch.c - sends the POST of an exchange with libcurl only, from a resident process.
 *
 *   fetch URL CA_FILE CONNECT_TO [kept]
 *
 * For each line of standard input, a JSON body, it sends one POST on a new connection and prints a
 * line with the status of the response and the time in microseconds.  With "kept" it uses one
 * handle for all, which resumes its TLS session and does not read the certificates again.
 */
#include <curl/curl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static size_t
drop(char *bytes, size_t size, size_t count, void *arg)
{
	(void)bytes;
	(void)arg;
	return size * count;
}

static long
post(CURL *curl, char **argv, const char *body)
{
	struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
	struct curl_slist *connect_to = curl_slist_append(NULL, argv[3]);
	long status = 0;

	curl_easy_setopt(curl, CURLOPT_URL, argv[1]);
	curl_easy_setopt(curl, CURLOPT_CAINFO, argv[2]);
	curl_easy_setopt(curl, CURLOPT_CONNECT_TO, connect_to);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, drop);
	curl_easy_setopt(curl, CURLOPT_FRESH_CONNECT, 1L);
	curl_easy_setopt(curl, CURLOPT_FORBID_REUSE, 1L);
	if (curl_easy_perform(curl) == CURLE_OK)
		curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_reset(curl);
	curl_slist_free_all(headers);
	curl_slist_free_all(connect_to);
	return status;
}

int
main(int argc, char **argv)
{
	char *line = NULL;
	size_t size = 0;
	CURL *kept = NULL;

	if (argc < 4 || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return EXIT_FAILURE;
	if (argc > 4)
		kept = curl_easy_init();
	while (getline(&line, &size, stdin) > 0) {
		int64_t began = now_ns();
		CURL *curl = kept != NULL ? kept : curl_easy_init();
		long status;

		line[strcspn(line, "\n")] = '\0';
		status = post(curl, argv, line);
		if (curl != kept)
			curl_easy_cleanup(curl);
		printf("%ld %.1f\n", status, (double)(now_ns() - began) / 1e3);
		fflush(stdout);
	}
	free(line);
	curl_easy_cleanup(kept);
	curl_global_cleanup();
	return EXIT_SUCCESS;
}
