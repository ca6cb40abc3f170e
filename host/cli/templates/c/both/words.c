#include "words.h"

#include <ctype.h>
#include <stdbool.h>

int64_t count_words(const char *text, size_t length) {
    int64_t words = 0;
    bool inside = false;
    for (size_t at = 0; at < length; at++) {
        bool blank = isspace((unsigned char)text[at]) != 0;
        if (!blank && !inside) words++;
        inside = !blank;
    }
    return words;
}
