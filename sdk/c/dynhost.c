#include "dynhost.h"

#include "generated/component.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JSON "application/json"
/* How many elements of a collected input are asked for at once. */
#define BATCH 256

typedef exports_dynhost_op_op_tuple2_string_input_value_t given_input;

struct dh_collected {
    dh_step *step;
    dynhost_op_inputs_borrow_collected_t handle;
    dynhost_op_inputs_list_element_t batch;
    size_t held, at; /* elements of the batch: the op holds these, and those from `at` on are to come */
    dh_element *elements;
    bool ended;
    char *text; /* what was decoded of an element */
};

struct dh_step {
    given_input *inputs;
    size_t input_count;
    exports_dynhost_op_op_output_t *outputs;
    size_t output_count, output_capacity;
    dh_writer scratch, key;
    dh_json config;
    bool has_config, failed;
    dynhost_op_types_failure_t failure;
    dh_value detail;
    bool has_detail;
};

/* ---- memory and text ---- */

static void *take(size_t size) {
    void *memory = malloc(size ? size : 1);
    if (!memory) abort();
    return memory;
}

/* The text with a NUL after it, in memory of its own. Strings of the interface are UTF-8; the host could not read any
 * other, so what is none becomes U+FFFD. */
static component_string_t copied(const char *text, size_t length) {
    size_t at = 0, wrong = 0;
    while (at < length) {
        size_t width = dh_utf8_width(text + at, length - at);
        if (!width) wrong++;
        at += width ? width : 1;
    }
    char *copy = take(length + 2 * wrong + 1), *to = copy;
    for (at = 0; at < length;) {
        size_t width = dh_utf8_width(text + at, length - at);
        memcpy(to, width ? text + at : "\xEF\xBF\xBD", width ? width : 3);
        to += width ? width : 3;
        at += width ? width : 1;
    }
    *to = 0;
    component_string_t string = {(uint8_t *)copy, (size_t)(to - copy)};
    return string;
}

static component_string_t copy_of(const char *text) { return copied(text ? text : "", text ? strlen(text) : 0); }

static dh_text text_of(component_string_t string) {
    component_string_t copy = copied((const char *)string.ptr, string.len);
    dh_text text = {(const char *)copy.ptr, copy.len};
    return text;
}

const char *dh_format(dh_step *step, const char *format, ...) {
    (void)step;
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0) abort();
    char *text = take((size_t)length + 1);
    vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}

const char *dh_key(dh_step *step, const char *prefix, uint64_t number) {
    dh_writer_clear(&step->key);
    dh_append(&step->key, prefix, strlen(prefix));
    if (number > INT64_MAX) {
        dh_append_integer(&step->key, (int64_t)(number / 10));
        number %= 10;
    }
    dh_append_integer(&step->key, (int64_t)number);
    dh_append(&step->key, "", 1);
    return step->key.data;
}

/* ---- failing ---- */

static void fail_with(dh_step *step, uint8_t tag, uint64_t milliseconds, const char *message) {
    if (step->failed) return;
    step->failed = true;
    dynhost_op_types_failure_detail_t detail = {copy_of(message), {false, {{0}, {0}}}};
    if (step->has_detail) {
        detail.detail.is_some = true;
        detail.detail.val.media_type = copy_of(step->detail.media_type ? step->detail.media_type : JSON);
        detail.detail.val.data.len = step->detail.length;
        detail.detail.val.data.ptr = take(step->detail.length);
        if (step->detail.length) memcpy(detail.detail.val.data.ptr, step->detail.data, step->detail.length);
    }
    step->failure.tag = tag;
    if (tag == DYNHOST_OP_TYPES_FAILURE_RETRY_AFTER) {
        step->failure.val.retry_after.f0 = detail;
        step->failure.val.retry_after.f1 = milliseconds;
    } else {
        step->failure.val.permanent = detail;
    }
}

