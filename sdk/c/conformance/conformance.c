/* The ops that every SDK offers; what they do is said in docs/languages.md. */
#include "../dynhost.h"
#include "../generated/component.h"

#include <stdlib.h>
#include <string.h>

static void echo(dh_step *step) { dh_return(step, "result", NULL, dh_input(step, "value")); }

static void split(dh_step *step) {
    dh_text text = dh_input_text(step, "text");
    const char *line = text.data, *end = text.data + text.length;
    for (uint64_t n = 0; line < end; n++) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        if (!stop) stop = end;
        if (!dh_emit_text(step, "line", dh_key(step, "line_", n), line, (size_t)(stop - line))) return;
        line = stop + 1;
    }
}

static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\f' || c == '\r'; }

static void words(dh_step *step) {
    dh_text text = dh_input_text(step, "text");
    uint64_t count = 0;
    for (size_t at = 0; at < text.length;) {
        size_t begin = at;
        while (at < text.length && !is_space(text.data[at])) at++;
        if (at > begin) dh_return_text(step, "word", dh_key(step, "", count++), text.data + begin, at - begin);
        else at++;
    }
}

static void length(dh_step *step) {
    dh_text text = dh_input_text(step, "text");
    int64_t points = 0;
    for (size_t at = 0; at < text.length; at++) points += ((unsigned char)text.data[at] & 0xC0) != 0x80;
    dh_return_integer(step, "result", NULL, points);
}

static void join(dh_step *step) {
    const char *separator = dh_config_text(step, "separator", " ");
    dh_collected *texts = dh_input_collected(step, "texts");
    dh_element element;
    dh_writer joined = {0};
    for (bool first = true; dh_next(texts, &element); first = false) {
        dh_text text = dh_element_text(&element);
        if (!first) dh_append(&joined, separator, strlen(separator));
        dh_append(&joined, text.data, text.length);
    }
    dh_return_text(step, "result", NULL, joined.data, joined.length);
}

static void half(dh_step *step) {
    int64_t n = dh_input_integer(step, "n");
    if (n % 2 == 0) dh_return_integer(step, "half", NULL, n / 2);
}

static void fail(dh_step *step) {
    const char *kind = dh_config_text(step, "kind", "permanent");
    uint32_t attempt = dh_attempt(step);
    if (attempt > dh_config_integer(step, "until", INT64_MAX)) {
        dh_return_integer(step, "result", NULL, attempt);
        return;
    }
    /* dh_format would do in one line what takes 20 kB of printf. */
    dh_writer message = {0};
    dh_append(&message, "attempt ", 8);
    dh_append_integer(&message, attempt);
    dh_append(&message, " was asked to fail", sizeof " was asked to fail");
    dh_json detail = dh_json_get(dh_config(step), "detail");
    if (dh_json_type_of(detail) > DH_JSON_NULL)
        dh_fail_detail(step, (dh_value){.data = (const uint8_t *)detail.text, .length = detail.length});
    if (strcmp(kind, "retry_after") == 0)
        dh_fail_retry_after(step, (uint64_t)dh_config_integer(step, "delay_ms", 0), message.data);
    else
        dh_fail(step, strcmp(kind, "transient") == 0 ? DH_TRANSIENT : DH_PERMANENT, message.data);
}

static void tell(dh_step *step) {
    dh_log(step, DH_TRACE, "trace message", "language", "c", NULL);
    dh_log(step, DH_DEBUG, "debug message", "language", "c", NULL);
    dh_log(step, DH_INFO, "info message", "language", "c", NULL);
    dh_log(step, DH_WARN, "warn message", "language", "c", NULL);
    dh_log(step, DH_ERROR, "error message", "language", "c", NULL);
    dh_progress(step, 1, 2);

    size_t count;
    const dh_text *keys = dh_mapping_keys(step, &count);
    dh_text key = dh_step_key(step);
    dh_writer place = {0};
    dh_open_object(&place);
    dh_write_name(&place, "step");
    dh_write_text(&place, key.data, key.length);
    dh_write_name(&place, "keys");
    dh_open_array(&place);
    for (size_t n = 0; n < count; n++) dh_write_text(&place, keys[n].data, keys[n].length);
    dh_close_array(&place);
    dh_write_name(&place, "attempt");
    dh_write_integer(&place, dh_attempt(step));
    dh_close_object(&place);
    dh_return_json(step, "result", NULL, &place);
}

