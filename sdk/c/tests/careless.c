/* Ops that are careless, and ops that take or give a lot: what the library makes of them. */
#include "../dynhost.h"

#include <string.h>

/* What is asked for by the wrong type fails the step, and nothing that is given afterwards counts. */
static void wrong_type(dh_step *step) {
    dh_text text = dh_input_text(step, "value");
    if (text.length != 0 && !dh_failed(step)) return;
    if (!dh_emit_text(step, "undeclared", NULL, "x", 1)) dh_fail(step, DH_TRANSIENT, "the second failure");
}

static void wrong_name(dh_step *step) { dh_input_integer(step, "no such input"); }

static void undeclared(dh_step *step) {
    if (dh_emit_integer(step, "undeclared", NULL, 1)) dh_return_integer(step, "result", NULL, 2);
}

static void detailed(dh_step *step) {
    dh_value detail = {NULL, (const uint8_t *)"{\"code\":7}", 10};
    dh_fail_detail(step, detail);
    dh_fail(step, DH_TRANSIENT, "not UTF-8: \xFF");
}

static void sum(dh_step *step) {
    double total = 0;
    if (dh_input_given(step, "values")) {
        dh_json values = dh_input_json(step, "values"), value;
        dh_json_cursor cursor = {0};
        while (dh_json_next(values, &cursor, NULL, &value)) {
            double number = 0;
            if (dh_json_get_number(value, &number)) total += number;
        }
    }
    dh_return_number(step, "result", NULL, total * dh_config_number(step, "times", 1));
}

static void flood(dh_step *step) {
    static char text[1000];
    memset(text, 'x', sizeof text);
    int64_t n = dh_input_integer(step, "n");
    for (int64_t at = 0; at < n; at++)
        if (!dh_emit_text(step, "text", dh_key(step, "", (uint64_t)at), text, sizeof text)) return;
}

static void odd_fails(dh_step *step) {
    size_t count;
    const dh_text *keys = dh_mapping_keys(step, &count);
    if ((keys[count - 1].data[0] - '0') % 2) dh_fail(step, DH_PERMANENT, "it is odd");
    else dh_return_bool(step, "result", NULL, true);
}

static int64_t bytes_of(const dh_element *element) {
    if (dh_json_type_of(dh_element_json(element)) != DH_JSON_STRING) return 0;
    return (int64_t)dh_element_text(element).length;
}

/* One element, some at once, one again: all of them come, and their memory goes. */
static void drain(dh_step *step) {
    dh_collected *texts = dh_input_collected(step, "texts");
    dh_element element;
    int64_t bytes = 0;
    while (dh_next(texts, &element)) {
        bytes += bytes_of(&element);
        size_t count;
        const dh_element *batch = dh_next_batch(texts, 100, &count);
        for (size_t n = 0; n < count; n++) bytes += bytes_of(&batch[n]);
    }
    size_t failed;
    const dh_text *keys = dh_collected_failed(texts, &failed);
    dh_writer seen = {0};
    dh_open_object(&seen);
    dh_write_name(&seen, "length");
    dh_write_integer(&seen, (int64_t)dh_collected_length(texts));
    dh_write_name(&seen, "bytes");
    dh_write_integer(&seen, bytes);
    dh_write_name(&seen, "failed");
    dh_open_array(&seen);
    for (size_t n = 0; n < failed; n++) dh_write_text(&seen, keys[n].data, keys[n].length);
    dh_close_array(&seen);
    dh_close_object(&seen);
    dh_return_json(step, "seen", NULL, &seen);
}

#define VALUE DH_INPUTS({.name = "value"})
#define RESULT DH_OUTPUTS({.name = "result", .schema = DH_ANY_JSON, .optional = true})

DH_OPS({.name = "wrong_type", .inputs = VALUE, .outputs = RESULT, .run = wrong_type},
       {.name = "wrong_name", .outputs = RESULT, .run = wrong_name},
       {.name = "undeclared", .outputs = RESULT, .run = undeclared},
       {.name = "detailed", .outputs = RESULT, .run = detailed},
       {.name = "sum",
        .inputs = DH_INPUTS({.name = "values", .optional = true}),
        .outputs = RESULT,
        .config = "{\"type\":\"object\"}",
        .run = sum},
       {.name = "flood",
        .inputs = DH_INPUTS({.name = "n", .schema = DH_INTEGER}),
        .outputs = DH_OUTPUTS({.name = "text", .schema = DH_STRING, .dynamic = true}),
        .run = flood},
       {.name = "odd_fails", .inputs = VALUE, .outputs = RESULT, .run = odd_fails},
       {.name = "drain",
        .inputs = DH_INPUTS({.name = "texts", .schema = DH_ANY_JSON, .collected = true}),
        .outputs = DH_OUTPUTS({.name = "seen", .schema = DH_ANY_JSON}),
        .run = drain})
