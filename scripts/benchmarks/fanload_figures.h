/* Figures of fanload.c: latencies, and what the server's processes use. Included there only. */
#ifndef FANLOAD_FIGURES_H
#define FANLOAD_FIGURES_H
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- latencies: log-linear in microseconds, 32 steps for each power of two ---- */
#define STEPS 32
static uint64_t hist[40 * STEPS], n_latencies;
static unsigned bucket(uint64_t us) {
    if (us < STEPS) return (unsigned)us;
    int e = 63 - __builtin_clzll(us);
    unsigned i = (unsigned)((e - 4) * STEPS + ((us >> (e - 5)) & (STEPS - 1)));
    return i < 40 * STEPS ? i : 40 * STEPS - 1;
}
static void note_latency_us(uint64_t us) { hist[bucket(us)]++; n_latencies++; }
static void forget_latencies(void) { memset(hist, 0, sizeof hist); n_latencies = 0; }
static double quantile_ms(double q) {              /* the upper edge of its bucket: at most 3 % above */
    uint64_t want = (uint64_t)(q * (double)n_latencies), seen = 0;
    for (unsigned i = 0; i < 40 * STEPS; i++)
        if ((seen += hist[i]) > want)
            return (double)(i < STEPS ? i + 1 : (uint64_t)(STEPS + i % STEPS + 1) << (i / STEPS - 1)) / 1000.0;
    return 0;
}

/* ---- the server's processes, from /proc: run time of every thread in nanoseconds, resident memory ---- */
static double schedstat_s(const char *pid) {
    char path[320];
    snprintf(path, sizeof path, "/proc/%s/task", pid);
    DIR *d = opendir(path);
    double ns = 0;
    for (struct dirent *e; d && (e = readdir(d));) {
        unsigned long long v;
        snprintf(path, sizeof path, "/proc/%s/task/%s/schedstat", pid, e->d_name);
        FILE *f = e->d_name[0] == '.' ? NULL : fopen(path, "r");
        if (f && fscanf(f, "%llu", &v) == 1) ns += (double)v;
        if (f) fclose(f);
    }
    if (d) closedir(d);
    return ns / 1e9;
}
static void sample(const char *pids, double *cpu_s, long *rss_kb) {
    char list[1024], path[64];
    *cpu_s = 0;
    *rss_kb = 0;
    snprintf(list, sizeof list, "%s", pids ? pids : "");
    char *rest = NULL;
    for (char *pid = strtok_r(list, ",", &rest); pid; pid = strtok_r(NULL, ",", &rest)) {
        long pages = 0;
        snprintf(path, sizeof path, "/proc/%s/statm", pid);
        FILE *f = fopen(path, "r");
        if (f && fscanf(f, "%*d %ld", &pages) == 1) *rss_kb += pages * (sysconf(_SC_PAGESIZE) / 1024);
        if (f) fclose(f);
        *cpu_s += schedstat_s(pid);
    }
}
#endif
