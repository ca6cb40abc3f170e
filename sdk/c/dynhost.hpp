/* dynhost.h for C++20, in the types of the standard library: texts, numbers, std::vector, std::optional; ops as lambdas.
 * Without exceptions: what does not go well fails the step by itself, as in C, and the functions still return.
 *
 *     DH_OPS({.name = "shout",
 *             .description = "Says it louder.",
 *             .inputs = DH_INPUTS({.name = "text", .schema = DH_STRING}),
 *             .outputs = DH_OUTPUTS({.name = "shouted", .schema = DH_STRING}),
 *             .run = dynhost::op([](dynhost::step step) { step.give("shouted", step.input<std::string>("text") + "!"); })})
 */
#ifndef DYNHOST_HPP
#define DYNHOST_HPP

#include "dynhost.h"

#include <chrono>
#include <concepts>
#include <cstdlib>
#include <initializer_list>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

/* The tables of dynhost.h: C++ has no compound literals. What is not named is nothing, as in C. */
#define DH_OPS(...)                                                                                                    \
    _Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Wmissing-field-initializers\"")                  \
    const dh_op dh_ops[] = {__VA_ARGS__, {}};                                                                          \
    _Pragma("GCC diagnostic pop")
#define DH_INPUTS(...) (::dynhost::kept([] { return std::vector<dh_input_definition>{__VA_ARGS__, {}}; }))
#define DH_OUTPUTS(...) (::dynhost::kept([] { return std::vector<dh_output_definition>{__VA_ARGS__, {}}; }))

namespace dynhost {

/* A table that lives as long as the component: one for each place in the code, since each lambda has its type. */
template <class Make> auto kept(Make make) -> decltype(make().data()) {
    static auto table = make();
    return table.data();
}

inline std::string_view view(dh_text text) { return {text.data, text.length}; }

inline std::vector<std::string> strings(const dh_text *texts, size_t count) {
    std::vector<std::string> all;
    all.reserve(count);
    for (size_t n = 0; n < count; n++) all.emplace_back(view(texts[n]));
    return all;
}

/* ---- reading JSON ----
 * For a type of your own, write `bool from_json(dh_json, your_type &)` beside it: false where the JSON is something else. */

template <class T> bool from_json(dh_json json, std::optional<T> &out);
template <class T> bool from_json(dh_json json, std::vector<T> &out);

inline bool from_json(dh_json json, dh_json &out) { return out = json, true; }
inline bool from_json(dh_json json, bool &out) { return dh_json_get_bool(json, &out); }

template <std::integral T>
    requires(!std::same_as<T, bool>)
bool from_json(dh_json json, T &out) {
    int64_t value;
    if (!dh_json_get_integer(json, &value) || !std::in_range<T>(value)) return false;
    return out = static_cast<T>(value), true;
}

template <std::floating_point T> bool from_json(dh_json json, T &out) {
    double value;
    if (!dh_json_get_number(json, &value)) return false;
    return out = static_cast<T>(value), true;
}

inline bool from_json(dh_json json, std::string &out) {
    dh_text text;
    if (!dh_json_get_text(json, &text)) return false;
    out.assign(text.data, text.length);
    std::free(const_cast<char *>(text.data));
    return true;
}

template <class T> bool from_json(dh_json json, std::optional<T> &out) {
    if (dh_json_type_of(json) <= DH_JSON_NULL) return out.reset(), true;
    return from_json(json, out.emplace());
}

template <class T> bool from_json(dh_json json, std::vector<T> &out) {
    if (dh_json_type_of(json) != DH_JSON_ARRAY) return false;
    out.reserve(dh_json_count(json));
    dh_json_cursor cursor{};
    for (dh_json element; dh_json_next(json, &cursor, nullptr, &element);) {
        T value{};
        if (!from_json(element, value)) return false;
        out.push_back(std::move(value));
    }
    return true;
}

/* ---- writing JSON ---- */

/* A dh_writer that gives its memory back. */
class writer {
public:
    writer() = default;
    writer(const writer &) = delete;
    writer &operator=(const writer &) = delete;
    ~writer() { dh_writer_free(&c_); }
    dh_writer *c() { return &c_; }
    std::string_view text() const { return {c_.data, c_.length}; }

private:
    dh_writer c_{};
};

/* JSON text as it is. */
struct json {
    std::string text;
};

/* For a type of your own, write `void to_json(dh_writer *, const your_type &)` beside it. */

template <class T> void to_json(dh_writer *to, const std::optional<T> &value);
template <class T> void to_json(dh_writer *to, const std::vector<T> &values);

inline void to_json(dh_writer *to, bool value) { dh_write_bool(to, value); }
inline void to_json(dh_writer *to, std::nullptr_t) { dh_write_null(to); }
inline void to_json(dh_writer *to, std::string_view text) { dh_write_text(to, text.data(), text.size()); }
inline void to_json(dh_writer *to, const std::string &text) { dh_write_text(to, text.data(), text.size()); }
inline void to_json(dh_writer *to, const char *text) { dh_write_string(to, text); }
inline void to_json(dh_writer *to, dh_json value) { dh_write_json(to, value); }
inline void to_json(dh_writer *to, const json &value) { dh_write_json(to, {value.text.data(), value.text.size()}); }

template <std::integral T>
    requires(!std::same_as<T, bool>)
void to_json(dh_writer *to, T value) {
    /* What does not fit an int64_t is a number all the same. */
    if (std::in_range<int64_t>(value)) dh_write_integer(to, static_cast<int64_t>(value));
    else dh_write_json(to, {std::to_string(value).data(), std::to_string(value).size()});
}

template <std::floating_point T> void to_json(dh_writer *to, T value) { dh_write_number(to, value); }

template <class T> void to_json(dh_writer *to, const std::optional<T> &value) {
    if (value) to_json(to, *value);
    else dh_write_null(to);
}

template <class T> void to_json(dh_writer *to, const std::vector<T> &values) {
    dh_open_array(to);
    for (const auto &value : values) to_json(to, value);
    dh_close_array(to);
}

inline void write_members(dh_writer *) {}
template <class T, class... Rest>
void write_members(dh_writer *to, const char *name, const T &value, const Rest &...rest) {
    dh_write_name(to, name);
    to_json(to, value);
    write_members(to, rest...);
}

/* An object of names and values: object("length", 3, "keys", keys). */
template <class... Members> json object(const Members &...members) {
    writer text;
    dh_open_object(text.c());
    write_members(text.c(), members...);
    dh_close_object(text.c());
    return {std::string(text.text())};
}

/* ---- bytes ---- */

/* Bytes of any media type. */
struct blob {
    std::string media_type = "application/octet-stream";
    std::string data;

