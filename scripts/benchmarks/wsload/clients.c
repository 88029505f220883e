/* Connecting, hello, coming back as docs/protocol.md section 7 asks for, and everything that is due at some time. */
#define _GNU_SOURCE
#include "wsload.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif

#define PATIENCE_MS 30000
#define STARTS_OVER_AFTER_MS 30000
#define FRAME_BYTES 70000

static void die(const char *what) { perror(what); exit(2); }

/* Client i says line (first_line + i) of the file, cycled; the file stays mapped and is shared by all processes. */
void load_hellos(void) {
    int fd = open(opt.hello_path, O_RDONLY);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0 || st.st_size == 0) die(opt.hello_path);
    char *text = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (text == MAP_FAILED) die("mmap");
    close(fd);
    int lines = 0;
    for (const char *c = text; c < text + st.st_size; c++) lines += *c == '\n';
    if (!lines) { fprintf(stderr, "wsload: %s has no whole line\n", opt.hello_path); exit(2); }
    const char **begins = malloc(((size_t)lines + 1) * sizeof *begins);
    begins[0] = text;
    for (int i = 0; i < lines; i++) begins[i + 1] = memchr(begins[i], '\n', (size_t)(text + st.st_size - begins[i])) + 1;
    for (int i = 0; i < opt.clients; i++) {
        struct client *c = &all[i];
        int line = (opt.first_line + i) % lines;
        c->fd = -1;
        c->hello = begins[line];
        c->hello_bytes = c->before_bytes = (uint32_t)(begins[line + 1] - begins[line] - 1);
        c->after_at = c->hello_bytes;
        const char *cursor = memmem(c->hello, c->hello_bytes, "\"cursor\":{\"epoch\":", 18);
        if (!cursor) continue;
        const char *end = memchr(cursor, '}', c->hello_bytes - (size_t)(cursor - c->hello));
        if (!end || sscanf(cursor, "\"cursor\":{\"epoch\":%lu,\"seq\":%lu}", &c->epoch, &c->cursor) != 2) {
            fprintf(stderr, "wsload: the cursor in line %d cannot be read\n", line + 1);
            exit(2);
        }
        c->before_bytes = (uint32_t)(cursor - c->hello);
        c->after_at = (uint32_t)(end + 1 - c->hello);
    }
    free(begins);
}

/* Written by whoever publishes, while we read. */
void load_commits(const char *path) {
    struct stat st;
    int fd = open(path, O_RDONLY);
    if (fd < 0 || fstat(fd, &st) < 0 || st.st_size < 8) die(path);
    void *commits = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (commits == MAP_FAILED) die("mmap");
    close(fd);
    opt.commits = commits;
    opt.commit_count = (uint64_t)st.st_size / 8;
}

void start(int i, uint32_t now_ms) {
    struct client *c = &all[i];
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    inflight++;
    c->fd = fd;
    c->state = CONNECTING;
    c->has_bye = c->was_live = 0;
    c->behind_at_ms = 0;
    due_ms[i] = now_ms + PATIENCE_MS;
    if (fd < 0) { lose(i, "no descriptor", 0, 1); return; }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (opt.receive_bytes) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &opt.receive_bytes, sizeof opt.receive_bytes);
    struct sockaddr_in address = {.sin_family = AF_INET};
    if (opt.sources > 0) {   /* 127.0.0.2 and on; the port is chosen at connect, so each address has all of them */
        setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
        address.sin_addr.s_addr = htonl(0x7f000002u + (uint32_t)((opt.first_line + i) % opt.sources));
        if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0) { lose(i, "bind", 0, 1); return; }
    }
    address.sin_port = htons((uint16_t)opt.port);
    inet_pton(AF_INET, opt.host, &address.sin_addr);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0 && errno != EINPROGRESS) {
        lose(i, "connect", 0, 1);
        return;
    }
    struct epoll_event wanted = {.events = EPOLLOUT, .data.u32 = (uint32_t)i};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &wanted);
}

