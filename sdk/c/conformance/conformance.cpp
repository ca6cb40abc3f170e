/* The ops of conformance.c in C++: what they do is said in docs/languages.md. */
#include "../dynhost.hpp"
#include "../generated/component.h"

#include <cstdlib>
#include <string>
#include <vector>

using dynhost::blob;
using dynhost::step;
using std::string;
using std::string_view;
using std::vector;

namespace {

void split(step step) {
    string_view text = step.text("text");
    for (int n = 0; !text.empty(); n++) {
        size_t stop = text.find('\n');
        if (!step.emit("line", "line_" + std::to_string(n), text.substr(0, stop))) return;
        text.remove_prefix(stop == text.npos ? text.size() : stop + 1);
    }
}

void words(step step) {
    const char *space = " \t\n\f\r";
    string_view text = step.text("text");
    for (int n = 0;; n++) {
        size_t begin = text.find_first_not_of(space);
        if (begin == text.npos) return;
        size_t end = text.find_first_of(space, begin);
        step.give("word", std::to_string(n), text.substr(begin, end - begin));
        text.remove_prefix(end == text.npos ? text.size() : end);
    }
}

void join(step step) {
    auto separator = step.config<string>("separator", " ");
    string joined;
    bool first = true;
    for (auto &[key, text] : step.collected<string>("texts")) {
        if (!first) joined += separator;
        joined += text;
        first = false;
    }
    step.give("result", joined);
}

void fail(step step) {
    uint32_t attempt = step.attempt();
    if (attempt > step.config<int64_t>("until", INT64_MAX)) {
        step.give("result", attempt);
        return;
    }
    string message = "attempt " + std::to_string(attempt) + " was asked to fail";
    auto kind = step.config<string>("kind", "permanent");
    if (dh_json detail = dh_json_get(step.config(), "detail"); dh_json_type_of(detail) > DH_JSON_NULL)
        step.detail(detail);
    if (kind == "retry_after")
        step.fail_for_now(message, std::chrono::milliseconds(step.config<int64_t>("delay_ms", 0)));
    else if (kind == "transient") step.fail_for_now(message);
    else step.fail(message);
}

void tell(step step) {
    step.log(DH_TRACE, "trace message", {{"language", "c++"}});
    step.log(DH_DEBUG, "debug message", {{"language", "c++"}});
    step.info("info message", {{"language", "c++"}});
    step.warn("warn message", {{"language", "c++"}});
    step.log(DH_ERROR, "error message", {{"language", "c++"}});
    step.progress(1, 2);
    step.give("result",
              dynhost::object("step", step.key(), "keys", step.mapping_keys(), "attempt", step.attempt()));
}

void census(step step) {
    auto values = step.collected<dh_value>("values");
    vector<string> keys;
    for (auto &[key, value] : values) keys.emplace_back(key);
    step.give("result", dynhost::object("length", values.size(), "keys", keys, "failed", values.failed_keys()));
}

/* What `emit` is told to give. */
struct given {
    string name, media_type;
    std::optional<string> key;
    vector<uint8_t> bytes;
};

bool from_json(dh_json json, given &out) {
    using dynhost::from_json;
    auto member = [&](const char *name) { return dh_json_get(json, name); };
    if (!from_json(member("media_type"), out.media_type)) out.media_type = "application/json";
    if (!from_json(member("bytes"), out.bytes)) out.bytes = {'0'};
    return from_json(member("name"), out.name) && from_json(member("key"), out.key);
}

void emit(step step) {
    for (const given &one : step.config<vector<given>>("outputs", {})) {
        blob value{one.media_type, string(one.bytes.begin(), one.bytes.end())};
        bool went = one.key ? step.emit(one.name.c_str(), *one.key, value) : step.emit(one.name.c_str(), value);
        if (!went) return;
    }
}

/* Below the SDK, which fails a step whose output was refused. */
void swallow(step) {
    auto text = [](const char *literal) {
        return component_string_t{(uint8_t *)literal, string_view(literal).size()};
    };
    for (int n = 0; n < 2; n++) {
        dynhost_op_outputs_output_t item{
            text("item"), {true, text("key")}, {text("application/json"), {(uint8_t *)"0", 1}}};
        dynhost_op_outputs_emit_error_t ignored;
        dynhost_op_outputs_emit(&item, &ignored);
    }
}

void pull(step step) {
    auto values = step.collected<dh_value>("values");
    vector<vector<string>> batches;
    for (auto most : step.config<vector<uint32_t>>("max", {})) {
        auto &keys = batches.emplace_back();
        for (auto &[key, value] : values.batch(most)) keys.emplace_back(key);
    }
    step.give("result", batches);
}

} // namespace

