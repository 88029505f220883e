/*
 * floor - the cheapest WebSocket fan-out there is: one epoll loop, one write(2) a frame and socket. What any server must
 * pay; no authentication, no pings, no limits. The benchmarks measure the hub and its peers against it.
 *
 * Build:  cc -O2 -Wall -Wextra -o floor floor.c
 * Run:    floor PORT REDIS_PORT [join]     (loopback only)
 *
 * A socket's topic is the number in its address (/ws?room=N). A message on Redis' channel room:N goes to every socket of
 * topic N as one text frame, built once. With `join`, what one read from Redis brought for a topic is one write a socket:
 * the floor for servers that join. A socket that takes no more bytes is paused, its tail kept, and it loses what exceeds
 * 1 MiB; a run that counts its frames sees that.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_FDS = 65536, MAX_TOPICS = 4096, HEAD_BYTES = 4096, TAIL_BYTES = 1 << 20 };

struct socket_state {
    int topic;        /* -1: handshake not through */
    int at;           /* its place in the topic's list */
    uint32_t tail_n;  /* bytes the kernel has not taken yet, or of an unfinished request */
    char *tail;
};
struct topic {
    int *fds, n, cap;
    char *joined;
    size_t joined_n, joined_cap;
};

static struct socket_state S[MAX_FDS];
static struct topic T[MAX_TOPICS];
static int touched[MAX_TOPICS], n_touched, ep, listener, redis, joining;

static void die(const char *what) { perror(what); exit(1); }
static void *need(void *p) { if (!p) die("memory"); return p; }

