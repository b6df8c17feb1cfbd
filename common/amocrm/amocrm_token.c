/* amocrm_token.c - which tokens can be used; see amocrm.h. */
#include "amocrm/amocrm.h"

bool
amocrm_token_valid(const char *token)
{
	size_t len = 0;

	while (token[len] > ' ' && token[len] <= '~')
		len++;
	return token[len] == '\0' && len > 0 && len <= AMOCRM_TOKEN_MAX;
}
