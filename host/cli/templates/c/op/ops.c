/* The op `{{op}}`. */
#include "dynhost.h"
#include "words.h"

static void run(dh_step *step) {
    dh_text text = dh_input_text(step, "text");
    dh_return_integer(step, "result", NULL, count_words(text.data, text.length));
}

DH_OPS({.name = "{{op}}",
        .description = "Counts the words of a text.",
        .inputs = DH_INPUTS({.name = "text", .schema = DH_STRING}),
        .outputs = DH_OUTPUTS({.name = "result", .schema = DH_INTEGER}),
        .run = run})
