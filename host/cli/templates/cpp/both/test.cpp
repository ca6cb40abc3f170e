// Tests what the ops compute, on this machine and without WebAssembly: `sh test`.
#undef NDEBUG
#include "words.hpp"

#include <cassert>
#include <cstdio>

int main() {
    assert(count_words("to be\n or  not") == 4);
    assert(count_words("word") == 1);
    assert(count_words(" \t") == 0);
    assert(count_words("") == 0);
    std::puts("all tests passed");
}
