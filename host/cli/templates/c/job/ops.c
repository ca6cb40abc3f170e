/* The ops of the job `{{name}}`. */
#include "dynhost.h"
#include "words.h"

#include <string.h>

/* Emits each line of a text: clones start while it runs. */
static void split(dh_step *step) {
    dh_text text = dh_input_text(step, "text");
    const char *line = text.data, *end = line + text.length;
    for (uint64_t n = 0; line < end; n++) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        if (!stop) stop = end;
        if (!dh_emit_text(step, "line", dh_key(step, "line_", n), line, (size_t)(stop - line))) return;
        line = stop + 1;
    }
}

static void measure(dh_step *step) {
    dh_text line = dh_input_text(step, "line");
    dh_return_integer(step, "words", NULL, count_words(line.data, line.length));
}

static void total(dh_step *step) {
    dh_collected *counts = dh_input_collected(step, "counts");
    dh_element count;
    int64_t sum = 0;
    while (dh_next(counts, &count)) sum += dh_element_integer(&count);
    dh_return_integer(step, "sum", NULL, sum);
}

DH_OPS({.name = "split",
        .description = "Splits a text into lines, one dynamic output for each.",
        .inputs = DH_INPUTS({.name = "text", .schema = DH_STRING}),
        .outputs = DH_OUTPUTS({.name = "line", .schema = DH_STRING, .dynamic = true}),
        .run = split},
       {.name = "measure",
        .description = "Counts the words of one line.",
        .inputs = DH_INPUTS({.name = "line", .schema = DH_STRING}),
        .outputs = DH_OUTPUTS({.name = "words", .schema = DH_INTEGER}),
        .run = measure},
       {.name = "total",
        .description = "Adds up what was measured, pulling one batch after the other.",
        .inputs = DH_INPUTS({.name = "counts", .schema = DH_INTEGER, .collected = true}),
        .outputs = DH_OUTPUTS({.name = "sum", .schema = DH_INTEGER}),
        .run = total})