#define INTEGERS R"({"type":"array","items":{"type":"integer"}})"
#define OBJECT R"({"type":"object"})"
#define JOINT R"({"type":"object","properties":{"separator":{"type":"string","default":" "}}})"
#define MISHAP                                                                                                         \
    R"({"type":"object","properties":{"kind":{"enum":["permanent","transient","retry_after"],"default":"permanent"},)" \
    R"("until":{"type":"integer","minimum":0},"delay_ms":{"type":"integer","minimum":0,"default":0},"detail":{}}})"
#define EMITTED                                                                                                        \
    R"({"type":"object","required":["outputs"],"properties":{"outputs":{"type":"array","items":{)"                     \
    R"("type":"object","required":["name"],"properties":{"name":{"type":"string"},"key":{"type":"string"},)"           \
    R"("media_type":{"type":"string"},"bytes":{"type":"array","items":{"type":"integer","minimum":0,"maximum":255}}}}}}})"
#define PULLED                                                                                                         \
    R"({"type":"object","required":["max"],"properties":{"max":{"type":"array","items":{)"                             \
    R"("type":"integer","minimum":0,"maximum":4294967295}}}})"
#define ARRAY R"({"type":"array"})"
#define ANYTHING DH_INPUTS({.name = "value", .description = "Anything"})
#define TEXT DH_INPUTS({.name = "text", .description = "The text", .schema = DH_STRING})
#define NEVER DH_OUTPUTS({.name = "result", .description = "Never given"})