void dh_fail(dh_step *step, dh_failure_kind kind, const char *message) {
    fail_with(step, kind == DH_TRANSIENT ? DYNHOST_OP_TYPES_FAILURE_TRANSIENT : DYNHOST_OP_TYPES_FAILURE_PERMANENT, 0,
              message);
}

void dh_fail_retry_after(dh_step *step, uint64_t milliseconds, const char *message) {
    fail_with(step, DYNHOST_OP_TYPES_FAILURE_RETRY_AFTER, milliseconds, message);
}

void dh_fail_detail(dh_step *step, dh_value detail) {
    uint8_t *data = take(detail.length);
    if (detail.length) memcpy(data, detail.data, detail.length);
    step->detail = detail;
    step->detail.data = data;
    if (detail.media_type) step->detail.media_type = (const char *)copy_of(detail.media_type).ptr;
    step->has_detail = true;
}

bool dh_failed(const dh_step *step) { return step->failed; }

/* Fails the step with words put together of NULL-terminated parts. */
static void fail_because(dh_step *step, const char *part, ...) {
    dh_writer message = {0};
    va_list parts;
    va_start(parts, part);
    for (; part; part = va_arg(parts, const char *)) dh_append(&message, part, strlen(part));
    va_end(parts);
    dh_append(&message, "", 1);
    dh_fail(step, DH_PERMANENT, message.data);
    dh_writer_free(&message);
}

/* ---- inputs ---- */

static given_input *find(dh_step *step, const char *name) {
    size_t length = strlen(name);
    for (size_t n = 0; n < step->input_count; n++)
        if (step->inputs[n].f0.len == length && memcmp(step->inputs[n].f0.ptr, name, length) == 0)
            return &step->inputs[n];
    fail_because(step, "the op asks for an input `", name, "`, which its definition does not have", NULL);
    return NULL;
}

bool dh_input_given(dh_step *step, const char *name) {
    given_input *input = find(step, name);
    return input && input->f1.tag != EXPORTS_DYNHOST_OP_OP_INPUT_VALUE_ABSENT;
}

static bool is_json(const char *type) {
    if (!type) return true;
    size_t length = strcspn(type, ";");
    while (length && type[length - 1] == ' ') length--;
    return (length == strlen(JSON) && memcmp(type, JSON, length) == 0) ||
           (length >= 5 && memcmp(type + length - 5, "+json", 5) == 0);
}

static dh_value value_of(const dynhost_op_types_value_t *given) {
    dh_value value = {(const char *)copied((const char *)given->media_type.ptr, given->media_type.len).ptr,
                      given->data.ptr, given->data.len};
    return value;
}

/* Makes one value of several, so that whatever asks finds a single one. */
static void gather(dh_step *step, given_input *input, const char *name) {
    exports_dynhost_op_op_list_value_t many = input->f1.val.many;
    dh_writer array = {0};
    dh_open_array(&array);
    for (size_t n = 0; n < many.len; n++) {
        dh_value value = value_of(&many.ptr[n]);
        if (!is_json(value.media_type))
            fail_because(step, "input `", name, "`: several values of `", value.media_type, "` are not one", NULL);
        dh_json json = {(const char *)value.data, value.length};
        dh_write_json(&array, json);
    }
    dh_close_array(&array);
    input->f1.tag = EXPORTS_DYNHOST_OP_OP_INPUT_VALUE_SINGLE;
    component_string_t json = copy_of(JSON);
    input->f1.val.single.media_type = json;
    input->f1.val.single.data.ptr = (uint8_t *)array.data;
    input->f1.val.single.data.len = array.length;
}

dh_value dh_input(dh_step *step, const char *name) {
    static const dh_value none = {"", NULL, 0};
    given_input *input = find(step, name);
    if (!input) return none;
    switch (input->f1.tag) {
    case EXPORTS_DYNHOST_OP_OP_INPUT_VALUE_MANY: gather(step, input, name); break;
    case EXPORTS_DYNHOST_OP_OP_INPUT_VALUE_SINGLE: break;
    case EXPORTS_DYNHOST_OP_OP_INPUT_VALUE_ABSENT:
        fail_because(step, "input `", name, "` is not given; ask with dh_input_given", NULL);
        return none;
    default:
        fail_because(step, "input `", name, "` is collected; take it with dh_input_collected", NULL);
        return none;
    }
    return value_of(&input->f1.val.single);
}

