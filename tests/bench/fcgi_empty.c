/* fcgi_empty.c - a FastCGI program that does nothing: the minimal cost of a request with
 * libfcgi. */
#include <fcgiapp.h>
#include <stdlib.h>

int
main(void)
{
	FCGX_Request request;

	if (FCGX_Init() != 0 || FCGX_InitRequest(&request, 0, 0) != 0)
		return EXIT_FAILURE;
	while (FCGX_Accept_r(&request) == 0) {
		FCGX_PutS("Status: 200 OK\r\nContent-Type: text/plain\r\n\r\n", request.out);
		FCGX_Finish_r(&request);
	}
	return EXIT_SUCCESS;
}
