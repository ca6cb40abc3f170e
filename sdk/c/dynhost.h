/* Ops for dynhost in C. An op is a function that is listed in DH_OPS:
 *
 *     static void greet(dh_step *step) {
 *         dh_text name = dh_input_text(step, "name");
 *         const char *greeting = dh_format(step, "Hello, %s!", name.data);
 *         dh_return_text(step, "greeting", NULL, greeting, strlen(greeting));
 *     }
 *
 *     DH_OPS({.name = "greet",
 *             .description = "Greets somebody.",
 *             .inputs = DH_INPUTS({.name = "name", .schema = DH_STRING}),
 *             .outputs = DH_OUTPUTS({.name = "greeting", .schema = DH_STRING}),
 *             .run = greet})
 *
 * Memory: every step runs in an instance of its own that is thrown away afterwards, so nothing has to be given back. What
 * these functions give lives as long as the step, except what an iteration over a collected input gives, which lives
 * until the next element is taken. What they are given is not kept.
 *
 * Mistakes: what does not go well fails the step, and nothing that it gives counts from then on: an input that is no
 * string where a string is asked for, an output that is refused, dh_fail itself. The functions still return (zeros, or
 * false), so that an op need not look after each; a long loop does, with what they return or with dh_failed.
 */
#ifndef DYNHOST_H
#define DYNHOST_H

#include "dynhost_json.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The step that runs. */
typedef struct dh_step dh_step;

/* Bytes and what they are; `media_type` NULL stands for JSON. */
typedef struct {
    const char *media_type;
    const uint8_t *data;
    size_t length;
} dh_value;

/* ---- what a component offers ---- */

/* JSON Schemas of common types. A port without a schema takes or gives bytes of any media type. */
#define DH_STRING "{\"type\":\"string\"}"
#define DH_INTEGER "{\"type\":\"integer\"}"
#define DH_NUMBER "{\"type\":\"number\"}"
#define DH_BOOL "{\"type\":\"boolean\"}"
#define DH_ANY_JSON "{}"

typedef struct {
    const char *name;
    const char *description;
    const char *schema; /* of each element, for a collected input */
    bool optional;      /* a job need not wire it */
    bool collected;     /* taken element by element with dh_input_collected */
} dh_input_definition;

typedef struct {
    const char *name;
    const char *description;
    const char *schema; /* of each element, for a dynamic output */
    bool optional;      /* a step may end without it */
    bool dynamic;       /* given any number of times, each with a mapping key */
} dh_output_definition;

typedef struct {
    const char *name;
    const char *description;
    const dh_input_definition *inputs;   /* ended by one without a name; NULL: none */
    const dh_output_definition *outputs; /* as inputs */
    const char *config;                  /* JSON Schema of the configuration; NULL: it takes none */
    void (*run)(dh_step *step);
} dh_op;

/* The ops of the component, ended by one without a name. */
extern const dh_op dh_ops[];

#ifndef __cplusplus
#define DH_OPS(...) const dh_op dh_ops[] = {__VA_ARGS__, {0}};
#define DH_INPUTS(...) ((const dh_input_definition[]){__VA_ARGS__, {0}})
#define DH_OUTPUTS(...) ((const dh_output_definition[]){__VA_ARGS__, {0}})
#endif

/* ---- inputs ----
 * By the names of the definition. Several values that are wired to an input which is not collected are one JSON array. */

/* Whether the job wires an optional input. */
bool dh_input_given(dh_step *step, const char *name);
dh_value dh_input(dh_step *step, const char *name);
dh_text dh_input_text(dh_step *step, const char *name);
int64_t dh_input_integer(dh_step *step, const char *name);
double dh_input_number(dh_step *step, const char *name);
bool dh_input_bool(dh_step *step, const char *name);
dh_json dh_input_json(dh_step *step, const char *name);

/* The elements of a collected input, in the order in which they were emitted:
 *
 *     dh_collected *texts = dh_input_collected(step, "texts");
 *     dh_element text;
 *     while (dh_next(texts, &text)) ... dh_element_text(&text) ...
 */
typedef struct dh_collected dh_collected;
typedef struct {
    dh_collected *from;
    dh_text key;
    dh_value value;
} dh_element;

dh_collected *dh_input_collected(dh_step *step, const char *name);
uint64_t dh_collected_length(dh_collected *collected);
/* The mapping keys of clones that failed where the job tolerates that; they are no elements. */
const dh_text *dh_collected_failed(dh_collected *collected, size_t *count);
bool dh_next(dh_collected *collected, dh_element *element);
/* Several at once, for an op that does something with each so many: at least one, `most` at most, fewer where they are
 * large, and none at the end. All of them live until more are taken; dh_element_text of one, until that of another. */