/* The JSON in a value; `what` is where it stands, for people. */
static dh_json json_in(dh_step *step, dh_value value, const char *what, const char *name) {
    dh_json json = {NULL, 0};
    if (step->failed) return json;
    if (!is_json(value.media_type)) {
        fail_because(step, what, " `", name, "` is `", value.media_type, "`, not JSON", NULL);
        return json;
    }
    json = dh_json_parse((const char *)value.data, value.length);
    if (dh_json_type_of(json) == DH_JSON_ABSENT) fail_because(step, what, " `", name, "` is not JSON", NULL);
    return json;
}

static const char *type_name(dh_json value) {
    static const char *const names[] = {"nothing", "null", "a boolean", "a number", "a string", "an array", "an object"};
    return names[dh_json_type_of(value)];
}

static void unfit(dh_step *step, const char *what, const char *name, const char *wanted, dh_json found) {
    fail_because(step, what, " `", name, "` is not ", wanted, " but ", type_name(found), NULL);
}

static dh_text text_in(dh_step *step, dh_json json, const char *what, const char *name) {
    dh_text text = {"", 0};
    if (!step->failed && !dh_json_get_text(json, &text)) unfit(step, what, name, "a string", json);
    return text;
}

static int64_t integer_in(dh_step *step, dh_json json, const char *what, const char *name) {
    int64_t value = 0;
    if (!step->failed && !dh_json_get_integer(json, &value))
        unfit(step, what, name, "an integer of 64 bits", json);
    return value;
}

static double number_in(dh_step *step, dh_json json, const char *what, const char *name) {
    double value = 0;
    if (!step->failed && !dh_json_get_number(json, &value)) unfit(step, what, name, "a number", json);
    return value;
}

static bool bool_in(dh_step *step, dh_json json, const char *what, const char *name) {
    bool value = false;
    if (!step->failed && !dh_json_get_bool(json, &value)) unfit(step, what, name, "a boolean", json);
    return value;
}

dh_json dh_input_json(dh_step *step, const char *name) { return json_in(step, dh_input(step, name), "input", name); }

dh_text dh_input_text(dh_step *step, const char *name) {
    return text_in(step, dh_input_json(step, name), "input", name);
}

int64_t dh_input_integer(dh_step *step, const char *name) {
    return integer_in(step, dh_input_json(step, name), "input", name);
}

double dh_input_number(dh_step *step, const char *name) {
    return number_in(step, dh_input_json(step, name), "input", name);
}

bool dh_input_bool(dh_step *step, const char *name) { return bool_in(step, dh_input_json(step, name), "input", name); }

/* ---- collected inputs ---- */

dh_collected *dh_input_collected(dh_step *step, const char *name) {
    dh_collected *collected = take(sizeof *collected);
    memset(collected, 0, sizeof *collected);
    collected->step = step;
    given_input *input = find(step, name);
    if (!input || input->f1.tag != EXPORTS_DYNHOST_OP_OP_INPUT_VALUE_COLLECTED) {
        if (input) fail_because(step, "input `", name, "` is not given as a collected one", NULL);
        collected->ended = true;
        return collected;
    }
    collected->handle = dynhost_op_inputs_borrow_collected(input->f1.val.collected);
    return collected;
}

uint64_t dh_collected_length(dh_collected *collected) {
    return collected->handle.__handle ? dynhost_op_inputs_method_collected_len(collected->handle) : 0;
}

static const dh_text *texts_of(component_list_string_t list, size_t *count) {
    dh_text *texts = take(list.len * sizeof *texts);
    for (size_t n = 0; n < list.len; n++) texts[n] = text_of(list.ptr[n]);
    *count = list.len;
    return texts;
}

