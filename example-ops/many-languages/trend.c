/* How fast a series rises: the median of the slopes between any two of its days (Theil and Sen), which no outlier moves. A
 * year has 66,000 such pairs. */
#include "dynhost.h"

#include <stdlib.h>

/* Hundredths of a degree per day to thousandths per 30 days. */
#define SCALE 300
/* A longer series has more pairs than fit into the memory. */
#define MOST_DAYS 10000

static int by_size(const void *a, const void *b) {
    int32_t left = *(const int32_t *)a, right = *(const int32_t *)b;
    return (left > right) - (left < right);
}

/* The slopes between all pairs of days that have a value; gives how many there are. */
static size_t slopes(const int32_t *degrees, const int32_t *days, size_t count, int32_t *out) {
    size_t pairs = 0;
    for (size_t right = 1; right < count; right++)
        for (size_t left = 0; left < right; left++)
            out[pairs++] = (degrees[right] - degrees[left]) * SCALE / (days[right] - days[left]);
    return pairs;
}

static void trend(dh_step *step) {
    dh_json all = dh_json_get(dh_input_json(step, "series"), "days");
    size_t room = dh_json_count(all), count = 0;
    if (room > MOST_DAYS) {
        dh_fail(step, DH_PERMANENT, "a series has 10,000 days at most");
        return;
    }
    int32_t *degrees = malloc((room + 1) * sizeof *degrees), *days = malloc((room + 1) * sizeof *days);
    int32_t *between = malloc((room * room / 2 + 1) * sizeof *between);
    if (!degrees || !days || !between) {
        dh_fail(step, DH_PERMANENT, "there is too little memory for the series");
        return;
    }
    dh_json_cursor cursor = {0};
    dh_json value;
    for (int32_t day = 0; dh_json_next(all, &cursor, NULL, &value); day++) {
        int64_t hundredths;
        if (!dh_json_get_integer(value, &hundredths)) continue;
        degrees[count] = (int32_t)hundredths;
        days[count++] = day;
    }
    size_t pairs = slopes(degrees, days, count, between);
    if (pairs == 0) return;
    qsort(between, pairs, sizeof *between, by_size);
    dh_return_integer(step, "trend", NULL, between[(pairs - 1) / 2]);
}

DH_OPS({.name = "trend",
        .description = "Tells how fast a series rises: the median of the slopes between any two days.",
        .inputs = DH_INPUTS({.name = "series",
                             .description = "Hundredths of a degree, day by day",
                             .schema = "{\"type\":\"object\"}"}),
        .outputs = DH_OUTPUTS({.name = "trend",
                               .description = "Thousandths of a degree in 30 days; none for a single day",
                               .schema = DH_INTEGER,
                               .optional = true}),
        .run = trend})
