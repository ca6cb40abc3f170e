/* What the ops compute: plain C, tested by test.c. */
#ifndef WORDS_H
#define WORDS_H

#include <stddef.h>
#include <stdint.h>

/* How many words there are in a text, with blanks, tabs and ends of lines between them. */
int64_t count_words(const char *text, size_t length);

#endif