const dh_text *dh_collected_failed(dh_collected *collected, size_t *count) {
    component_list_string_t keys = {NULL, 0};
    if (collected->handle.__handle) dynhost_op_inputs_method_collected_failed_keys(collected->handle, &keys);
    return texts_of(keys, count);
}

/* Gives back what the op holds, and asks the host for more where nothing is left; false at the end. */
static bool pull(dh_collected *collected, uint32_t most) {
    if (collected->ended || collected->step->failed) return false;
    free(collected->text);
    free(collected->elements);
    collected->text = NULL;
    collected->elements = NULL;
    for (; collected->held < collected->at; collected->held++)
        dynhost_op_inputs_element_free(&collected->batch.ptr[collected->held]);
    if (collected->at < collected->batch.len) return true;
    free(collected->batch.len ? collected->batch.ptr : NULL);
    collected->held = collected->at = collected->batch.len = 0;
    dynhost_op_inputs_method_collected_next(collected->handle, most, &collected->batch);
    collected->ended = !collected->batch.len;
    return !collected->ended;
}

/* The element that is next in the batch. */
static void fill(dh_collected *collected, dh_element *element) {
    dynhost_op_inputs_element_t *given = &collected->batch.ptr[collected->at++];
    /* A NUL after each, in the place of what the host gave. */
    component_string_t key = copied((const char *)given->mapping_key.ptr, given->mapping_key.len);
    component_string_t type = copied((const char *)given->value.media_type.ptr, given->value.media_type.len);
    component_string_free(&given->mapping_key);
    component_string_free(&given->value.media_type);
    given->mapping_key = key;
    given->value.media_type = type;
    element->from = collected;
    element->key.data = (const char *)key.ptr;
    element->key.length = key.len;
    element->value.media_type = (const char *)type.ptr;
    element->value.data = given->value.data.ptr;
    element->value.length = given->value.data.len;
}

bool dh_next(dh_collected *collected, dh_element *element) {
    if (!pull(collected, BATCH)) return false;
    fill(collected, element);
    return true;
}

const dh_element *dh_next_batch(dh_collected *collected, uint32_t most, size_t *count) {
    *count = 0;
    if (!pull(collected, most)) return NULL;
    size_t left = collected->batch.len - collected->at;
    if (most < left) left = most ? most : 1;
    collected->elements = take(left * sizeof *collected->elements);
    for (; *count < left; ++*count) fill(collected, &collected->elements[*count]);
    return collected->elements;
}

dh_json dh_element_json(const dh_element *element) {
    return json_in(element->from->step, element->value, "element", element->key.data);
}

dh_text dh_element_text(const dh_element *element) {
    dh_collected *from = element->from;
    dh_json json = dh_element_json(element);
    free(from->text);
    from->text = NULL;
    dh_text text = text_in(from->step, json, "element", element->key.data);
    if (!from->step->failed) from->text = (char *)text.data;
    return text;
}

int64_t dh_element_integer(const dh_element *element) {
    return integer_in(element->from->step, dh_element_json(element), "element", element->key.data);
}

double dh_element_number(const dh_element *element) {
    return number_in(element->from->step, dh_element_json(element), "element", element->key.data);
}

/* ---- configuration ---- */

dh_json dh_config(dh_step *step) {
    if (!step->has_config) {
        component_string_t text;
        dynhost_op_step_config(&text);
        step->config = dh_json_parse((const char *)text.ptr, text.len);
        step->has_config = true;
    }
    return step->config;
}

/* A member of the configuration; absent if it is null. */
static dh_json member(dh_step *step, const char *name) {
    dh_json value = dh_json_get(dh_config(step), name), absent = {NULL, 0};
    return dh_json_type_of(value) == DH_JSON_NULL ? absent : value;
}

const char *dh_config_text(dh_step *step, const char *name, const char *otherwise) {
    dh_json value = member(step, name);
    return value.length ? text_in(step, value, "config", name).data : otherwise;
}

