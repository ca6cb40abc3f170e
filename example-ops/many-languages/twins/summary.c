/* The op of ../summary in C. */
#include "dynhost.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    int day; /* counted from the first of the series */
    int64_t degrees;
} reading;

typedef struct {
    int year, month, day;
} date;

static int days_in(date on) {
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = on.year % 4 == 0 && (on.year % 100 != 0 || on.year % 400 == 0);
    return days[on.month - 1] + (on.month == 2 && leap);
}

static date after(date from, int days) {
    for (from.day += days; from.day > days_in(from);) {
        from.day -= days_in(from);
        if (++from.month > 12) {
            from.month = 1;
            from.year++;
        }
    }
    return from;
}

static int digits(const char *text, int count) {
    int number = 0;
    for (int n = 0; n < count; n++) {
        if (text[n] < '0' || text[n] > '9') return -1;
        number = number * 10 + (text[n] - '0');
    }
    return number;
}

static bool read_date(dh_text text, date *out) {
    if (text.length != 10 || text.data[4] != '-' || text.data[7] != '-') return false;
    *out = (date){digits(text.data, 4), digits(text.data + 5, 2), digits(text.data + 8, 2)};
    return out->year >= 0 && out->month >= 1 && out->month <= 12 && out->day >= 1 && out->day <= days_in(*out);
}

static void put_digits(char *at, int number, int count) {
    for (int n = count - 1; n >= 0; n--, number /= 10) at[n] = (char)('0' + number % 10);
}

/* The first `length` bytes of 2025-01-31. */
static void write_date(dh_writer *out, date on, size_t length) {
    char text[] = "0000-00-00";
    put_digits(text, on.year, 4);
    put_digits(text + 5, on.month, 2);
    put_digits(text + 8, on.day, 2);
    dh_write_text(out, text, length);
}

/* To the nearest hundredth, a half upwards. */
static int64_t mean(const reading *readings, size_t count) {
    int64_t sum = (int64_t)count;
    for (size_t n = 0; n < count; n++) sum += 2 * readings[n].degrees;
    int64_t by = 2 * (int64_t)count;
    return sum / by - (sum % by < 0);
}

static int by_size(const void *a, const void *b) {
    const reading *left = a, *right = b;
    if (left->degrees != right->degrees) return left->degrees < right->degrees ? -1 : 1;
    return (left->day > right->day) - (left->day < right->day);
}

static void write_member(dh_writer *out, const char *name, int64_t value) {
    dh_write_name(out, name);
    dh_write_integer(out, value);
}

static void write_extreme(dh_writer *out, const char *name, date start, reading found) {
    dh_write_name(out, name);
    dh_open_object(out);
    dh_write_name(out, "day");
    write_date(out, after(start, found.day), 10);
    write_member(out, "degrees", found.degrees);
    dh_close_object(out);
}

static void write_sorted(dh_writer *out, date start, reading *readings, size_t count) {
    qsort(readings, count, sizeof *readings, by_size);
    write_member(out, "p10", readings[(count * 10 + 99) / 100 - 1].degrees);
    write_member(out, "p50", readings[(count * 50 + 99) / 100 - 1].degrees);
    write_member(out, "p90", readings[(count * 90 + 99) / 100 - 1].degrees);
    write_extreme(out, "lowest", start, readings[0]);
    size_t highest = count - 1;
    while (highest > 0 && readings[highest - 1].degrees == readings[highest].degrees) highest--;
    write_extreme(out, "highest", start, readings[highest]);
}

static void write_months(dh_writer *out, date start, const reading *readings, size_t count) {
    dh_write_name(out, "months");
    dh_open_array(out);
    for (size_t first = 0, end; first < count; first = end) {
        date on = after(start, readings[first].day);
        int left = days_in(on) - on.day;
        for (end = first + 1; end < count && readings[end].day - readings[first].day <= left;) end++;
        dh_open_object(out);
        dh_write_name(out, "month");
        write_date(out, on, 7);
        write_member(out, "mean", mean(readings + first, end - first));
        dh_close_object(out);
    }
    dh_close_array(out);
}

static void summary(dh_step *step) {
    dh_json series = dh_input_json(step, "series"), days = dh_json_get(series, "days"), value;
    dh_text station = {0}, first = {0};
    date start;
    dh_json_get_text(dh_json_get(series, "station"), &station);
    if (!dh_json_get_text(dh_json_get(series, "start"), &first) || !read_date(first, &start)) {
        dh_fail(step, DH_PERMANENT, "start: it is no day");
        return;
    }
    size_t room = dh_json_count(days), count = 0;
    reading *readings = calloc(2 * room + 1, sizeof *readings), *sorted = readings + room;
    dh_json_cursor cursor = {0};
    for (int day = 0; readings && dh_json_next(days, &cursor, NULL, &value); day++) {
        int64_t degrees;
        if (dh_json_get_integer(value, &degrees)) readings[count++] = (reading){day, degrees};
    }
    if (count == 0) {
        dh_fail(step, DH_PERMANENT, "no day has a temperature");
        return;
    }
    memcpy(sorted, readings, count * sizeof *sorted);
    dh_writer out = {0};
    dh_open_object(&out);
    dh_write_name(&out, "station");
    dh_write_text(&out, station.data, station.length);
    write_member(&out, "measured", (int64_t)count);
    write_member(&out, "missing", (int64_t)(room - count));
    write_member(&out, "mean", mean(readings, count));
    write_sorted(&out, start, sorted, count);
    write_months(&out, start, readings, count);
    dh_close_object(&out);
    dh_return_json(step, "summary", NULL, &out);
}

DH_OPS({.name = "summary",
        .description = "Summarizes the temperatures of a station: mean, percentiles, extremes, and the mean of each month.",
        .inputs = DH_INPUTS(
            {.name = "series", .description = "The temperatures of a station", .schema = "{\"type\":\"object\"}"}),
        .outputs = DH_OUTPUTS({.name = "summary",
                               .description = "All in hundredths of a degree",
                               .schema = "{\"type\":\"object\"}"}),
        .run = summary})
