/* dynhost.h for C++17: the same functions as members, with string views and range-for. */
#ifndef DYNHOST_HPP
#define DYNHOST_HPP

#include "dynhost.h"

#include <string_view>

namespace dynhost {

inline std::string_view view(dh_text text) { return {text.data, text.length}; }

/* The texts of a collected input, for range-for. Each lives until the next one is taken. */
class texts {
public:
    explicit texts(dh_collected *collected) : collected_(collected) {}

    struct end_of_texts {};
    class iterator {
    public:
        explicit iterator(dh_collected *collected) : collected_(collected) { ++*this; }
        std::string_view operator*() const { return view(text_); }
        iterator &operator++() {
            dh_element element;
            there_ = dh_next(collected_, &element);
            if (there_) text_ = dh_element_text(&element);
            return *this;
        }
        bool operator!=(end_of_texts) const { return there_; }

    private:
        dh_collected *collected_;
        dh_text text_{};
        bool there_ = false;
    };
    iterator begin() const { return iterator(collected_); }
    end_of_texts end() const { return {}; }

private:
    dh_collected *collected_;
};

/* The step that runs. */
class step {
public:
    explicit step(dh_step *c) : c_(c) {}
    /* For all that has no member here. */
    dh_step *c() const { return c_; }

    bool given(const char *input) const { return dh_input_given(c_, input); }
    dh_value input(const char *name) const { return dh_input(c_, name); }
    std::string_view text(const char *input) const { return view(dh_input_text(c_, input)); }
    int64_t integer(const char *input) const { return dh_input_integer(c_, input); }
    double number(const char *input) const { return dh_input_number(c_, input); }
    bool boolean(const char *input) const { return dh_input_bool(c_, input); }
    dh_json json(const char *input) const { return dh_input_json(c_, input); }
    dynhost::texts texts(const char *input) const { return dynhost::texts(dh_input_collected(c_, input)); }
    std::string_view config(const char *name, const char *otherwise) const { return dh_config_text(c_, name, otherwise); }

    /* Gives an output when the op ends. */
    bool give(const char *output, std::string_view text) const {
        return dh_return_text(c_, output, nullptr, text.data(), text.size());
    }
    /* Emits an element of a dynamic output now. */
    bool emit(const char *output, const char *key, std::string_view text) const {
        return dh_emit_text(c_, output, key, text.data(), text.size());
    }
    void fail(const char *message) const { dh_fail(c_, DH_PERMANENT, message); }
    void info(const char *message) const { dh_log(c_, DH_INFO, message, nullptr); }

private:
    dh_step *c_;
};

/* A function of a step as the table of ops takes it. */
template <void (*op)(step)> void run(dh_step *c) { op(step(c)); }

} // namespace dynhost
#endif