int64_t dh_config_integer(dh_step *step, const char *name, int64_t otherwise) {
    dh_json value = member(step, name);
    return value.length ? integer_in(step, value, "config", name) : otherwise;
}

double dh_config_number(dh_step *step, const char *name, double otherwise) {
    dh_json value = member(step, name);
    return value.length ? number_in(step, value, "config", name) : otherwise;
}

bool dh_config_bool(dh_step *step, const char *name, bool otherwise) {
    dh_json value = member(step, name);
    return value.length ? bool_in(step, value, "config", name) : otherwise;
}

/* ---- outputs ---- */

static void refused(dh_step *step, const char *output, const dynhost_op_outputs_emit_error_t *error) {
    static const char *const reasons[] = {
        "its definition does not have it",
        "it is dynamic and was given without a mapping key",
        "it is not dynamic and was given with a mapping key",
        "its mapping key is malformed",
        "its mapping key was given twice",
        "it is not dynamic and was given twice",
        "it is too large",
        "the run is being cancelled",
    };
    const char *reason = error->tag < sizeof reasons / sizeof *reasons ? reasons[error->tag] : "it was refused";
    fail_because(step, "output `", output, "` was not accepted: ", reason, NULL);
}

static component_string_t lent(const char *text) {
    component_string_t string = {(uint8_t *)text, strlen(text)};
    return string;
}

static bool is_utf8(const char *text) {
    size_t left = strlen(text), width;
    for (; left; text += width, left -= width)
        if (!(width = dh_utf8_width(text, left))) return false;
    return true;
}

bool dh_emit(dh_step *step, const char *output, const char *key, dh_value value) {
    if (step->failed) return false;
    if (key && !is_utf8(key)) {
        fail_because(step, "output `", output, "` was not accepted: its mapping key `", key, "` is not UTF-8", NULL);
        return false;
    }
    dynhost_op_outputs_output_t given;
    memset(&given, 0, sizeof given);
    given.name = lent(output);
    given.mapping_key.is_some = key != NULL;
    if (key) given.mapping_key.val = lent(key);
    given.value.media_type = lent(value.media_type ? value.media_type : JSON);
    given.value.data.ptr = (uint8_t *)value.data;
    given.value.data.len = value.length;
    dynhost_op_outputs_emit_error_t error;
    if (!dynhost_op_outputs_emit(&given, &error)) refused(step, output, &error);
    return !step->failed;
}

bool dh_return(dh_step *step, const char *output, const char *key, dh_value value) {
    if (step->failed) return false;
    if (step->output_count == step->output_capacity) {
        step->output_capacity = step->output_capacity ? 2 * step->output_capacity : 8;
        step->outputs = realloc(step->outputs, step->output_capacity * sizeof *step->outputs);
        if (!step->outputs) abort();
    }
    exports_dynhost_op_op_output_t *kept = &step->outputs[step->output_count++];
    memset(kept, 0, sizeof *kept);
    kept->name = copy_of(output);
    kept->mapping_key.is_some = key != NULL;
    if (key) kept->mapping_key.val = copy_of(key);
    kept->value.media_type = copy_of(value.media_type ? value.media_type : JSON);
    kept->value.data.ptr = take(value.length);
    kept->value.data.len = value.length;
    if (value.length) memcpy(kept->value.data.ptr, value.data, value.length);
    return true;
}

typedef bool giving(dh_step *step, const char *output, const char *key, dh_value value);

static bool give_written(giving *give, dh_step *step, const char *output, const char *key, const dh_writer *json) {
    dh_value value = {JSON, (const uint8_t *)json->data, json->length};
    return give(step, output, key, value);
}

static bool give_text(giving *give, dh_step *step, const char *output, const char *key, const char *data,
                      size_t length) {
    dh_writer_clear(&step->scratch);
    dh_write_text(&step->scratch, data, length);
    return give_written(give, step, output, key, &step->scratch);
}