/* ---- the handshake: SHA-1 (RFC 3174) and base64 of the key ---- */
static uint32_t rol(uint32_t v, int n) { return v << n | v >> (32 - n); }
static void sha1_block(uint32_t h[5], const unsigned char *p) {
    uint32_t w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)p[4 * i] << 24 | (uint32_t)p[4 * i + 1] << 16 | (uint32_t)p[4 * i + 2] << 8 | p[4 * i + 3];
    for (int i = 16; i < 80; i++) w[i] = rol(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    for (int i = 0; i < 80; i++) {
        uint32_t f, k;
        if (i < 20) { f = (b & c) | (~b & d); k = 0x5a827999; }
        else if (i < 40) { f = b ^ c ^ d; k = 0x6ed9eba1; }
        else if (i < 60) { f = (b & c) | (b & d) | (c & d); k = 0x8f1bbcdc; }
        else { f = b ^ c ^ d; k = 0xca62c1d6; }
        uint32_t t = rol(a, 5) + f + e + k + w[i];
        e = d; d = c; c = rol(b, 30); b = a; a = t;
    }
    h[0] += a; h[1] += b; h[2] += c; h[3] += d; h[4] += e;
}
static void accept_key(const char *key, size_t n, char out[29]) {
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned char m[128] = {0}, d[21] = {0};
    uint32_t h[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    memcpy(m, key, n);
    memcpy(m + n, guid, 36);
    n += 36;
    m[n] = 0x80;                                    /* a key has 24 characters: 60 bytes, two blocks */
    m[126] = (unsigned char)(n * 8 >> 8);
    m[127] = (unsigned char)(n * 8);
    sha1_block(h, m);
    sha1_block(h, m + 64);
    for (int i = 0; i < 20; i++) d[i] = (unsigned char)(h[i / 4] >> (24 - 8 * (i % 4)));
    for (int i = 0; i < 7; i++) {
        uint32_t v = (uint32_t)d[3 * i] << 16 | (uint32_t)d[3 * i + 1] << 8 | d[3 * i + 2];
        for (int j = 0; j < 4; j++) out[4 * i + j] = digits[v >> (18 - 6 * j) & 63];
    }
    out[27] = '=';
    out[28] = 0;
}

/* ---- sockets ---- */
static void watch(int op, int fd, uint32_t events) {
    struct epoll_event ev = {.events = events, .data.fd = fd};
    if (epoll_ctl(ep, op, fd, &ev) < 0 && op != EPOLL_CTL_DEL) die("epoll_ctl");
}
static void drop(int fd) {
    struct socket_state *s = &S[fd];
    if (s->topic >= 0) {
        struct topic *t = &T[s->topic];
        t->fds[s->at] = t->fds[--t->n];
        S[t->fds[s->at]].at = s->at;
    }
    free(s->tail);
    *s = (struct socket_state){.topic = -1};
    close(fd);
}
static void keep(struct socket_state *s, const char *p, size_t n) {
    if (s->tail_n + n > TAIL_BYTES) return;
    s->tail = need(realloc(s->tail, s->tail_n + n));
    memcpy(s->tail + s->tail_n, p, n);
    s->tail_n += (uint32_t)n;
}
static int put(int fd, const char *p, size_t n) {   /* 0: the socket is gone */
    struct socket_state *s = &S[fd];
    if (s->tail_n) { keep(s, p, n); return 1; }
    ssize_t k = write(fd, p, n);
    if (k == (ssize_t)n) return 1;
    if (k < 0 && errno != EAGAIN) { drop(fd); return 0; }
    if (k < 0) k = 0;
    keep(s, p + k, n - (size_t)k);
    watch(EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLOUT);
    return 1;
}
static void on_writable(int fd) {
    struct socket_state *s = &S[fd];
    ssize_t k = write(fd, s->tail, s->tail_n);
    if (k < 0) { if (errno != EAGAIN) drop(fd); return; }
    s->tail_n -= (uint32_t)k;
    memmove(s->tail, s->tail + k, s->tail_n);
    if (s->tail_n) return;
    free(s->tail);
    s->tail = NULL;
    watch(EPOLL_CTL_MOD, fd, EPOLLIN);
}
static void on_connect(void) {
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK), one = 1;
        if (fd < 0) return;
        if (fd >= MAX_FDS) { close(fd); continue; }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        S[fd] = (struct socket_state){.topic = -1};
        watch(EPOLL_CTL_ADD, fd, EPOLLIN);
    }
}
static void join_topic(int fd, int topic) {
    struct topic *t = &T[topic];
    if (t->n == t->cap) t->fds = need(realloc(t->fds, sizeof(int) * (size_t)(t->cap = t->cap ? 2 * t->cap : 64)));
    S[fd].topic = topic;
    S[fd].at = t->n;
    t->fds[t->n++] = fd;
}
static void on_request(int fd, const char *p, size_t n) {
    struct socket_state *s = &S[fd];
    keep(s, p, n);
    keep(s, "", 1);
    char *end = strstr(s->tail, "\r\n\r\n"), *room = strstr(s->tail, "room="), *key = strcasestr(s->tail, "sec-websocket-key:");
    s->tail_n--;
    if (!end) { if (s->tail_n > HEAD_BYTES) drop(fd); return; }
    int topic = room ? atoi(room + 5) : -1;
    if (topic < 0 || topic >= MAX_TOPICS || !key) { drop(fd); return; }
    key += 18 + strspn(key + 18, " ");
    size_t key_n = strcspn(key, " \r\n");
    char token[29], answer[256];
    if (key_n != 24) { drop(fd); return; }
    accept_key(key, key_n, token);
    int k = snprintf(answer, sizeof answer, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                     "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", token);
    free(s->tail);
    s->tail = NULL;
    s->tail_n = 0;
    join_topic(fd, topic);
    put(fd, answer, (size_t)k);
}
static void on_bytes(int fd) {   /* after the handshake what clients say is read and dropped */
    char b[16384];
    ssize_t n = read(fd, b, sizeof b);
    if (n <= 0) { if (n == 0 || errno != EAGAIN) drop(fd); return; }
    if (S[fd].topic < 0) on_request(fd, b, (size_t)n);
    else if ((b[0] & 15) == 8) drop(fd);
}