const dh_element *dh_next_batch(dh_collected *collected, uint32_t most, size_t *count);
dh_text dh_element_text(const dh_element *element);
int64_t dh_element_integer(const dh_element *element);
double dh_element_number(const dh_element *element);
dh_json dh_element_json(const dh_element *element);

/* ---- configuration ---- */

/* All of it; null where the job gives none. */
dh_json dh_config(dh_step *step);
/* One member of it, or what stands last where there is none. */
const char *dh_config_text(dh_step *step, const char *name, const char *otherwise);
int64_t dh_config_integer(dh_step *step, const char *name, int64_t otherwise);
double dh_config_number(dh_step *step, const char *name, double otherwise);
bool dh_config_bool(dh_step *step, const char *name, bool otherwise);

/* ---- outputs ----
 * `key` is the mapping key of an element of a dynamic output, and NULL for any other output. dh_emit gives the output now:
 * clones start while the op still runs, and the op may be held back until they have caught up. dh_return keeps it until
 * the op ends. Both say whether it is worth going on. */

bool dh_emit(dh_step *step, const char *output, const char *key, dh_value value);
bool dh_emit_text(dh_step *step, const char *output, const char *key, const char *data, size_t length);
bool dh_emit_integer(dh_step *step, const char *output, const char *key, int64_t value);
bool dh_emit_number(dh_step *step, const char *output, const char *key, double value);
bool dh_emit_bool(dh_step *step, const char *output, const char *key, bool value);
bool dh_emit_json(dh_step *step, const char *output, const char *key, const dh_writer *json);

bool dh_return(dh_step *step, const char *output, const char *key, dh_value value);
bool dh_return_text(dh_step *step, const char *output, const char *key, const char *data, size_t length);
bool dh_return_integer(dh_step *step, const char *output, const char *key, int64_t value);
bool dh_return_number(dh_step *step, const char *output, const char *key, double value);
bool dh_return_bool(dh_step *step, const char *output, const char *key, bool value);
bool dh_return_json(dh_step *step, const char *output, const char *key, const dh_writer *json);

/* A mapping key of a prefix and a number, in memory that the next call uses again. */
const char *dh_key(dh_step *step, const char *prefix, uint64_t number);

/* ---- failing ---- */

typedef enum {
    DH_PERMANENT, /* the same inputs would fail again: never retried */
    DH_TRANSIENT  /* another attempt may succeed: retried as the node says */
} dh_failure_kind;

/* Fails the step; the first failure counts. The op should return soon. */
void dh_fail(dh_step *step, dh_failure_kind kind, const char *message);
/* As DH_TRANSIENT, but not before so many milliseconds have passed. */
void dh_fail_retry_after(dh_step *step, uint64_t milliseconds, const char *message);
/* Adds data for programs to the failure; before dh_fail. */
void dh_fail_detail(dh_step *step, dh_value detail);
/* Whether the step has failed or is being cancelled. */
bool dh_failed(const dh_step *step);

/* ---- the step, and talking to people ---- */

dh_text dh_run_id(dh_step *step);
/* Such as `size[readme_md]`. */
dh_text dh_step_key(dh_step *step);
/* Outermost first; none outside a map. */
const dh_text *dh_mapping_keys(dh_step *step, size_t *count);
/* 1 for the first attempt. */
uint32_t dh_attempt(dh_step *step);

typedef enum { DH_TRACE, DH_DEBUG, DH_INFO, DH_WARN, DH_ERROR } dh_level;

/* Writes to the step's log; after the message, names and values of fields, and NULL:
 * dh_log(step, DH_INFO, "done", "file", name, NULL). */
#ifdef __GNUC__
__attribute__((sentinel))
#endif
void dh_log(dh_step *step, dh_level level, const char *message, ...);

/* The same with as many fields as there are. */
typedef struct {
    dh_text name;
    dh_text value;
} dh_field;
void dh_log_fields(dh_step *step, dh_level level, dh_text message, const dh_field *fields, size_t count);

#define DH_UNKNOWN UINT64_MAX
/* How far the step is, in a unit of its own; `total` may be DH_UNKNOWN. */
void dh_progress(dh_step *step, uint64_t done, uint64_t total);

/* As snprintf, into memory that lives as long as the step. */
#ifdef __GNUC__
__attribute__((format(printf, 2, 3)))
#endif
const char *dh_format(dh_step *step, const char *format, ...);

#ifdef __cplusplus
}
#endif
#endif
