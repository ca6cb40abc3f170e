// The op `{{op}}`.
#include "dynhost.hpp"
#include "words.hpp"

static void run(dynhost::step step) {
    dh_return_integer(step.c(), "result", nullptr, count_words(step.text("text")));
}

static const dh_input_definition inputs[] = {{"text", "", DH_STRING, false, false}, {}};
static const dh_output_definition outputs[] = {{"result", "", DH_INTEGER, false, false}, {}};

const dh_op dh_ops[] = {
    {"{{op}}", "Counts the words of a text.", inputs, outputs, nullptr, dynhost::run<run>},
    {},
};
