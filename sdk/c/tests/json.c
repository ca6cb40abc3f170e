/* Tests of dynhost_json, run on the machine itself. */
#include "../dynhost_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failures;
#define CHECK(condition)                                                                                               \
    do                                                                                                                 \
        if (!(condition)) failures++, fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                  \
    while (0)

static dh_json parse(const char *text) { return dh_json_parse(text, strlen(text)); }

static bool is_text(dh_json value, const char *wanted) {
    dh_text text;
    if (!dh_json_get_text(value, &text)) return false;
    bool same = text.length == strlen(wanted) && memcmp(text.data, wanted, text.length + 1) == 0;
    free((char *)text.data);
    return same;
}

static bool is_integer(const char *text, int64_t wanted) {
    int64_t found;
    return dh_json_get_integer(parse(text), &found) && found == wanted;
}

static void what_is_json(void) {
    static const char *const good[] = {"null", " true ", "0", "-0.5e+3", "\"\"", "[]", "{}", "[1, [2], {\"a\": \"\\u00e9\"}]",
                                       "{\"a\":{\"b\":[null,false]}}"};
    static const char *const bad[] = {"", " ", "nul", "01", "1.", "-", "1e", "+1", ".5", "\"", "\"\\x\"", "\"\\u12g4\"", "\"\n\"",
                                      "[1,]", "[1 2]", "[", "{\"a\"}", "{\"a\":}", "{a:1}", "{\"a\":1,}", "1 2", "]", "\"\\"};
    for (size_t n = 0; n < sizeof good / sizeof *good; n++)
        if (dh_json_type_of(parse(good[n])) == DH_JSON_ABSENT) failures++, fprintf(stderr, "refused: %s\n", good[n]);
    for (size_t n = 0; n < sizeof bad / sizeof *bad; n++)
        if (dh_json_type_of(parse(bad[n])) != DH_JSON_ABSENT) failures++, fprintf(stderr, "taken: %s\n", bad[n]);
    char deep[1000];
    memset(deep, '[', 500), memset(deep + 500, ']', 500);
    CHECK(dh_json_type_of(dh_json_parse(deep, 1000)) == DH_JSON_ABSENT);
    CHECK(dh_json_type_of(dh_json_parse(deep + 300, 400)) == DH_JSON_ARRAY);
}

static void values_are_found(void) {
    dh_json json = parse(" { \"a\" : [ 1 , \"x,]\\\"\" , { \"b\" : true } ] , \"c\\u0064\" : null, \"last\": 2, \"last\": 3 } ");
    dh_json list = dh_json_get(json, "a");
    bool yes = false;
    int64_t n = 0;
    CHECK(dh_json_count(json) == 4 && dh_json_count(list) == 3);
    CHECK(dh_json_get_integer(dh_json_at(list, 0), &n) && n == 1);
    CHECK(is_text(dh_json_at(list, 1), "x,]\""));
    CHECK(dh_json_get_bool(dh_json_get(dh_json_at(list, 2), "b"), &yes) && yes);
    CHECK(dh_json_type_of(dh_json_get(json, "cd")) == DH_JSON_NULL);
    CHECK(dh_json_get_integer(dh_json_get(json, "last"), &n) && n == 3);
    CHECK(dh_json_type_of(dh_json_get(dh_json_get(json, "no"), "deeper")) == DH_JSON_ABSENT);
    CHECK(dh_json_type_of(dh_json_at(list, 3)) == DH_JSON_ABSENT);
    CHECK(dh_json_count(parse("[]")) == 0 && dh_json_count(parse("{ }")) == 0 && dh_json_count(parse("1")) == 0);
}

static void numbers_are_exact(void) {
    CHECK(is_integer("9223372036854775807", INT64_MAX) && is_integer("-9223372036854775808", INT64_MIN));
    CHECK(is_integer("2.0", 2) && is_integer("1e3", 1000) && is_integer("1200e-2", 12) && is_integer("-0", 0));
    CHECK(is_integer("0e99999999999", 0));
    int64_t n;
    CHECK(!dh_json_get_integer(parse("9223372036854775808"), &n));
    CHECK(!dh_json_get_integer(parse("1.5"), &n) && !dh_json_get_integer(parse("1e40"), &n));
    CHECK(!dh_json_get_integer(parse("\"1\""), &n));
    double x = 0;
    CHECK(dh_json_get_number(parse("0.1"), &x) && x == 0.1);
    CHECK(!dh_json_get_number(parse("1e999"), &x));
}

static void strings_are_decoded(void) {
    CHECK(is_text(parse("\"\\b\\f\\n\\r\\t\\/\\\\\""), "\b\f\n\r\t/\\"));
    CHECK(is_text(parse("\"\\u00e9\\u20AC\\ud83d\\ude00\""), "é€😀"));
    CHECK(is_text(parse("\"\\ud83d-\\ude00\""), "\xEF\xBF\xBD-\xEF\xBF\xBD"));
    CHECK(is_text(parse("\"\\ud83d\""), "\xEF\xBF\xBD"));
}

static void what_is_written_is_compact(void) {
    dh_writer writer = {0};
    dh_open_object(&writer);
    dh_write_name(&writer, "a");
    dh_open_array(&writer);
    dh_write_integer(&writer, INT64_MIN);
    dh_write_number(&writer, 0.1);
    dh_write_number(&writer, 1.0 / 3);
    dh_write_number(&writer, 1e300 * 1e300);
    dh_write_bool(&writer, true);
    dh_write_null(&writer);
    dh_open_array(&writer);
    dh_close_array(&writer);
    dh_close_array(&writer);
    dh_write_name(&writer, "b");
    dh_write_text(&writer, "\"\\\b\f\n\r\t\x01\x7F\xC3\xA9\xFFz\xE2\x82", 15);
    dh_write_name(&writer, "c");
    dh_write_json(&writer, parse(" {\"x\": 1} "));
    dh_close_object(&writer);
    static const char wanted[] = "{\"a\":[-9223372036854775808,0.1,0.3333333333333333,null,true,null,[]],"
                                 "\"b\":\"\\\"\\\\\\b\\f\\n\\r\\t\\u0001\x7Fé\xEF\xBF\xBDz\xEF\xBF\xBD\xEF\xBF\xBD\",\"c\":{\"x\": 1}}";
    CHECK(writer.length == sizeof wanted - 1 && memcmp(writer.data, wanted, writer.length) == 0);
    if (failures) fprintf(stderr, "%.*s\n", (int)writer.length, writer.data);
    dh_writer_clear(&writer);
    dh_write_integer(&writer, 7);
    CHECK(writer.length == 1 && writer.data[0] == '7');
    dh_writer_free(&writer);
}

int main(void) {
    what_is_json();
    values_are_found();
    numbers_are_exact();
    strings_are_decoded();
    what_is_written_is_compact();
    if (!failures) puts("dynhost_json: ok");
    return failures != 0;
}
