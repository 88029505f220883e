/* What the hub says: the answer to the upgrade, frames, and what a client makes of them (docs/protocol.md section 5). */
#define _GNU_SOURCE
#include "wsload.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_BYTES (1 << 18)
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

static char buffer[READ_BYTES];

static const char *find(const char *text, size_t size, const char *wanted) {
    const char *at = memmem(text, size, wanted, strlen(wanted));
    return at ? at + strlen(wanted) : NULL;
}

static uint64_t number(const char *at) { return at ? strtoull(at, NULL, 10) : 0; }

static int begins(const char *text, size_t size, const char *wanted) {
    size_t n = strlen(wanted);
    return size >= n && !memcmp(text, wanted, n);
}

static void keep_ticket(struct client *c, const char *text, size_t size) {
    const char *from = opt.keeps_tickets ? find(text, size, "\"resume_ticket\":\"") : NULL;
    const char *end = from ? memchr(from, '"', size - (size_t)(from - text)) : NULL;
    if (!end) return;
    free(c->ticket);
    c->ticket = strndup(from, (size_t)(end - from));
}

static void check_caught_up(struct client *c) {
    if (!c->is_late || c->cursor < c->target) return;
    c->is_late = 0;
    note_caught_up(clock_ms());
}

static void on_welcome(int i, const char *text, size_t size) {
    struct client *c = &all[i];
    if (c->state != HELLO) { count("welcome unasked"); return; }
    c->epoch = number(find(text, size, "\"epoch\":"));
    c->target = number(find(text, size, "\"head\":"));
    keep_ticket(c, text, size);
    if (!find(text, size, "\"recovered\":true")) {
        /* A snapshot would be fetched here and its cursor named; what it holds is not counted as received. */
        c->snapshots++;
        c->cursor = c->target;
        say_hello(i, 1);
        return;
    }
    become_live(i);
    check_caught_up(c);
}

/* A message's text says when it was due, and its number: "t=<ns>/<number>". */
static void note_stamp(const char *text, size_t size) {
    const char *stamp = find(text, size, opt.key);
    if (!stamp) { tally.unstamped++; return; }
    char *rest;
    uint64_t due_ns = strtoull(stamp, &rest, 10), now_ns = realtime_ns();
    note_latency(now_ns > due_ns ? (now_ns - due_ns) / 1000 : 0);
    uint64_t of = *rest == '/' ? number(rest + 1) : opt.commit_count;
    uint64_t committed_ns = opt.commits && of < opt.commit_count ? opt.commits[of] : 0;
    if (committed_ns) note_after_commit(now_ns > committed_ns ? (now_ns - committed_ns) / 1000 : 0);
}

static void on_event(int i, const char *text, size_t size) {
    struct client *c = &all[i];
    char *rest;
    uint64_t seq = strtoull(text + 22, &rest, 10), prev;
    if (strncmp(rest, ",\"prev\":", 8)) { count("event unreadable"); return; }
    prev = strtoull(rest + 8, NULL, 10);
    tally.events++;
    if (c->state != LIVE) return;   /* after a gap of its own finding: dropped until welcome */
    if (seq <= c->cursor) { c->duplicated++; return; }
    if (prev > c->cursor) { c->gapped++; say_hello(i, 1); return; }
    c->cursor = seq;
    c->applied++;
    note_stamp(text, size);
    check_caught_up(c);
}

static void on_text(int i, const char *text, size_t size) {
    struct client *c = &all[i];
    char reason[64];
    if (begins(text, size, "{\"type\":\"event\",\"seq\":")) { on_event(i, text, size); return; }
    tally.other++;
    if (begins(text, size, "{\"type\":\"welcome\"")) on_welcome(i, text, size);
    else if (begins(text, size, "{\"type\":\"head\"")) {
        uint64_t head = number(find(text, size, "\"seq\":"));
        keep_ticket(c, text, size);
        if (c->state == LIVE && head > c->cursor) { c->target = head; become_behind(i); }
    } else if (begins(text, size, "{\"type\":\"gap\"")) {
        const char *why = find(text, size, "\"reason\":\"");
        snprintf(reason, sizeof reason, "gap %.6s", why ? why : "");
        count(reason);
        if (c->state == LIVE) say_hello(i, 1);
    } else if (begins(text, size, "{\"type\":\"bye\"")) {
        const char *after = find(text, size, "\"retry_after_s\":");
        c->has_bye = 1;
        c->bye_after_ms = after && *after != 'n' ? (uint32_t)(strtod(after, NULL) * 1000) + 1 : 0;
    } else if (begins(text, size, "{\"type\":\"error\"")) {
        const char *code = find(text, size, "\"code\":\"");
        snprintf(reason, sizeof reason, "error %.20s", code ? code : "");
        count(reason);
    }
}

