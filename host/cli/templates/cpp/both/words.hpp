// What the ops compute: plain C++, tested by test.cpp.
#pragma once

#include <cstdint>
#include <string_view>

// How many words there are in a text, with blanks, tabs and ends of lines between them.
std::int64_t count_words(std::string_view text);
