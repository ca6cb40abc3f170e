/* The ops that every SDK offers; what they do is said in tests/black_box/languages/conformance.rs. */
#include "../dynhost.h"

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

#define JOINT "{\"type\":\"object\",\"properties\":{\"separator\":{\"type\":\"string\",\"default\":\" \"}}}"
#define MISHAP                                                                                                         \
    "{\"type\":\"object\",\"properties\":{"                                                                            \
    "\"kind\":{\"enum\":[\"permanent\",\"transient\",\"retry_after\"],\"default\":\"permanent\"},"                     \
    "\"until\":{\"type\":\"integer\",\"minimum\":0},"                                                                  \
    "\"delay_ms\":{\"type\":\"integer\",\"minimum\":0,\"default\":0}}}"

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
            {.name = "result", .description = "Where the step stands", .schema = "{\"type\":\"object\"}"}),
        .run = tell})