static void take(dh_step *step) {
    dh_writer taken = {0};
    dh_open_object(&taken);
    dh_write_name(&taken, "values");
    dh_write_json(&taken, dh_input_json(step, "values"));
    dh_write_name(&taken, "word");
    if (dh_input_given(step, "word")) dh_write_json(&taken, dh_input_json(step, "word"));
    else dh_write_null(&taken);
    dh_close_object(&taken);
    dh_return_json(step, "result", NULL, &taken);
}

static void census(dh_step *step) {
    dh_collected *values = dh_input_collected(step, "values");
    dh_element element;
    dh_writer seen = {0};
    dh_open_object(&seen);
    dh_write_name(&seen, "length");
    dh_write_integer(&seen, (int64_t)dh_collected_length(values));
    dh_write_name(&seen, "keys");
    dh_open_array(&seen);
    while (dh_next(values, &element)) dh_write_text(&seen, element.key.data, element.key.length);
    dh_close_array(&seen);
    size_t count;
    const dh_text *failed = dh_collected_failed(values, &count);
    dh_write_name(&seen, "failed");
    dh_open_array(&seen);
    for (size_t n = 0; n < count; n++) dh_write_text(&seen, failed[n].data, failed[n].length);
    dh_close_array(&seen);
    dh_close_object(&seen);
    dh_return_json(step, "result", NULL, &seen);
}

/* A member of an object as text, or what stands last. */
static const char *member(dh_json object, const char *name, const char *otherwise) {
    dh_text text;
    return dh_json_get_text(dh_json_get(object, name), &text) ? text.data : otherwise;
}

static void emit(dh_step *step) {
    dh_json outputs = dh_json_get(dh_config(step), "outputs"), output;
    dh_json_cursor at = {0};
    while (dh_json_next(outputs, &at, NULL, &output)) {
        dh_json bytes = dh_json_get(output, "bytes"), byte;
        dh_json_cursor in = {0};
        dh_writer data = {0};
        if (dh_json_type_of(bytes) == DH_JSON_ABSENT) dh_append(&data, "0", 1);
        while (dh_json_next(bytes, &in, NULL, &byte)) {
            int64_t value = 0;
            dh_json_get_integer(byte, &value);
            dh_append(&data, &(char){(char)value}, 1);
        }
        dh_value value = {member(output, "media_type", NULL), (const uint8_t *)data.data, data.length};
        if (!dh_emit(step, member(output, "name", ""), member(output, "key", NULL), value)) return;
    }
}

/* Below the SDK, which fails a step whose output was refused. */
static void swallow(dh_step *step) {
    (void)step;
    for (int n = 0; n < 2; n++) {
        dynhost_op_outputs_output_t item = {.name = {(uint8_t *)"item", 4},
                                            .mapping_key = {true, {(uint8_t *)"key", 3}},
                                            .value = {{(uint8_t *)"application/json", 16}, {(uint8_t *)"0", 1}}};
        dynhost_op_outputs_emit_error_t ignored;
        dynhost_op_outputs_emit(&item, &ignored);
    }
}