static bool give_integer(giving *give, dh_step *step, const char *output, const char *key, int64_t value) {
    dh_writer_clear(&step->scratch);
    dh_write_integer(&step->scratch, value);
    return give_written(give, step, output, key, &step->scratch);
}

static bool give_number(giving *give, dh_step *step, const char *output, const char *key, double value) {
    dh_writer_clear(&step->scratch);
    dh_write_number(&step->scratch, value);
    return give_written(give, step, output, key, &step->scratch);
}

static bool give_bool(giving *give, dh_step *step, const char *output, const char *key, bool value) {
    dh_writer_clear(&step->scratch);
    dh_write_bool(&step->scratch, value);
    return give_written(give, step, output, key, &step->scratch);
}

bool dh_emit_text(dh_step *step, const char *output, const char *key, const char *data, size_t length) {
    return give_text(dh_emit, step, output, key, data, length);
}
bool dh_emit_integer(dh_step *step, const char *output, const char *key, int64_t value) {
    return give_integer(dh_emit, step, output, key, value);
}
bool dh_emit_number(dh_step *step, const char *output, const char *key, double value) {
    return give_number(dh_emit, step, output, key, value);
}
bool dh_emit_bool(dh_step *step, const char *output, const char *key, bool value) {
    return give_bool(dh_emit, step, output, key, value);
}
bool dh_emit_json(dh_step *step, const char *output, const char *key, const dh_writer *json) {
    return give_written(dh_emit, step, output, key, json);
}

bool dh_return_text(dh_step *step, const char *output, const char *key, const char *data, size_t length) {
    return give_text(dh_return, step, output, key, data, length);
}
bool dh_return_integer(dh_step *step, const char *output, const char *key, int64_t value) {
    return give_integer(dh_return, step, output, key, value);
}
bool dh_return_number(dh_step *step, const char *output, const char *key, double value) {
    return give_number(dh_return, step, output, key, value);
}
bool dh_return_bool(dh_step *step, const char *output, const char *key, bool value) {
    return give_bool(dh_return, step, output, key, value);
}
bool dh_return_json(dh_step *step, const char *output, const char *key, const dh_writer *json) {
    return give_written(dh_return, step, output, key, json);
}

/* ---- the step ---- */

dh_text dh_run_id(dh_step *step) {
    (void)step;
    component_string_t id;
    dynhost_op_step_run_id(&id);
    return text_of(id);
}

dh_text dh_step_key(dh_step *step) {
    (void)step;
    component_string_t key;
    dynhost_op_step_step_key(&key);
    return text_of(key);
}

const dh_text *dh_mapping_keys(dh_step *step, size_t *count) {
    (void)step;
    component_list_string_t keys;
    dynhost_op_step_mapping_keys(&keys);
    return texts_of(keys, count);
}

uint32_t dh_attempt(dh_step *step) {
    (void)step;
    return dynhost_op_step_attempt();
}

void dh_log_fields(dh_step *step, dh_level level, dh_text message, const dh_field *given, size_t count) {
    (void)step;
    component_string_t text = copied(message.data, message.length);
    component_list_tuple2_string_string_t fields = {take(count * sizeof *fields.ptr), count};
    for (size_t n = 0; n < count; n++) {
        fields.ptr[n].f0 = copied(given[n].name.data, given[n].name.length);
        fields.ptr[n].f1 = copied(given[n].value.data, given[n].value.length);
    }
    dynhost_op_step_log((dynhost_op_step_level_t)level, &text, &fields);
    for (size_t n = 0; n < count; n++) {
        free(fields.ptr[n].f0.ptr);
        free(fields.ptr[n].f1.ptr);
    }
    free(fields.ptr);
    free(text.ptr);
}

static dh_text as_text(const char *text) {
    dh_text whole = {text ? text : "", text ? strlen(text) : 0};
    return whole;
}