static void on_close_frame(int i, const char *payload, size_t size) {
    struct client *c = &all[i];
    char why[32];
    int code = size >= 2 ? (unsigned char)payload[0] << 8 | (unsigned char)payload[1] : 1005;
    int is_final = code == 1002 || code == 1003 || (code >= 1007 && code <= 1010) || (code >= 4500 && code < 5000);
    if (c->state == CLOSING) { lose(i, "left", 0, 1); return; }
    send_frame(c, 8, payload, size >= 2 ? 2 : 0);
    snprintf(why, sizeof why, "closed %d", code);
    if (code == 4501 && c->uses_ticket) {   /* too old a ticket: sign in again */
        free(c->ticket);
        c->ticket = NULL;
        tally.signed_in_again++;
        lose(i, why, 1, 1);
    } else lose(i, why, c->has_bye ? c->bye_after_ms : 0, !is_final);
}

/* Returns 0 where the client's socket has gone meanwhile. */
static int on_frame(int i, int opcode, const char *payload, size_t size) {
    struct client *c = &all[i];
    int fd = c->fd;
    tally.bytes += size;
    if (opcode == 1) on_text(i, payload, size);
    else if (opcode == 9) { tally.pongs++; send_frame(c, 10, payload, size < 125 ? size : 125); }
    else if (opcode == 8) on_close_frame(i, payload, size);
    return c->fd == fd && c->fd >= 0 && c->state != DEAF;
}

/* Returns the bytes of the HTTP answer, 0 where it is not all there, -1 where it refuses. */
static long on_answer(int i, const char *text, size_t size) {
    const char *end = find(text, size, "\r\n\r\n");
    if (!end) return 0;
    size_t head = (size_t)(end - text);
    if (head > 12 && !memcmp(text + 8, " 101", 4) && find(text, head, ACCEPT)) {
        say_hello(i, 0);
        return all[i].fd < 0 ? -1 : (long)head;
    }
    char why[32];
    int status = head > 12 ? atoi(text + 9) : 0;
    const char *after = find(text, head, "\r\nRetry-After: ");
    if (!after) after = find(text, head, "\r\nretry-after: ");
    snprintf(why, sizeof why, "HTTP %d", status);
    lose(i, why, after ? (uint32_t)number(after) * 1000 + 1 : 0, status == 429 || status >= 500);
    return -1;
}

/* Works through the frames in buffer; returns how many bytes were used up, -1 where the socket has gone. */
static long on_bytes(int i, size_t size) {
    size_t at = 0;
    if (all[i].state == UPGRADING) {
        long head = on_answer(i, buffer, size);
        if (head <= 0) return head;
        at = (size_t)head;
    }
    while (size - at >= 2) {
        const unsigned char *f = (const unsigned char *)buffer + at;
        size_t head = 2;
        uint64_t length = f[1] & 127;
        if (length == 126) { head = 4; if (size - at < 4) break; length = (uint64_t)f[2] << 8 | f[3]; }
        else if (length == 127) {
            head = 10;
            if (size - at < 10) break;
            length = 0;
            for (int k = 2; k < 10; k++) length = length << 8 | f[k];
        }
        if (length > READ_BYTES / 2) { lose(i, "frame too long", 0, 0); return -1; }
        if (size - at < head + length) break;
        if (!on_frame(i, f[0] & 15, (const char *)f + head, (size_t)length)) return -1;
        at += head + (size_t)length;
    }
    return (long)at;
}

void on_readable(int i) {
    struct client *c = &all[i];
    size_t kept = c->kept;
    if (kept) memcpy(buffer, c->left, kept);
    ssize_t got = read(c->fd, buffer + kept, sizeof buffer - kept);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) { lose(i, c->state == CLOSING ? "left" : got == 0 ? "end of stream" : strerror(errno), 0, 1); return; }
    size_t size = kept + (size_t)got;
    free(c->left);
    c->left = NULL;
    c->kept = 0;
    long used = on_bytes(i, size);
    if (used < 0 || (size_t)used == size) return;
    c->kept = (uint32_t)(size - (size_t)used);
    c->left = malloc(c->kept);
    memcpy(c->left, buffer + used, c->kept);
}
