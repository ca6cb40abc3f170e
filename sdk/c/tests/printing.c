/* An op that uses what a libc asks of WASI: what it sees is the stub that is built into its component. */
#include "../dynhost.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void look(dh_step *step) {
    dh_text text = dh_input_text(step, "text");
    printf("a line of %zu bytes: %s!\n", text.length, text.data);
    printf("first %s", "");
    fflush(stdout);
    fputs("one\ntwo\n", stdout);
    fprintf(stderr, "bad \xFF %d\n", 7);
    puts("");

    unsigned char random[4] = {0};
    getentropy(random, sizeof random);
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    struct timespec hour = {3600, 0};
    nanosleep(&hour, NULL);
    clock_gettime(CLOCK_MONOTONIC, &end);

    dh_writer seen = {0};
    dh_open_object(&seen);
    dh_write_name(&seen, "year");
    time_t now = time(NULL);
    struct tm calendar;
    dh_write_integer(&seen, gmtime_r(&now, &calendar)->tm_year + 1900);
    dh_write_name(&seen, "slept");
    dh_write_integer(&seen, end.tv_sec - begin.tv_sec);
    dh_write_name(&seen, "random");
    dh_write_integer(&seen, random[0] << 24 | random[1] << 16 | random[2] << 8 | random[3]);
    dh_write_name(&seen, "file");
    dh_write_bool(&seen, fopen("/etc/passwd", "r") != NULL);
    dh_write_name(&seen, "home");
    dh_write_bool(&seen, getenv("HOME") != NULL);
    dh_write_name(&seen, "stdin");
    dh_write_integer(&seen, getchar());
    dh_write_name(&seen, "number");
    dh_write_number(&seen, 0.1);
    dh_close_object(&seen);
    dh_return_json(step, "seen", NULL, &seen);
}

/* More than the stub puts together, and not UTF-8 at its end. */
static void flood(dh_step *step) {
    (void)step;
    static char line[70000];
    memset(line, 'x', sizeof line);
    memcpy(line + sizeof line - 2, "\xFF\n", 2);
    printf("begin ");
    fwrite(line, 1, sizeof line, stdout);
    printf("short ");
    fwrite("\xE2\x82\xAC\xE2\n", 1, 5, stdout);
}

static void leave(dh_step *step) {
    (void)step;
    exit(3);
}

DH_OPS({.name = "look",
        .inputs = DH_INPUTS({.name = "text", .schema = DH_STRING}),
        .outputs = DH_OUTPUTS({.name = "seen", .schema = DH_ANY_JSON}),
        .run = look},
       {.name = "flood", .run = flood},
       {.name = "leave", .run = leave})