static void pull(dh_step *step) {
    dh_collected *values = dh_input_collected(step, "values");
    dh_json all = dh_json_get(dh_config(step), "max"), most;
    dh_json_cursor at = {0};
    dh_writer batches = {0};
    dh_open_array(&batches);
    while (dh_json_next(all, &at, NULL, &most)) {
        int64_t asked = 0;
        size_t count;
        dh_json_get_integer(most, &asked);
        const dh_element *batch = dh_next_batch(values, (uint32_t)asked, &count);
        dh_open_array(&batches);
        for (size_t n = 0; n < count; n++) dh_write_text(&batches, batch[n].key.data, batch[n].key.length);
        dh_close_array(&batches);
    }
    dh_close_array(&batches);
    dh_return_json(step, "result", NULL, &batches);
}

static void count(dh_step *step) {
    static int64_t steps;
    dh_return_integer(step, "result", NULL, ++steps);
}

static void trap(dh_step *step) {
    (void)step;
    __builtin_trap();
}

static void spin(dh_step *step) {
    for (volatile bool on = true; on;) (void)step;
}

static void grow(dh_step *step) {
    for (;;) {
        char *taken = malloc(1 << 20);
        if (!taken) break;
        *(volatile char *)taken = 1;
    }
    dh_fail(step, DH_PERMANENT, "there is no more memory");
}

#define JOINT "{\"type\":\"object\",\"properties\":{\"separator\":{\"type\":\"string\",\"default\":\" \"}}}"
#define MISHAP                                                                                                         \
    "{\"type\":\"object\",\"properties\":{"                                                                            \
    "\"kind\":{\"enum\":[\"permanent\",\"transient\",\"retry_after\"],\"default\":\"permanent\"},"                     \
    "\"until\":{\"type\":\"integer\",\"minimum\":0},"                                                                  \
    "\"delay_ms\":{\"type\":\"integer\",\"minimum\":0,\"default\":0},"                                              \
    "\"detail\":{}}}"
#define EMITTED                                                                                                        \
    "{\"type\":\"object\",\"required\":[\"outputs\"],\"properties\":{\"outputs\":{\"type\":\"array\",\"items\":{"           \
    "\"type\":\"object\",\"required\":[\"name\"],\"properties\":{"                                                      \
    "\"name\":{\"type\":\"string\"},\"key\":{\"type\":\"string\"},\"media_type\":{\"type\":\"string\"},"                    \
    "\"bytes\":{\"type\":\"array\",\"items\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":255}}}}}}}"
#define PULLED                                                                                                         \
    "{\"type\":\"object\",\"required\":[\"max\"],\"properties\":{\"max\":{\"type\":\"array\",\"items\":{"                  \
    "\"type\":\"integer\",\"minimum\":0,\"maximum\":4294967295}}}}"
#define ARRAY "{\"type\":\"array\"}"
#define INTEGERS "{\"type\":\"array\",\"items\":{\"type\":\"integer\"}}"
#define OBJECT "{\"type\":\"object\"}"
#define NEVER DH_OUTPUTS({.name = "result", .description = "Never given"})