static void ask_upgrade(int i) {
    struct client *c = &all[i];
    char head[4096];
    int error = 0, n;
    socklen_t size = sizeof error;
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error) { lose(i, error == ECONNREFUSED ? "connection refused" : strerror(error), 0, 1); return; }
    n = snprintf(head, sizeof head,
                 "GET /ws HTTP/1.1\r\nHost: %s:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n", opt.host, opt.port);
    for (int k = 0; k < opt.n_headers; k++)
        n += snprintf(head + n, sizeof head - (size_t)n, "%s\r\n", opt.headers[k]);
    n += snprintf(head + n, sizeof head - (size_t)n, "\r\n");
    if (send(c->fd, head, (size_t)n, MSG_NOSIGNAL) != n) { lose(i, "upgrade not sent", 0, 1); return; }
    c->state = UPGRADING;
    struct epoll_event wanted = {.events = EPOLLIN | EPOLLRDHUP, .data.u32 = (uint32_t)i};
    epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &wanted);
}

void on_socket(int i, uint32_t events) {
    uint8_t state = all[i].state;
    if (state == CONNECTING) {
        if (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) ask_upgrade(i);
    } else if (state == UPGRADING || state == HELLO || state == LIVE || state == CLOSING) on_readable(i);
}

int send_frame(struct client *c, int opcode, const char *payload, size_t size) {
    static unsigned char frame[FRAME_BYTES + 16];
    size_t n = 0;
    if (size > FRAME_BYTES) return -1;
    frame[n++] = (unsigned char)(0x80 | opcode);
    if (size < 126) frame[n++] = (unsigned char)(0x80 | size);
    else if (size < 65536) { frame[n++] = 0x80 | 126; frame[n++] = (unsigned char)(size >> 8); frame[n++] = (unsigned char)size; }
    else { frame[n++] = 0x80 | 127; for (int k = 7; k >= 0; k--) frame[n++] = (unsigned char)((uint64_t)size >> 8 * k); }
    uint32_t mask = random_below(0xffffffffu);
    const unsigned char *m = (unsigned char *)&mask;
    memcpy(frame + n, &mask, 4);
    n += 4;
    for (size_t k = 0; k < size; k++) frame[n++] = (unsigned char)payload[k] ^ m[k & 3];
    return send(c->fd, frame, n, MSG_NOSIGNAL) == (ssize_t)n ? 0 : -1;
}

/* With a ticket where there is one, else as in the file; in place: only where to go on. */
void say_hello(int i, int in_place) {
    static char text[FRAME_BYTES];
    struct client *c = &all[i];
    int n = 0;
    size_t room = sizeof text;
    c->uses_ticket = !in_place && c->ticket != NULL;
    if (in_place || c->uses_ticket) {
        n = snprintf(text, room, "{\"type\":\"hello\",\"protocol\":1,\"client\":\"wsload/1\",");
        if (c->uses_ticket) n += snprintf(text + n, room - (size_t)n, "\"resume_ticket\":\"%s\",", c->ticket);
        n += snprintf(text + n, room - (size_t)n, "\"cursor\":{\"epoch\":%lu,\"seq\":%lu}}", c->epoch, c->cursor);
    } else {
        n = snprintf(text, room, "%.*s", (int)c->before_bytes, c->hello);
        if (c->before_bytes < c->hello_bytes)
            n += snprintf(text + n, room - (size_t)n, "\"cursor\":{\"epoch\":%lu,\"seq\":%lu}%.*s", c->epoch, c->cursor,
                          (int)(c->hello_bytes - c->after_at), c->hello + c->after_at);
    }
    tally.hellos++;
    if (c->state == LIVE) { live--; inflight++; }
    c->state = HELLO;
    due_ms[i] = clock_ms() + PATIENCE_MS;
    if (send_frame(c, 1, text, (size_t)n) < 0) lose(i, "hello not sent", 0, 1);
}

static void set_due(int i) {
    struct client *c = &all[i];
    uint32_t at = NEVER;
    if (c->ping_at_ms && c->ping_at_ms < at) at = c->ping_at_ms;
    if (c->behind_at_ms && c->behind_at_ms < at) at = c->behind_at_ms;
    due_ms[i] = at;
}

void become_behind(int i) {
    all[i].behind_at_ms = clock_ms() + 2000;
    set_due(i);
}

static void leave(int i) {
    struct client *c = &all[i];
    if (i % 2) {   /* with a goodbye, or as a closed laptop's browser */
        c->state = CLOSING;
        due_ms[i] = clock_ms() + 5000;
        if (send_frame(c, 8, "\x03\xe8", 2) == 0) return;
    }
    lose(i, "left", 0, 1);
}

