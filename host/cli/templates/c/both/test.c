/* Tests what the ops compute, on this machine and without WebAssembly: `sh test`. */
#undef NDEBUG
#include "words.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static int64_t count(const char *text) { return count_words(text, strlen(text)); }

int main(void) {
    assert(count("to be\n or  not") == 4);
    assert(count("word") == 1);
    assert(count(" \t") == 0);
    assert(count("") == 0);
    puts("all tests passed");
    return 0;
}
