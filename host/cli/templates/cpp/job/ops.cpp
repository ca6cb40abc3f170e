// The ops of the job `{{name}}`.
#include "dynhost.hpp"
#include "words.hpp"

// Emits each line of a text: clones start while it runs.
static void split(dynhost::step step) {
    std::string_view text = step.text("text");
    for (std::uint64_t n = 0; !text.empty(); n++) {
        std::string_view line = text.substr(0, text.find('\n'));
        if (!step.emit("line", dh_key(step.c(), "line_", n), line)) return;
        text.remove_prefix(line.size() < text.size() ? line.size() + 1 : line.size());
    }
}

static void measure(dynhost::step step) {
    dh_return_integer(step.c(), "words", nullptr, count_words(step.text("line")));
}

static void total(dynhost::step step) {
    dh_collected *counts = dh_input_collected(step.c(), "counts");
    dh_element count;
    std::int64_t sum = 0;
    while (dh_next(counts, &count)) sum += dh_element_integer(&count);
    dh_return_integer(step.c(), "sum", nullptr, sum);
}

// Name, description, schema, optional, collected.
static const dh_input_definition split_inputs[] = {{"text", "", DH_STRING, false, false}, {}};
static const dh_input_definition measure_inputs[] = {{"line", "", DH_STRING, false, false}, {}};
static const dh_input_definition total_inputs[] = {{"counts", "", DH_INTEGER, false, true}, {}};

// Name, description, schema, optional, dynamic.
static const dh_output_definition split_outputs[] = {{"line", "", DH_STRING, false, true}, {}};
static const dh_output_definition measure_outputs[] = {{"words", "", DH_INTEGER, false, false}, {}};
static const dh_output_definition total_outputs[] = {{"sum", "", DH_INTEGER, false, false}, {}};

const dh_op dh_ops[] = {
    {"split", "Splits a text into lines, one dynamic output for each.", split_inputs, split_outputs, nullptr,
     dynhost::run<split>},
    {"measure", "Counts the words of one line.", measure_inputs, measure_outputs, nullptr, dynhost::run<measure>},
    {"total", "Adds up what was measured, pulling one batch after the other.", total_inputs, total_outputs, nullptr,
     dynhost::run<total>},
    {},
};