void become_live(int i) {
    struct client *c = &all[i];
    uint32_t now_ms = clock_ms();
    inflight--;
    live++;
    tally.opened++;
    c->state = LIVE;
    if (!c->was_live) c->live_at_ms = now_ms;
    c->was_live = 1;
    c->ping_at_ms = opt.ping_s > 0 ? now_ms + (uint32_t)(opt.ping_s * 1000) : 0;
    set_due(i);
    if (opt.mode == CHURN) { leave(i); return; }
    if (opt.mode == GOOD) return;
    epoll_ctl(epoll_fd, EPOLL_CTL_DEL, c->fd, NULL);
    c->state = DEAF;
    due_ms[i] = opt.mode == SLOW ? now_ms + 1000 : NEVER;
}

static uint32_t pause_ms(struct client *c, uint32_t now_ms) {
    if (c->was_live && now_ms - c->live_at_ms >= STARTS_OVER_AFTER_MS) c->attempt = 0;
    uint8_t before = c->attempt;
    if (c->attempt < 20) c->attempt++;
    if (before == 0) return random_below((uint32_t)(opt.first_retry_s * 1000) + 1);
    return random_below(before > 6 ? 60001 : (1000u << (before - 1)) + 1);
}

/* The socket is gone, or is given up. retry_after_ms 0: nobody said when to come back. */
void lose(int i, const char *why, uint32_t retry_after_ms, int may_come_back) {
    struct client *c = &all[i];
    uint32_t now_ms = clock_ms();
    count(why);
    if (c->state >= CONNECTING && c->state <= HELLO) inflight--;
    if (c->state == LIVE || c->state == DEAF || c->state == CLOSING) { live--; tally.closed++; }
    if (c->was_live && opt.mode == GOOD) c->is_late = 1;
    if (c->fd >= 0) close(c->fd);
    free(c->left);
    c->fd = -1;
    c->left = NULL;
    c->kept = c->ping_at_ms = 0;
    due_ms[i] = NEVER;
    if (opt.mode == CHURN) { c->state = IDLE; return; }
    if (!opt.comes_back || !may_come_back) { c->state = FAILED; return; }
    c->state = WAITING;
    due_ms[i] = now_ms + (retry_after_ms ? retry_after_ms : pause_ms(c, now_ms)) + 1;
}

static void read_a_byte(int i, uint32_t now_ms) {
    char byte;
    ssize_t got = recv(all[i].fd, &byte, 1, MSG_DONTWAIT);
    due_ms[i] = now_ms + 1000;
    if (got == 0 || (got < 0 && errno != EAGAIN)) lose(i, "cut off while slow", 0, 1);
}

static void ping(int i, uint32_t now_ms) {
    char text[64];
    struct client *c = &all[i];
    int n = snprintf(text, sizeof text, "{\"type\":\"ping\",\"cursor\":%lu}", c->cursor);
    c->ping_at_ms = now_ms + (uint32_t)(opt.ping_s * 1000);
    tally.pings++;
    if (send_frame(c, 1, text, (size_t)n) < 0) lose(i, "ping not sent", 0, 1);
}

static void run_one(int i, uint32_t now_ms) {
    struct client *c = &all[i];
    switch (c->state) {
    case WAITING:
        if (inflight < opt.inflight) start(i, now_ms);
        break;
    case CONNECTING: lose(i, "not connected in time", 0, 1); break;
    case UPGRADING: lose(i, "no answer to the upgrade", 0, 1); break;
    case HELLO: lose(i, "no welcome in time", 0, 1); break;
    case CLOSING: lose(i, "close not answered", 0, 1); break;
    case DEAF:
        if (c->ping_at_ms && c->ping_at_ms <= now_ms) ping(i, now_ms);
        if (c->state == DEAF) read_a_byte(i, now_ms);
        break;
    case LIVE:
        if (c->behind_at_ms && c->behind_at_ms <= now_ms) {
            c->behind_at_ms = 0;
            if (c->cursor < c->target) { count("behind"); say_hello(i, 1); break; }
        }
        if (c->ping_at_ms && c->ping_at_ms <= now_ms) ping(i, now_ms);
        if (c->state == LIVE) set_due(i);
        break;
    default: due_ms[i] = NEVER;
    }
}

void run_due(uint32_t now_ms) {
    for (int i = 0; i < opt.clients; i++)
        if (due_ms[i] <= now_ms) run_one(i, now_ms);
}
