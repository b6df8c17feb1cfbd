/* config_mistake.h - values that were probably written in the syntax of another file format.
 */
#ifndef CONFIG_MISTAKE_H
#define CONFIG_MISTAKE_H

enum config_mistake {
	CONFIG_NO_MISTAKE,
	CONFIG_EMPTY,
	CONFIG_QUOTED,     /* in quotes, which an INI file makes part of the value */
	CONFIG_SECOND_KEY, /* with another "key =" behind the value, on the same line */
	CONFIG_COMMENT,    /* with a comment behind '#', which begins one only at a line's start */
	CONFIG_INVISIBLE,  /* with an invisible character at its beginning or end */
	CONFIG_MISTAKES    /* their number */
};

enum config_mistake config_find_mistake(const char *value);

/* What the value is, for a message that names the key: "is in quotes, …"; "" for none. */
const char *config_mistake_text(enum config_mistake mistake);

/* What to do about it; NULL for none. */
const char *config_mistake_advice(enum config_mistake mistake);

#endif