    dh_value c() const { return {media_type.c_str(), reinterpret_cast<const uint8_t *>(data.data()), data.size()}; }
};

/* ---- the step ---- */

/* An element of a collected input. The key and the bytes live until more elements are taken. */
template <class T> struct element {
    std::string_view key;
    T value;
};

/* A collected input, for range-for: elements are pulled while the loop goes on. T is a type that is read from JSON, or
 * dh_value for the bytes as they are. What cannot be read ends the loop and fails the step. */
template <class T> class collected {
public:
    collected(dh_step *step, dh_collected *c) : step_(step), c_(c) {}

    uint64_t size() const { return dh_collected_length(c_); }
    /* The mapping keys of clones that failed where the job tolerates that; they are no elements. */
    std::vector<std::string> failed_keys() const {
        size_t count;
        const dh_text *keys = dh_collected_failed(c_, &count);
        return strings(keys, count);
    }

    class iterator {
    public:
        explicit iterator(const collected *from) : from_(from) { ++*this; }
        element<T> &operator*() { return element_; }
        iterator &operator++() {
            there_ = from_->next(element_);
            return *this;
        }
        bool operator==(std::default_sentinel_t) const { return !there_; }

    private:
        const collected *from_;
        element<T> element_{};
        bool there_ = false;
    };
    iterator begin() const { return iterator(this); }
    std::default_sentinel_t end() const { return {}; }

    /* The next elements at once: at least one, `most` at most, fewer where they are large, and none at the end. */
    std::vector<element<T>> batch(uint32_t most) const {
        size_t count;
        const dh_element *given = dh_next_batch(c_, most, &count);
        std::vector<element<T>> all(count);
        for (size_t n = 0; n < count; n++)
            if (!read(given[n], all[n])) return {};
        return all;
    }

private:
    bool next(element<T> &out) const {
        dh_element given;
        return dh_next(c_, &given) && read(given, out);
    }
    bool read(const dh_element &given, element<T> &out) const {
        out.key = view(given.key);
        if constexpr (std::same_as<T, dh_value>) {
            out.value = given.value;
        } else {
            T value{};
            dh_json json = dh_element_json(&given);
            if (!dh_failed(step_) && !from_json(json, value)) {
                std::string message = "element `" + std::string(out.key) + "` is not what the op takes";
                dh_fail(step_, DH_PERMANENT, message.c_str());
            }
            out.value = std::move(value);
        }
        return !dh_failed(step_);
    }

    dh_step *step_;
    dh_collected *c_;
};

/* Names and values beside a message of the log. */
using fields = std::initializer_list<std::pair<std::string_view, std::string_view>>;

/* The step that runs. */
class step {
public:
    explicit step(dh_step *c) : c_(c) {}
    /* For all that has no member here. */
    dh_step *c() const { return c_; }

