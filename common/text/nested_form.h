/* nested_form.h - converts application/x-www-form-urlencoded text with nested keys to JSON.  PHP
 * parses this format, and amoCRM's webhooks use it.
 *
 *   leads[status][0][id]=1&leads[status][0][name]=A+B&account[id]=2
 *   {"leads":{"status":[{"id":"1","name":"A B"}]},"account":{"id":"2"}}
 *
 * A level whose names are exactly 0 to n-1, in any order, becomes an array.  Any other level
 * becomes an object, with its members in the order of their first appearance.  Values are strings.
 * As in PHP
 *
 *   a[]=1       takes the next index of the level: the highest so far plus one, or 0
 *   a=1&a=2     the last value wins; so it does between a value and a level: a=1&a[b]=2
 *
 * Unlike in PHP nothing is dropped or renamed: a key with unbalanced brackets, a[b or a[b]c, is one
 * name, dots and spaces are kept, and a name may be empty.  A pair without '=' has an empty value.
 * Bytes that are not UTF-8 become U+FFFD.
 *
 * The cost grows with the size of the body, and does not depend on what the names are.
 */
#ifndef NESTED_FORM_H
#define NESTED_FORM_H

#include "base/ctx.h"

#define NESTED_FORM_NAMES_MAX 320000 /* in all keys; they take 41 MB of SERVE_ARENA_SIZE */
#define NESTED_FORM_KEY_MAX   1024   /* bytes, decoded; real ones have under 200 */
#define NESTED_FORM_DEPTH_MAX 16     /* names in a key; real ones have under 10 */

/* Converts the len bytes at form to one line of JSON, an object.
 * Fault: FAULT_REQUEST for a bad escape, a NUL, no pair at all, or a limit above exceeded. */
bool nested_form_to_json(struct ctx *ctx, const char *form, size_t len, const char **line);

#endif
