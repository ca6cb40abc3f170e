/* JSON for ops: reading without a tree, and writing. Works anywhere; knows nothing of steps. */
#ifndef DYNHOST_JSON_H
#define DYNHOST_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Text of a length. What the library gives is UTF-8 and is followed by a NUL, which is not counted; there may be others
 * inside. */
typedef struct {
    const char *data;
    size_t length;
} dh_text;

/* ---- reading ----
 * A value is a piece of a text that has been checked: nothing is copied until a string is asked for. What is not there
 * is a value as well, of type DH_JSON_ABSENT, so that reaching deep needs no checks between. */

typedef struct {
    const char *text;
    size_t length;
} dh_json;

typedef enum {
    DH_JSON_ABSENT,
    DH_JSON_NULL,
    DH_JSON_BOOL,
    DH_JSON_NUMBER,
    DH_JSON_STRING,
    DH_JSON_ARRAY,
    DH_JSON_OBJECT
} dh_json_type;

/* Where an iteration over an array or object stands; begin with zeros. */
typedef struct {
    size_t at;
} dh_json_cursor;

/* The value in a text; absent if the text is not JSON, or is nested more than 256 deep. */
dh_json dh_json_parse(const char *text, size_t length);

dh_json_type dh_json_type_of(dh_json value);

/* The member of an object with this name, or the element of an array; absent where there is none. */
dh_json dh_json_get(dh_json object, const char *name);
dh_json dh_json_at(dh_json array, size_t position);

/* How many elements or members there are; 0 for anything but arrays and objects. */
size_t dh_json_count(dh_json container);

/* Takes the next element or member; false at the end. `name` is the member's, as JSON, and may be NULL. */
bool dh_json_next(dh_json container, dh_json_cursor *cursor, dh_json *name, dh_json *value);

/* What a value holds; false if it is of another type, or does not fit. 2.0 and 1e3 are integers. */
bool dh_json_get_bool(dh_json value, bool *out);
bool dh_json_get_integer(dh_json value, int64_t *out);
bool dh_json_get_number(dh_json value, double *out);
/* A string, decoded into memory from malloc. */
bool dh_json_get_text(dh_json value, dh_text *out);

/* ---- writing ----
 * Compact JSON, with commas where they belong; begin with zeros. `dh_writer_free` gives the memory back, `clear` keeps it
 * for the next value. */

typedef struct {
    char *data;
    size_t length;
    size_t capacity;
    bool comma;
} dh_writer;

void dh_open_object(dh_writer *writer);
void dh_close_object(dh_writer *writer);
void dh_open_array(dh_writer *writer);
void dh_close_array(dh_writer *writer);
/* The name of the next member. */
void dh_write_name(dh_writer *writer, const char *name);
/* A string; what is not UTF-8 in it becomes U+FFFD. */
void dh_write_text(dh_writer *writer, const char *data, size_t length);
void dh_write_string(dh_writer *writer, const char *string);
void dh_write_integer(dh_writer *writer, int64_t value);
/* The shortest form that reads back as the same; null for what JSON has no number for. */
void dh_write_number(dh_writer *writer, double value);
void dh_write_bool(dh_writer *writer, bool value);
void dh_write_null(dh_writer *writer);
void dh_write_json(dh_writer *writer, dh_json value);
void dh_writer_clear(dh_writer *writer);
void dh_writer_free(dh_writer *writer);

/* ---- text ---- */

/* Adds bytes as they are, and a number in decimal digits: for text that is not JSON. */
void dh_append(dh_writer *writer, const char *data, size_t length);
void dh_append_integer(dh_writer *writer, int64_t value);

/* How many bytes the code point at the beginning has; 0 where there is no well-formed one. */
size_t dh_utf8_width(const char *data, size_t length);

#ifdef __cplusplus
}
#endif
#endif