DH_OPS({.name = "echo",
        .description = "Gives the value back as it is.",
        .inputs = ANYTHING,
        .outputs = DH_OUTPUTS({.name = "result", .description = "The value"}),
        .run = dynhost::op([](step step) { step.give("result", step.input<dh_value>("value")); })},
       {.name = "split",
        .description = "Emits each line of a text.",
        .inputs = TEXT,
        .outputs = DH_OUTPUTS(
            {.name = "line", .description = "A line, without its end", .schema = DH_STRING, .dynamic = true}),
        .run = dynhost::run<split>},
       {.name = "words",
        .description = "Gives the words of a text as one list.",
        .inputs = TEXT,
        .outputs = DH_OUTPUTS({.name = "word", .description = "A word", .schema = DH_STRING, .dynamic = true}),
        .run = dynhost::run<words>},
       {.name = "length",
        .description = "Counts the code points of a text.",
        .inputs = TEXT,
        .outputs = DH_OUTPUTS({.name = "result", .description = "How many there are", .schema = DH_INTEGER}),
        .run = dynhost::op([](step step) {
            int64_t points = 0;
            for (char c : step.text("text")) points += (c & 0xC0) != 0x80;
            step.give("result", points);
        })},
       {.name = "join",
        .description = "Joins texts.",
        .inputs = DH_INPUTS({.name = "texts", .description = "The texts", .schema = DH_STRING, .collected = true}),
        .outputs = DH_OUTPUTS({.name = "result", .description = "One text", .schema = DH_STRING}),
        .config = JOINT,
        .run = dynhost::run<join>},
       {.name = "half",
        .description = "Halves an even number, and gives nothing for an odd one.",
        .inputs = DH_INPUTS({.name = "n", .description = "A number", .schema = DH_INTEGER}),
        .outputs = DH_OUTPUTS({.name = "half", .description = "The half", .schema = DH_INTEGER, .optional = true}),
        .run = dynhost::op([](step step) {
            if (auto n = step.input<int64_t>("n"); n % 2 == 0) step.give("half", n / 2);
        })},
       {.name = "fail",
        .description = "Fails as it is asked to.",
        .inputs = ANYTHING,
        .outputs = DH_OUTPUTS({.name = "result", .description = "The attempt that succeeded", .schema = DH_INTEGER}),
        .config = MISHAP,
        .run = dynhost::run<fail>},
       {.name = "tell",
        .description = "Talks, and tells where it stands.",
        .inputs = ANYTHING,
        .outputs = DH_OUTPUTS({.name = "result", .description = "Where the step stands", .schema = OBJECT}),
        .run = dynhost::run<tell>},
       {.name = "take",
        .description = "Gives what it takes.",
        .inputs = DH_INPUTS({.name = "values", .description = "Numbers", .schema = INTEGERS},
                            {.name = "word", .description = "A word", .schema = DH_STRING, .optional = true}),
        .outputs = DH_OUTPUTS({.name = "result", .description = "What was taken", .schema = OBJECT}),
        .run = dynhost::op([](step step) {
            auto values = step.input<vector<int64_t>>("values");
            step.give("result", dynhost::object("values", values, "word", step.input<std::optional<string>>("word")));
        })},
       {.name = "census",
        .description = "Counts elements, and tells their mapping keys.",
        .inputs = DH_INPUTS({.name = "values", .description = "Anything", .collected = true}),
        .outputs = DH_OUTPUTS({.name = "result", .description = "What there is", .schema = OBJECT}),
        .run = dynhost::run<census>},
       {.name = "emit",
        .description = "Emits what it is told to.",
        .outputs = DH_OUTPUTS(
            {.name = "item", .description = "An element", .dynamic = true},
            {.name = "result", .description = "A value that must be given"},
            {.name = "text", .description = "A text that may be given", .schema = DH_STRING, .optional = true}),
        .config = EMITTED,
        .run = dynhost::run<emit>},
       {.name = "swallow",
        .description = "Emits a mapping key twice, and ignores the answer.",
        .outputs = DH_OUTPUTS({.name = "item", .description = "An element", .dynamic = true}),
        .run = dynhost::run<swallow>},
       {.name = "pull",
        .description = "Pulls batches of elements, and tells the mapping keys of each.",
        .inputs = DH_INPUTS({.name = "values", .description = "Anything", .collected = true}),
        .outputs = DH_OUTPUTS({.name = "result", .description = "The mapping keys of each batch", .schema = ARRAY}),
        .config = PULLED,
        .run = dynhost::run<pull>},
       {.name = "count",
        .description = "Counts the steps that this instance has run.",
        .inputs = ANYTHING,
        .outputs = DH_OUTPUTS({.name = "result", .description = "How many", .schema = DH_INTEGER}),
        .run = dynhost::op([](step step) {
            static int steps;
            step.give("result", ++steps);
        })},
       {.name = "trap",
        .description = "Traps.",
        .inputs = ANYTHING,
        .outputs = NEVER,
        .run = dynhost::op([](step) { __builtin_trap(); })},
       {.name = "spin",
        .description = "Computes without end.",
        .inputs = ANYTHING,
        .outputs = NEVER,
        .run = dynhost::op([](step) {
            for (volatile bool on = true; on;) {}
        })},
       {.name = "grow",
        .description = "Takes memory without end.",
        .inputs = ANYTHING,
        .outputs = NEVER,
        .run = dynhost::op([](step) {
            for (vector<string> taken;;) taken.emplace_back(1 << 20, 'x');
        })})
