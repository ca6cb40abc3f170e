#include "words.hpp"

#include <cctype>

std::int64_t count_words(std::string_view text) {
    std::int64_t words = 0;
    bool inside = false;
    for (char c : text) {
        bool blank = std::isspace(static_cast<unsigned char>(c)) != 0;
        if (!blank && !inside) words++;
        inside = !blank;
    }
    return words;
}
