/* Figures: counts by reason, latencies and catch-up times as histograms that several processes' can be added to, the report. */
#define _GNU_SOURCE
#include "wsload.h"
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define STEPS 32
#define BUCKETS (40 * STEPS)
#define REASONS 48

struct tally tally;
static uint64_t latency[BUCKETS], after_commit[BUCKETS], catch_up[BUCKETS];
static struct { char text[64]; uint64_t times; } reasons[REASONS];
static uint32_t began_ms;

static uint64_t now_ns(clockid_t id) {
    struct timespec at;
    clock_gettime(id, &at);
    return (uint64_t)at.tv_sec * 1000000000ull + (uint64_t)at.tv_nsec;
}

uint64_t realtime_ns(void) { return now_ns(CLOCK_REALTIME); }

uint32_t clock_ms(void) {
    static uint64_t first;
    uint64_t now = now_ns(CLOCK_MONOTONIC);
    if (!first) first = now;
    return (uint32_t)((now - first) / 1000000ull) + 1;
}

uint32_t random_below(uint32_t limit) {
    static uint64_t x;
    if (!x) x = now_ns(CLOCK_MONOTONIC) | 1;
    x ^= x << 13; x ^= x >> 7; x ^= x << 17;
    return limit ? (uint32_t)(x >> 20) % limit : 0;
}

void count(const char *reason) {
    for (int i = 0; i < REASONS; i++) {
        if (!reasons[i].times) snprintf(reasons[i].text, sizeof reasons[i].text, "%s", reason);
        if (!strncmp(reasons[i].text, reason, sizeof reasons[i].text - 1)) { reasons[i].times++; return; }
    }
    reasons[REASONS - 1].times++;
}

/* Log-linear: 32 steps for each power of two, so a bucket is at most 3 % wide. */
static unsigned bucket_of(uint64_t value) {
    if (value < STEPS) return (unsigned)value;
    int power = 63 - __builtin_clzll(value);
    unsigned i = (unsigned)((power - 4) * STEPS + ((value >> (power - 5)) & (STEPS - 1)));
    return i < BUCKETS ? i : BUCKETS - 1;
}

static uint64_t upper_edge(unsigned i) {
    if (i < STEPS) return i + 1;
    int power = (int)(i / STEPS) + 4;
    return (uint64_t)(STEPS + i % STEPS + 1) << (power - 5);
}

void note_latency(uint64_t us) { latency[bucket_of(us)]++; }

void note_after_commit(uint64_t us) { after_commit[bucket_of(us)]++; }

void note_caught_up(uint32_t now_ms) {
    tally.caught_up++;
    catch_up[bucket_of(now_ms - began_ms)]++;
}

void reset_tally(void) {
    memset(&tally, 0, sizeof tally);
    memset(latency, 0, sizeof latency);
    memset(after_commit, 0, sizeof after_commit);
    memset(catch_up, 0, sizeof catch_up);
    memset(reasons, 0, sizeof reasons);
    began_ms = clock_ms();
}

static void print_histogram(const char *name, const uint64_t *histogram) {
    const char *comma = "";
    printf(",\"%s\":{", name);
    for (unsigned i = 0; i < BUCKETS; i++)
        if (histogram[i]) {
            printf("%s\"%llu\":%llu", comma, (unsigned long long)upper_edge(i), (unsigned long long)histogram[i]);
            comma = ",";
        }
    printf("}");
}

static void print_reasons(void) {
    const char *comma = "";
    printf(",\"reasons\":{");
    for (int i = 0; i < REASONS && reasons[i].times; i++) {
        printf("%s\"", comma);
        for (const char *c = reasons[i].text; *c; c++)   /* the hub's own words: nothing that JSON would trip over */
            putchar(*c == '"' || *c == '\\' || (unsigned char)*c < ' ' ? '.' : *c);
        printf("\":%llu", (unsigned long long)reasons[i].times);
        comma = ",";
    }
    printf("}");
}

void print_report(void) {
    int in_state[FAILED + 1] = {0};
    uint64_t duplicated = 0, gapped = 0, snapshots = 0;
    struct rusage own;
    for (int i = 0; i < opt.clients; i++) {
        in_state[all[i].state]++;
        duplicated += all[i].duplicated;
        gapped += all[i].gapped;
        snapshots += all[i].snapshots;
    }
    getrusage(RUSAGE_SELF, &own);
    double cpu_s = (double)(own.ru_utime.tv_sec + own.ru_stime.tv_sec) +
                   (double)(own.ru_utime.tv_usec + own.ru_stime.tv_usec) / 1e6;
    printf("{\"clients\":%d,\"live\":%d,\"failed\":%d,\"begun\":%d,\"cpu_s\":%.3f", opt.clients,
           in_state[LIVE] + in_state[DEAF], in_state[FAILED], opt.clients - in_state[IDLE], cpu_s);
#define FIELD(name) printf(",\"" #name "\":%llu", (unsigned long long)tally.name)
    FIELD(events); FIELD(other); FIELD(bytes); FIELD(pings); FIELD(pongs); FIELD(hellos); FIELD(signed_in_again);
    FIELD(opened); FIELD(closed); FIELD(caught_up); FIELD(unstamped);
    printf(",\"duplicated\":%llu,\"gapped\":%llu,\"snapshots\":%llu", (unsigned long long)duplicated,
           (unsigned long long)gapped, (unsigned long long)snapshots);
    print_histogram("latency_us", latency);
    print_histogram("after_commit_us", after_commit);
    print_histogram("catch_up_ms", catch_up);
    print_reasons();
    printf("}\n");
    fflush(stdout);
}

/* A line a client: its state, cursor, events applied, dropped as known, missed, and snapshots it would have fetched. */
int write_table(const char *path) {
    FILE *file = fopen(path, "w");
    if (!file) return -1;
    for (int i = 0; i < opt.clients; i++) {
        struct client *c = &all[i];
        fprintf(file, "%d %llu %u %u %u %u\n", c->state == LIVE || c->state == DEAF, (unsigned long long)c->cursor,
                c->applied, c->duplicated, c->gapped, c->snapshots);
    }
    return fclose(file);
}
