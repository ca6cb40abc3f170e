#include "dynhost_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEEPEST 256

/* ---- checking ---- */

static size_t blanks(const char *text, size_t length, size_t at) {
    while (at < length && (text[at] == ' ' || text[at] == '\t' || text[at] == '\n' || text[at] == '\r'))
        at++;
    return at;
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static int hex_digit(char c) {
    if (is_digit(c)) return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* Each of these gives the place after what begins at `at`, or 0 if that is not well formed; a value has at least one
 * byte, so that 0 is never the place after one. */

static size_t check_string(const char *text, size_t length, size_t at) {
    for (at++; at < length; at++) {
        unsigned char c = (unsigned char)text[at];
        if (c == '"') return at + 1;
        if (c < 0x20) return 0;
        if (c != '\\') continue;
        if (++at >= length) return 0;
        if (text[at] == 'u') {
            if (length - at < 5) return 0;
            for (int n = 1; n <= 4; n++)
                if (hex_digit(text[at + (size_t)n]) < 0) return 0;
            at += 4;
        } else if (!strchr("\"\\/bfnrt", text[at]) || text[at] == 0) {
            return 0;
        }
    }
    return 0;
}

static size_t check_digits(const char *text, size_t length, size_t at) {
    size_t begin = at;
    while (at < length && is_digit(text[at])) at++;
    return at == begin ? 0 : at;
}

static size_t check_number(const char *text, size_t length, size_t at) {
    if (text[at] == '-') at++;
    if (at < length && text[at] == '0') at++;
    else if (!(at = check_digits(text, length, at))) return 0;
    if (at < length && text[at] == '.' && !(at = check_digits(text, length, at + 1))) return 0;
    if (at < length && (text[at] == 'e' || text[at] == 'E')) {
        at++;
        if (at < length && (text[at] == '+' || text[at] == '-')) at++;
        at = check_digits(text, length, at);
    }
    return at;
}

static size_t check_word(const char *text, size_t length, size_t at, const char *word) {
    size_t size = strlen(word);
    return length - at >= size && memcmp(text + at, word, size) == 0 ? at + size : 0;
}

static size_t check_value(const char *text, size_t length, size_t at, int depth) {
    if (at >= length || depth > DEEPEST) return 0;
    char open = text[at];
    switch (open) {
    case '"': return check_string(text, length, at);
    case 't': return check_word(text, length, at, "true");
    case 'f': return check_word(text, length, at, "false");
    case 'n': return check_word(text, length, at, "null");
    case '[':
    case '{': break;
    default: return open == '-' || is_digit(open) ? check_number(text, length, at) : 0;
    }
    char close = open == '[' ? ']' : '}';
    at = blanks(text, length, at + 1);
    if (at < length && text[at] == close) return at + 1;
    for (;;) {
        if (open == '{') {
            if (at >= length || text[at] != '"' || !(at = check_string(text, length, at))) return 0;
            at = blanks(text, length, at);
            if (at >= length || text[at] != ':') return 0;
            at = blanks(text, length, at + 1);
        }
        if (!(at = check_value(text, length, at, depth + 1))) return 0;
        at = blanks(text, length, at);
        if (at >= length) return 0;
        if (text[at] == close) return at + 1;
        if (text[at] != ',') return 0;
        at = blanks(text, length, at + 1);
    }
}

dh_json dh_json_parse(const char *text, size_t length) {
    dh_json absent = {NULL, 0};
    size_t begin = blanks(text, length, 0);
    size_t end = check_value(text, length, begin, 0);
    if (!end || blanks(text, length, end) != length) return absent;
    dh_json value = {text + begin, end - begin};
    return value;
}

/* ---- reading what has been checked ---- */

dh_json_type dh_json_type_of(dh_json value) {
    if (!value.length) return DH_JSON_ABSENT;
    switch (value.text[0]) {
    case '"': return DH_JSON_STRING;
    case 't':
    case 'f': return DH_JSON_BOOL;
    case 'n': return DH_JSON_NULL;
    case '[': return DH_JSON_ARRAY;
    case '{': return DH_JSON_OBJECT;
    default: return DH_JSON_NUMBER;
    }
}

/* The place after the value at `at`. */
static size_t skip(dh_json in, size_t at) {
    size_t depth = 0;
    do {
        switch (in.text[at]) {
        case '"':
            at = check_string(in.text, in.length, at);
            continue;
        case '[':
        case '{': depth++; break;
        case ']':
        case '}': depth--; break;
        case ',':
        case ':':
        case ' ':
        case '\t':
        case '\n':
        case '\r': break;
        default:
            while (at < in.length && !strchr(",]}: \t\n\r", in.text[at])) at++;
            continue;
        }
        at++;
    } while (depth);
    return at;
}

bool dh_json_next(dh_json container, dh_json_cursor *cursor, dh_json *name, dh_json *value) {
    dh_json_type type = dh_json_type_of(container);
    if (type != DH_JSON_ARRAY && type != DH_JSON_OBJECT) return false;
    size_t at = cursor->at ? cursor->at : 1;
    at = blanks(container.text, container.length, at);
    if (at < container.length && container.text[at] == ',') at = blanks(container.text, container.length, at + 1);
    if (at + 1 >= container.length) return false;
    dh_json none = {NULL, 0};
    if (name) *name = none;
    if (type == DH_JSON_OBJECT) {
        size_t end = skip(container, at);
        if (name) {
            name->text = container.text + at;
            name->length = end - at;
        }
        at = blanks(container.text, container.length, end);
        at = blanks(container.text, container.length, at + 1);
    }
    cursor->at = skip(container, at);
    value->text = container.text + at;
    value->length = cursor->at - at;
    return true;
}

static bool is_named(dh_json name, const char *wanted) {
    size_t length = strlen(wanted);
    if (!memchr(name.text, '\\', name.length))
        return name.length == length + 2 && memcmp(name.text + 1, wanted, length) == 0;
    dh_text text;
    if (!dh_json_get_text(name, &text)) return false;
    bool same = text.length == length && memcmp(text.data, wanted, length) == 0;
    free((char *)text.data);
    return same;
}

dh_json dh_json_get(dh_json object, const char *name) {
    dh_json found = {NULL, 0}, key, value;
    dh_json_cursor cursor = {0};
    if (dh_json_type_of(object) != DH_JSON_OBJECT) return found;
    while (dh_json_next(object, &cursor, &key, &value))
        if (is_named(key, name)) found = value;
    return found;
}

dh_json dh_json_at(dh_json array, size_t position) {
    dh_json none = {NULL, 0}, value;
    dh_json_cursor cursor = {0};
    if (dh_json_type_of(array) != DH_JSON_ARRAY) return none;
    while (dh_json_next(array, &cursor, NULL, &value))
        if (position-- == 0) return value;
    return none;
}

size_t dh_json_count(dh_json container) {
    size_t count = 0;
    dh_json value;
    dh_json_cursor cursor = {0};
    while (dh_json_next(container, &cursor, NULL, &value)) count++;
    return count;
}

bool dh_json_get_bool(dh_json value, bool *out) {
    if (dh_json_type_of(value) != DH_JSON_BOOL) return false;
    *out = value.text[0] == 't';
    return true;
}

bool dh_json_get_integer(dh_json value, int64_t *out) {
    if (dh_json_type_of(value) != DH_JSON_NUMBER) return false;
    bool negative = value.text[0] == '-', fraction = false;
    uint64_t digits = 0;
    int64_t exponent = 0;
    size_t at = negative;
    for (; at < value.length && (is_digit(value.text[at]) || value.text[at] == '.'); at++) {
        if (value.text[at] == '.') {
            fraction = true;
            continue;
        }
        uint64_t digit = (uint64_t)(value.text[at] - '0');
        if (digits > (UINT64_MAX - digit) / 10) return false;
        digits = digits * 10 + digit;
        exponent -= fraction;
    }
    if (at < value.length) {
        bool less = value.text[++at] == '-';
        int64_t given = 0;
        if (less || value.text[at] == '+') at++;
        for (; at < value.length; at++)
            if (given < 100000) given = given * 10 + (value.text[at] - '0');
        exponent += less ? -given : given;
    }
    for (; exponent < 0 && digits; exponent++, digits /= 10)
        if (digits % 10) return false;
    for (; exponent > 0 && digits; exponent--, digits *= 10)
        if (digits > UINT64_MAX / 10) return false;
    if (digits > (uint64_t)INT64_MAX + negative) return false;
    *out = (int64_t)(negative ? 0 - digits : digits);
    return true;
}

bool dh_json_get_number(dh_json value, double *out) {
    if (dh_json_type_of(value) != DH_JSON_NUMBER) return false;
    char small[64], *copy = value.length < sizeof small ? small : malloc(value.length + 1);
    if (!copy) abort();
    memcpy(copy, value.text, value.length);
    copy[value.length] = 0;
    *out = strtod(copy, NULL);
    if (copy != small) free(copy);
    return *out - *out == 0;
}

static uint32_t code_unit(const char *digits) {
    uint32_t unit = 0;
    for (int n = 0; n < 4; n++) unit = unit << 4 | (uint32_t)hex_digit(digits[n]);
    return unit;
}

static char *put_code_point(char *out, uint32_t point) {
    if (point < 0x80) {
        *out++ = (char)point;
    } else if (point < 0x800) {
        *out++ = (char)(0xC0 | point >> 6);
        *out++ = (char)(0x80 | (point & 0x3F));
    } else if (point < 0x10000) {
        *out++ = (char)(0xE0 | point >> 12);
        *out++ = (char)(0x80 | (point >> 6 & 0x3F));
        *out++ = (char)(0x80 | (point & 0x3F));
    } else {
        *out++ = (char)(0xF0 | point >> 18);
        *out++ = (char)(0x80 | (point >> 12 & 0x3F));
        *out++ = (char)(0x80 | (point >> 6 & 0x3F));
        *out++ = (char)(0x80 | (point & 0x3F));
    }
    return out;
}

bool dh_json_get_text(dh_json value, dh_text *out) {
    if (dh_json_type_of(value) != DH_JSON_STRING) return false;
    /* No escape is shorter than what it stands for. */
    char *data = malloc(value.length), *to = data;
    if (!data) abort();
    const char *from = value.text + 1, *end = value.text + value.length - 1;
    while (from < end) {
        if (*from != '\\') {
            const char *next = memchr(from, '\\', (size_t)(end - from));
            size_t run = (size_t)((next ? next : end) - from);
            memcpy(to, from, run);
            to += run;
            from += run;
            continue;
        }
        switch (from[1]) {
        case 'b': *to++ = '\b'; break;
        case 'f': *to++ = '\f'; break;
        case 'n': *to++ = '\n'; break;
        case 'r': *to++ = '\r'; break;
        case 't': *to++ = '\t'; break;
        case 'u': {
            uint32_t point = code_unit(from + 2);
            from += 4;
            if (point >= 0xD800 && point < 0xE000) {
                uint32_t low = point < 0xDC00 && end - from >= 8 && from[2] == '\\' && from[3] == 'u'
                                   ? code_unit(from + 4)
                                   : 0;
                if (low >= 0xDC00 && low < 0xE000) {
                    point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00);
                    from += 6;
                } else {
                    point = 0xFFFD;
                }
            }
            to = put_code_point(to, point);
            break;
        }
        default: *to++ = from[1];
        }
        from += 2;
    }
    *to = 0;
    out->data = data;
    out->length = (size_t)(to - data);
    return true;
}

/* ---- writing ---- */

static char *room(dh_writer *writer, size_t more) {
    if (writer->capacity - writer->length < more) {
        size_t capacity = writer->capacity * 2 > 64 ? writer->capacity * 2 : 64;
        if (capacity - writer->length < more) capacity = writer->length + more;
        writer->data = realloc(writer->data, capacity);
        if (!writer->data) abort();
        writer->capacity = capacity;
    }
    return writer->data + writer->length;
}

void dh_append(dh_writer *writer, const char *data, size_t length) {
    if (!length) return;
    memcpy(room(writer, length), data, length);
    writer->length += length;
}

void dh_append_integer(dh_writer *writer, int64_t value) {
    char digits[20], *at = digits + sizeof digits;
    uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do *--at = (char)('0' + left % 10);
    while (left /= 10);
    if (value < 0) *--at = '-';
    dh_append(writer, at, (size_t)(digits + sizeof digits - at));
}

static void value_begins(dh_writer *writer) {
    if (writer->comma) dh_append(writer, ",", 1);
    writer->comma = true;
}

static void open_with(dh_writer *writer, const char *bracket) {
    value_begins(writer);
    dh_append(writer, bracket, 1);
    writer->comma = false;
}

static void close_with(dh_writer *writer, const char *bracket) {
    dh_append(writer, bracket, 1);
    writer->comma = true;
}

void dh_open_object(dh_writer *writer) { open_with(writer, "{"); }
void dh_close_object(dh_writer *writer) { close_with(writer, "}"); }
void dh_open_array(dh_writer *writer) { open_with(writer, "["); }
void dh_close_array(dh_writer *writer) { close_with(writer, "]"); }

void dh_write_name(dh_writer *writer, const char *name) {
    dh_write_string(writer, name);
    dh_append(writer, ":", 1);
    writer->comma = false;
}

static void escape(dh_writer *writer, unsigned char c) {
    static const char hex[] = "0123456789abcdef";
    char text[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
    size_t length = 2;
    switch (c) {
    case '"':
    case '\\': text[1] = (char)c; break;
    case '\b': text[1] = 'b'; break;
    case '\f': text[1] = 'f'; break;
    case '\n': text[1] = 'n'; break;
    case '\r': text[1] = 'r'; break;
    case '\t': text[1] = 't'; break;
    default: length = 6;
    }
    dh_append(writer, text, length);
}

void dh_write_text(dh_writer *writer, const char *data, size_t length) {
    value_begins(writer);
    dh_append(writer, "\"", 1);
    size_t begin = 0, at = 0;
    while (at < length) {
        unsigned char c = (unsigned char)data[at];
        size_t width = c < 0x80 ? 1 : dh_utf8_width(data + at, length - at);
        if (width && c >= 0x20 && c != '"' && c != '\\') {
            at += width;
            continue;
        }
        dh_append(writer, data + begin, at - begin);
        if (width) escape(writer, c);
        else dh_append(writer, "\xEF\xBF\xBD", 3);
        begin = ++at;
    }
    dh_append(writer, data + begin, at - begin);
    dh_append(writer, "\"", 1);
}

void dh_write_string(dh_writer *writer, const char *string) { dh_write_text(writer, string, strlen(string)); }

void dh_write_integer(dh_writer *writer, int64_t value) {
    value_begins(writer);
    dh_append_integer(writer, value);
}

void dh_write_number(dh_writer *writer, double value) {
    if (value - value != 0) {
        dh_write_null(writer);
        return;
    }
    char text[32];
    int length = 0;
    for (int digits = 15; digits <= 17; digits++) {
        length = snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value) break;
    }
    value_begins(writer);
    dh_append(writer, text, (size_t)length);
}

void dh_write_bool(dh_writer *writer, bool value) {
    value_begins(writer);
    dh_append(writer, value ? "true" : "false", value ? 4 : 5);
}

void dh_write_null(dh_writer *writer) {
    value_begins(writer);
    dh_append(writer, "null", 4);
}

void dh_write_json(dh_writer *writer, dh_json value) {
    if (!value.length) {
        dh_write_null(writer);
        return;
    }
    value_begins(writer);
    dh_append(writer, value.text, value.length);
}

void dh_writer_clear(dh_writer *writer) {
    writer->length = 0;
    writer->comma = false;
}

void dh_writer_free(dh_writer *writer) {
    free(writer->data);
    memset(writer, 0, sizeof *writer);
}

/* ---- text ---- */

size_t dh_utf8_width(const char *data, size_t length) {
    const unsigned char *bytes = (const unsigned char *)data;
    if (!length) return 0;
    unsigned char first = bytes[0];
    if (first < 0x80) return 1;
    if (first < 0xC2 || first > 0xF4) return 0;
    size_t width = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    if (width > length) return 0;
    for (size_t n = 1; n < width; n++)
        if ((bytes[n] & 0xC0) != 0x80) return 0;
    /* Too long a form, a surrogate, or beyond the last code point. */
    if ((first == 0xE0 && bytes[1] < 0xA0) || (first == 0xED && bytes[1] >= 0xA0)) return 0;
    if ((first == 0xF0 && bytes[1] < 0x90) || (first == 0xF4 && bytes[1] >= 0x90)) return 0;
    return width;
}