DH_OPS({.name = "echo",
        .description = "Gives the value back as it is.",
        .inputs = DH_INPUTS({.name = "value", .description = "Anything"}),
        .outputs = DH_OUTPUTS({.name = "result", .description = "The value"}),
        .run = echo},
       {.name = "split",
        .description = "Emits each line of a text.",
        .inputs = DH_INPUTS({.name = "text", .description = "The text", .schema = DH_STRING}),
        .outputs = DH_OUTPUTS(
            {.name = "line", .description = "A line, without its end", .schema = DH_STRING, .dynamic = true}),
        .run = split},
       {.name = "words",
        .description = "Gives the words of a text as one list.",
        .inputs = DH_INPUTS({.name = "text", .description = "The text", .schema = DH_STRING}),
        .outputs = DH_OUTPUTS({.name = "word", .description = "A word", .schema = DH_STRING, .dynamic = true}),
        .run = words},
       {.name = "length",
        .description = "Counts the code points of a text.",
        .inputs = DH_INPUTS({.name = "text", .description = "The text", .schema = DH_STRING}),
        .outputs = DH_OUTPUTS({.name = "result", .description = "How many there are", .schema = DH_INTEGER}),
        .run = length},
       {.name = "join",
        .description = "Joins texts.",
        .inputs = DH_INPUTS({.name = "texts", .description = "The texts", .schema = DH_STRING, .collected = true}),
        .outputs = DH_OUTPUTS({.name = "result", .description = "One text", .schema = DH_STRING}),
        .config = JOINT,
        .run = join},
       {.name = "half",
        .description = "Halves an even number, and gives nothing for an odd one.",
        .inputs = DH_INPUTS({.name = "n", .description = "A number", .schema = DH_INTEGER}),
        .outputs = DH_OUTPUTS({.name = "half", .description = "The half", .schema = DH_INTEGER, .optional = true}),
        .run = half},
       {.name = "fail",
        .description = "Fails as it is asked to.",
        .inputs = DH_INPUTS({.name = "value", .description = "Anything"}),
        .outputs = DH_OUTPUTS({.name = "result", .description = "The attempt that succeeded", .schema = DH_INTEGER}),
        .config = MISHAP,
        .run = fail},
       {.name = "tell",
        .description = "Talks, and tells where it stands.",
        .inputs = DH_INPUTS({.name = "value", .description = "Anything"}),
        .outputs = DH_OUTPUTS(
            {.name = "result", .description = "Where the step stands", .schema = OBJECT}),
        .run = tell},
       {.name = "take",
        .description = "Gives what it takes.",
        .inputs = DH_INPUTS({.name = "values", .description = "Numbers", .schema = INTEGERS},
                            {.name = "word", .description = "A word", .schema = DH_STRING, .optional = true}),
        .outputs = DH_OUTPUTS({.name = "result", .description = "What was taken", .schema = OBJECT}),
        .run = take},
       {.name = "census",
        .description = "Counts elements, and tells their mapping keys.",
        .inputs = DH_INPUTS({.name = "values", .description = "Anything", .collected = true}),
        .outputs = DH_OUTPUTS({.name = "result", .description = "What there is", .schema = OBJECT}),
        .run = census},
       {.name = "emit",
        .description = "Emits what it is told to.",
        .outputs = DH_OUTPUTS(
            {.name = "item", .description = "An element", .dynamic = true},
            {.name = "result", .description = "A value that must be given"},
            {.name = "text", .description = "A text that may be given", .schema = DH_STRING, .optional = true}),
        .config = EMITTED,
        .run = emit},
       {.name = "swallow",
        .description = "Emits a mapping key twice, and ignores the answer.",
        .outputs = DH_OUTPUTS({.name = "item", .description = "An element", .dynamic = true}),
        .run = swallow},
       {.name = "pull",
        .description = "Pulls batches of elements, and tells the mapping keys of each.",
        .inputs = DH_INPUTS({.name = "values", .description = "Anything", .collected = true}),
        .outputs = DH_OUTPUTS({.name = "result", .description = "The mapping keys of each batch", .schema = ARRAY}),
        .config = PULLED,
        .run = pull},
       {.name = "count",
        .description = "Counts the steps that this instance has run.",
        .inputs = DH_INPUTS({.name = "value", .description = "Anything"}),
        .outputs = DH_OUTPUTS({.name = "result", .description = "How many", .schema = DH_INTEGER}),
        .run = count},
       {.name = "trap",
        .description = "Traps.",
        .inputs = DH_INPUTS({.name = "value", .description = "Anything"}),
        .outputs = NEVER,
        .run = trap},
       {.name = "spin",
        .description = "Computes without end.",
        .inputs = DH_INPUTS({.name = "value", .description = "Anything"}),
        .outputs = NEVER,
        .run = spin},
       {.name = "grow",
        .description = "Takes memory without end.",
        .inputs = DH_INPUTS({.name = "value", .description = "Anything"}),
        .outputs = NEVER,
        .run = grow})