    /* An input. std::optional<T> for one that may be missing, std::vector<T> for an array or for several values, dh_value for
     * the bytes as they are. */
    template <class T> T input(const char *name) const {
        if constexpr (std::same_as<T, dh_value>) {
            return dh_input(c_, name);
        } else {
            if constexpr (requires(T optional) { optional.reset(); })
                if (!given(name)) return T{};
            return read<T>(dh_input_json(c_, name), "input", name);
        }
    }
    /* A text, which lives as long as the step. */
    std::string_view text(const char *input) const { return view(dh_input_text(c_, input)); }
    bool given(const char *input) const { return dh_input_given(c_, input); }
    template <class T> dynhost::collected<T> collected(const char *input) const {
        return {c_, dh_input_collected(c_, input)};
    }

    /* All of the configuration, or a member of it, or what stands last where there is none. */
    dh_json config() const { return dh_config(c_); }
    template <class T> T config(const char *name, T otherwise) const {
        dh_json value = dh_json_get(dh_config(c_), name);
        return dh_json_type_of(value) <= DH_JSON_NULL ? otherwise : read<T>(value, "config", name);
    }

    /* Gives an output when the op ends; an element of a dynamic one with its mapping key. */
    template <class T> bool give(const char *output, const T &value) const {
        return write(dh_return, output, nullptr, value);
    }
    template <class T> bool give(const char *output, const std::string &key, const T &value) const {
        return write(dh_return, output, key.c_str(), value);
    }
    /* Gives an output now; false where it is of no use to go on. */
    template <class T> bool emit(const char *output, const T &value) const {
        return write(dh_emit, output, nullptr, value);
    }
    template <class T> bool emit(const char *output, const std::string &key, const T &value) const {
        return write(dh_emit, output, key.c_str(), value);
    }

    /* Fails the step; the first failure counts. The op should return soon. */
    void fail(const std::string &message) const { dh_fail(c_, DH_PERMANENT, message.c_str()); }
    /* Another attempt may succeed. */
    void fail_for_now(const std::string &message) const { dh_fail(c_, DH_TRANSIENT, message.c_str()); }
    void fail_for_now(const std::string &message, std::chrono::milliseconds wait) const {
        dh_fail_retry_after(c_, static_cast<uint64_t>(wait.count()), message.c_str());
    }
    /* Adds data for programs to the failure; before it. */
    template <class T> void detail(const T &value) const {
        writer text;
        to_json(text.c(), value);
        dh_fail_detail(c_, {nullptr, reinterpret_cast<const uint8_t *>(text.text().data()), text.text().size()});
    }
    bool failed() const { return dh_failed(c_); }

    std::string run_id() const { return std::string(view(dh_run_id(c_))); }
    /* Such as `size[readme_md]`. */
    std::string key() const { return std::string(view(dh_step_key(c_))); }
    /* Outermost first; none outside a map. */
    std::vector<std::string> mapping_keys() const {
        size_t count;
        const dh_text *keys = dh_mapping_keys(c_, &count);
        return strings(keys, count);
    }
    uint32_t attempt() const { return dh_attempt(c_); }
    void progress(uint64_t done, uint64_t total = DH_UNKNOWN) const { dh_progress(c_, done, total); }

    void log(dh_level level, std::string_view message, fields with = {}) const {
        std::vector<dh_field> all;
        for (auto [name, value] : with) all.push_back({{name.data(), name.size()}, {value.data(), value.size()}});
        dh_log_fields(c_, level, {message.data(), message.size()}, all.data(), all.size());
    }
    void info(std::string_view message, fields with = {}) const { log(DH_INFO, message, with); }
    void warn(std::string_view message, fields with = {}) const { log(DH_WARN, message, with); }

private:
    template <class T> T read(dh_json json, const char *what, const char *name) const {
        T value{};
        if (!dh_failed(c_) && !from_json(json, value))
            fail(std::string(what) + " `" + name + "` is not what the op takes");
        return value;
    }
    template <class T>
    bool write(bool (*give)(dh_step *, const char *, const char *, dh_value), const char *output, const char *key,
               const T &value) const {
        if constexpr (std::same_as<T, dh_value>) return give(c_, output, key, value);
        else if constexpr (std::same_as<T, blob>) return give(c_, output, key, value.c());
        else {
            writer text;
            to_json(text.c(), value);
            return give(c_, output, key,
                        {nullptr, reinterpret_cast<const uint8_t *>(text.text().data()), text.text().size()});
        }
    }

    dh_step *c_;
};

/* A function or lambda of a step, as the table of ops takes it. */
template <void (*op)(step)> void run(dh_step *c) { op(step(c)); }
template <class F> constexpr auto op(F) -> void (*)(dh_step *) {
    static_assert(std::is_empty_v<F>, "an op is a lambda without captures: the table is all that lasts; for a function write dynhost::run<name>");
    return [](dh_step *c) { F{}(step(c)); };
}

} // namespace dynhost
#endif