void dh_log(dh_step *step, dh_level level, const char *message, ...) {
    va_list rest;
    size_t count = 0;
    va_start(rest, message);
    while (va_arg(rest, const char *) && va_arg(rest, const char *)) count++;
    va_end(rest);
    dh_field *fields = take(count * sizeof *fields);
    va_start(rest, message);
    for (size_t n = 0; n < count; n++) {
        fields[n].name = as_text(va_arg(rest, const char *));
        fields[n].value = as_text(va_arg(rest, const char *));
    }
    va_end(rest);
    dh_log_fields(step, level, as_text(message), fields, count);
    free(fields);
}

void dh_progress(dh_step *step, uint64_t done, uint64_t total) {
    (void)step;
    dynhost_op_step_progress(done, total == DH_UNKNOWN ? NULL : &total);
}

/* ---- what the component exports ---- */

/* The bindings ask for the object file that says which world this is; the host sees it by the exports. */
void __component_type_object_force_link_component(void);
void __component_type_object_force_link_component(void) {}

static component_option_string_t maybe(const char *text) {
    component_option_string_t option = {text != NULL, {NULL, 0}};
    if (text) option.val = copy_of(text);
    return option;
}

static dynhost_op_types_list_input_definition_t describe_inputs(const dh_input_definition *inputs) {
    dynhost_op_types_list_input_definition_t list = {NULL, 0};
    while (inputs && inputs[list.len].name) list.len++;
    list.ptr = take(list.len * sizeof *list.ptr);
    for (size_t n = 0; n < list.len; n++) {
        list.ptr[n].name = copy_of(inputs[n].name);
        list.ptr[n].description = copy_of(inputs[n].description);
        list.ptr[n].required = !inputs[n].optional;
        list.ptr[n].collected = inputs[n].collected;
        list.ptr[n].schema = maybe(inputs[n].schema);
    }
    return list;
}

static dynhost_op_types_list_output_definition_t describe_outputs(const dh_output_definition *outputs) {
    dynhost_op_types_list_output_definition_t list = {NULL, 0};
    while (outputs && outputs[list.len].name) list.len++;
    list.ptr = take(list.len * sizeof *list.ptr);
    for (size_t n = 0; n < list.len; n++) {
        list.ptr[n].name = copy_of(outputs[n].name);
        list.ptr[n].description = copy_of(outputs[n].description);
        list.ptr[n].required = !outputs[n].optional;
        list.ptr[n].dynamic = outputs[n].dynamic;
        list.ptr[n].schema = maybe(outputs[n].schema);
    }
    return list;
}

void exports_dynhost_op_op_describe(exports_dynhost_op_op_list_op_definition_t *ret) {
    ret->len = 0;
    while (dh_ops[ret->len].name) ret->len++;
    ret->ptr = take(ret->len * sizeof *ret->ptr);
    for (size_t n = 0; n < ret->len; n++) {
        ret->ptr[n].name = copy_of(dh_ops[n].name);
        ret->ptr[n].description = copy_of(dh_ops[n].description);
        ret->ptr[n].inputs = describe_inputs(dh_ops[n].inputs);
        ret->ptr[n].outputs = describe_outputs(dh_ops[n].outputs);
        ret->ptr[n].config_schema = maybe(dh_ops[n].config);
    }
}

bool exports_dynhost_op_op_run(component_string_t *op, exports_dynhost_op_op_list_tuple2_string_input_value_t *inputs,
                               exports_dynhost_op_op_list_output_t *ret, exports_dynhost_op_op_failure_t *err) {
    static dh_step step;
    memset(&step, 0, sizeof step);
    step.inputs = inputs->ptr;
    step.input_count = inputs->len;
    const dh_op *found = dh_ops;
    while (found->name && !(strlen(found->name) == op->len && memcmp(found->name, op->ptr, op->len) == 0)) found++;
    if (found->name) found->run(&step);
    else dh_fail(&step, DH_PERMANENT, "the component has no such op");
    if (step.failed) {
        *err = step.failure;
        return false;
    }
    ret->ptr = step.outputs;
    ret->len = step.output_count;
    return true;
}