/* ---- fan-out ---- */
static void send_topic(struct topic *t, const char *p, size_t n) {
    for (int i = t->n - 1; i >= 0; i--) put(t->fds[i], p, n);   /* backwards: a drop moves the last one here */
}
static void on_message(int topic, const char *p, size_t n) {
    struct topic *t = &T[topic];
    static char frame[1 << 17];
    size_t k = 0;
    frame[k++] = (char)0x81;
    if (n < 126) frame[k++] = (char)n;
    else { frame[k++] = 126; frame[k++] = (char)(n >> 8); frame[k++] = (char)n; }
    memcpy(frame + k, p, n);
    n += k;
    if (!joining) { send_topic(t, frame, n); return; }
    if (!t->joined_n) touched[n_touched++] = topic;
    if (t->joined_n + n > t->joined_cap) t->joined = need(realloc(t->joined, t->joined_cap = 2 * (t->joined_n + n)));
    memcpy(t->joined + t->joined_n, frame, n);
    t->joined_n += n;
}
static void flush_joined(void) {
    for (int i = 0; i < n_touched; i++) {
        struct topic *t = &T[touched[i]];
        send_topic(t, t->joined, t->joined_n);
        t->joined_n = 0;
    }
    n_touched = 0;
}

/* ---- Redis: *4 $8 pmessage $6 room:* $n room:N $m text ---- */
static char rbuf[1 << 20];
static size_t rn;

static char *bulk(char *p, char *end, char **data, long *n) {   /* NULL: not all here yet */
    char *line = memchr(p, '\n', (size_t)(end - p));
    if (!line || *p != '$') return NULL;
    *n = atol(p + 1);
    *data = line + 1;
    return *n + 2 <= end - line - 1 ? *data + *n + 2 : NULL;
}
static char *one_push(char *p, char *end) {                    /* NULL: not all here yet */
    char *data[4], *q = memchr(p, '\n', (size_t)(end - p));
    long n[4];
    int parts = atoi(p + 1);
    if (!q || *p != '*') return NULL;
    q++;
    for (int i = 0; i < parts; i++) {
        if (q < end && *q == ':') { q = memchr(q, '\n', (size_t)(end - q)); if (!q) return NULL; q++; continue; }
        if (!(q = bulk(q, end, &data[i], &n[i]))) return NULL;
    }
    if (parts == 4 && n[2] > 5) {
        int topic = atoi(data[2] + 5);
        if (topic >= 0 && topic < MAX_TOPICS && n[3] < 65536) on_message(topic, data[3], (size_t)n[3]);
    }
    return q;
}
static void on_redis(void) {
    ssize_t k = read(redis, rbuf + rn, sizeof rbuf - rn);
    if (k <= 0) { if (k == 0) exit(0); return; }
    rn += (size_t)k;
    char *p = rbuf, *end = rbuf + rn, *q;
    while (p < end && (q = one_push(p, end))) p = q;
    rn = (size_t)(end - p);
    memmove(rbuf, p, rn);
    flush_joined();
}
static struct sockaddr_in loopback(int port) {
    return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

int main(int argc, char **argv) {
    if (argc < 3) { fputs("floor PORT REDIS_PORT [join]\n", stderr); return 2; }
    joining = argc > 3 && !strcmp(argv[3], "join");
    signal(SIGPIPE, SIG_IGN);
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    ep = epoll_create1(0);
    int one = 1;
    struct sockaddr_in here = loopback(atoi(argv[1])), there = loopback(atoi(argv[2]));
    listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&here, sizeof here) < 0 || listen(listener, 4096) < 0) die("listen");
    redis = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(redis, (struct sockaddr *)&there, sizeof there) < 0) die("redis");
    static const char subscribe[] = "PSUBSCRIBE room:*\r\n";
    if (write(redis, subscribe, sizeof subscribe - 1) < 0) die("redis");
    watch(EPOLL_CTL_ADD, listener, EPOLLIN);
    watch(EPOLL_CTL_ADD, redis, EPOLLIN);
    puts("ready");
    fflush(stdout);
    for (;;) {
        static struct epoll_event ev[512];
        int n = epoll_wait(ep, ev, 512, -1);
        for (int i = 0; i < n; i++) {
            int fd = ev[i].data.fd;
            if (fd == listener) on_connect();
            else if (fd == redis) on_redis();
            else if (ev[i].events & EPOLLOUT && S[fd].topic >= 0) on_writable(fd);
            else on_bytes(fd);
        }
    }
}
