/*
 * fanload - publishes to a WebSocket server and counts what its sockets receive, whatever server it is: one epoll loop,
 * RFC 6455 client, loopback only, no TLS. `scripts/bench sockets fanout` runs it; hub clients are wsload's.
 *
 * Build:  cc -O2 -Wall -Wextra -o fanload fanload.c
 *
 * It opens -n sockets, socket i for topic i % -G, waits until each is ready (101; with -M its first message sent; with -E
 * that text received), and says so in a line of JSON. Then it runs each load that a line on stdin asks for, on these sockets, until
 * stdin ends: W1:3 is window 1 for 3 s (the next message goes out once less than 1 is undelivered, in fractions), Q4:5
 * four messages a second for 5 s. A line of JSON each. Topics are taken at random.
 *
 * Messages are templates in -I's file, one a topic, so that it speaks any server's inner format without knowing it:
 * "<t at> <ms at> <seq at> <first seq> <length>\n<bytes>\n": the bytes to send to the publishing port -B, and where to put
 * the time in nanoseconds as 19 digits, in milliseconds and the topic's next number as 8 bytes each; -1 for nowhere. A
 * received text frame with -k (default "t":) before such a time is a data frame. What was published before its load began is late.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "fanload_figures.h"

enum { CONNECTING, UPGRADING, WAITING, READY, DEAD };
enum { SOURCES = 8, MAX_PUBLISHERS = 2048, TIME_DIGITS = 19 };
#define CONNECTS_PER_S 20000.0
#define SETTLE_S 0.5
#define HEARTBEAT_S 20.0
#define PUBLISHER 0x80000000u
#define CONTROL 0xffffffffu
#define KEY "dGhlIHNhbXBsZSBub25jZQ=="            /* of RFC 6455, with its answer */
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

struct conn {
    int fd;
    uint8_t state;
    uint32_t got, left_n;   /* data frames of this load; bytes of an unfinished head or frame */
    char *left;
};
struct message { long t_at, ms_at, seq_at, n; uint64_t seq; uint32_t published; char *bytes; };

static const char *o_path = "/ws", *o_expect, *o_key = "\"t\":", *o_pids, *o_heartbeat, *o_hellos, *o_messages;
static int o_port, o_n = 100, o_topics = 1, o_eio, o_inflight = 512, o_pub_port, o_pub_http;
static double o_timeout = 60;

static struct conn *C;
static struct message *M;
static char **hellos, first_error[120], rbuf[1 << 18];
static int ep, is_asked, n_hellos, started, inflight, n_ready, n_failed, n_closed, publishers[MAX_PUBLISHERS], busy[MAX_PUBLISHERS], n_publishers;
static uint64_t n_data, n_late, n_other, n_pings, n_reads, n_published, n_lost_writes, t_began, t_last;
static uint32_t rng = 2463534242u;

static uint64_t now(clockid_t c) {
    struct timespec ts;
    clock_gettime(c, &ts);
    return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}
static double since_s(uint64_t t) { return (double)(now(CLOCK_MONOTONIC) - t) / 1e9; }
static uint32_t rnd(void) { rng ^= rng << 13; rng ^= rng >> 17; rng ^= rng << 5; return rng; }
static void die(const char *what) { perror(what); exit(2); }
static void *need(void *p) { if (!p) die("memory"); return p; }
static FILE *opened(const char *path) { FILE *f = fopen(path, "r"); if (!f) die(path); return f; }
static double seconds_of(struct timeval t) { return (double)t.tv_sec + (double)t.tv_usec / 1e6; }

/* ---- sockets ---- */
static struct sockaddr_in loopback(int port) {
    return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}
static void drop(struct conn *c, const char *why) {
    if (c->state == READY) { n_closed++; n_ready--; } else { n_failed++; inflight--; }
    if (!first_error[0]) for (size_t i = 0; why[i] && i < sizeof first_error - 1; i++)
        first_error[i] = why[i] < ' ' || why[i] == '"' || why[i] == '\\' ? ' ' : why[i];
    close(c->fd);
    free(c->left);
    *c = (struct conn){.state = DEAD};
}
static void say(struct conn *c, const char *p) {   /* one masked text frame */
    unsigned char f[2100];
    size_t n = strlen(p), k = 0;
    uint32_t mask = rnd();
    if (n > 2000) { drop(c, "first message too long"); return; }
    f[k++] = 0x81;
    if (n < 126) f[k++] = (unsigned char)(0x80 | n);
    else { f[k++] = 0x80 | 126; f[k++] = (unsigned char)(n >> 8); f[k++] = (unsigned char)n; }
    memcpy(f + k, &mask, 4);
    k += 4;
    for (size_t i = 0; i < n; i++) f[k++] = (unsigned char)p[i] ^ ((unsigned char *)&mask)[i & 3];
    if (send(c->fd, f, k, MSG_NOSIGNAL) != (ssize_t)k) n_lost_writes++;
}
static void become_ready(struct conn *c) { c->state = READY; n_ready++; inflight--; }

static void start(int i) {
    struct conn *c = &C[i];
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    started++;
    inflight++;
    c->fd = fd;
    if (fd < 0) { drop(c, strerror(errno)); return; }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    struct sockaddr_in from = loopback(0), to = loopback(o_port);
    from.sin_addr.s_addr = htonl(0x7f000002u + (uint32_t)(i % SOURCES));
    if (bind(fd, (struct sockaddr *)&from, sizeof from) < 0) { drop(c, "bind"); return; }
    if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS) { drop(c, strerror(errno)); return; }
    struct epoll_event ev = {.events = EPOLLOUT, .data.u32 = (uint32_t)i};
    epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
}
static void upgrade(struct conn *c, int i) {
    char head[700];
    int err = 0;
    socklen_t size = sizeof err;
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &size);
    if (err) { drop(c, strerror(err)); return; }
    int k = snprintf(head, sizeof head, "GET %s%d HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " KEY "\r\n\r\n", o_path, i % o_topics, o_port);
    if (send(c->fd, head, (size_t)k, MSG_NOSIGNAL) != k) { drop(c, "request"); return; }
    c->state = UPGRADING;
    struct epoll_event ev = {.events = EPOLLIN | EPOLLRDHUP, .data.u32 = (uint32_t)i};
    epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &ev);
}
static void on_text(struct conn *c, const char *p, size_t n) {
    if (o_eio && p[0] == '0') { say(c, "40"); return; }
    if (o_eio && p[0] == '2') { n_pings++; say(c, "3"); return; }
    if (c->state == WAITING && memmem(p, n, o_expect, strlen(o_expect))) { become_ready(c); return; }
    const char *at = memmem(p, n, o_key, strlen(o_key));
    if (!at || at + strlen(o_key) + TIME_DIGITS > p + n) { n_other++; return; }
    uint64_t t = 0, t_now = now(CLOCK_REALTIME);
    for (at += strlen(o_key); *at >= '0' && *at <= '9'; at++) t = t * 10 + (uint64_t)(*at - '0');
    if (t < t_began) { n_late++; return; }
    n_data++;
    c->got++;
    t_last = t_now;
    note_latency_us(t_now > t ? (t_now - t) / 1000 : 0);
}
static void on_frame(struct conn *c, int op, const char *p, size_t n) {
    if (op == 8) {
        char why[100];
        snprintf(why, sizeof why, "closed %d %.*s", n > 1 ? (unsigned char)p[0] << 8 | (unsigned char)p[1] : 0, n > 2 ? (int)n - 2 : 0, p + 2);
        drop(c, why);
    } else if (op == 9) {
        n_pings++;
        if (send(c->fd, "\x8a\x80\0\0\0\0", 6, MSG_NOSIGNAL) != 6) n_lost_writes++;
    } else if (n) on_text(c, p, n);
}
static size_t on_upgraded(struct conn *c, int i, size_t n) {   /* bytes used of rbuf; 0: not all here, or dropped */
    char *end = memmem(rbuf, n, "\r\n\r\n", 4);
    if (!end) return 0;
    if (memcmp(rbuf + 8, " 101", 4) || !memmem(rbuf, n, ACCEPT, sizeof ACCEPT - 1)) { rbuf[60] = 0; drop(c, rbuf); return 0; }
    c->state = WAITING;
    if (n_hellos) say(c, hellos[i % n_hellos]);
    if (!o_expect) become_ready(c);
    return (size_t)(end - rbuf) + 4;
}
static void on_bytes(int i) {
    struct conn *c = &C[i];
    memcpy(rbuf, c->left, c->left_n);
    ssize_t r = read(c->fd, rbuf + c->left_n, sizeof rbuf - c->left_n);
    n_reads++;
    if (r <= 0) { if (r == 0 || errno != EAGAIN) drop(c, r ? "read" : "end of file"); return; }
    size_t n = c->left_n + (size_t)r, at = c->state == UPGRADING ? on_upgraded(c, i, n) : 0;
    while (c->state != DEAD && c->state != UPGRADING && n - at >= 2) {
        unsigned char *f = (unsigned char *)rbuf + at;
        size_t size = f[1] & 127, head = 2;
        if (size == 126) { if (n - at < 4) break; size = (size_t)f[2] << 8 | f[3]; head = 4; }
        else if (size == 127) { drop(c, "frame too long"); return; }
        if (n - at < head + size) break;
        on_frame(c, f[0] & 15, (char *)f + head, size);
        at += head + size;
    }
    if (c->state == DEAD) return;
    if (n == at) { free(c->left); c->left = NULL; }
    else memcpy(c->left = need(realloc(c->left, n - at)), rbuf + at, n - at);
    c->left_n = (uint32_t)(n - at);
}

/* ---- publishing ---- */
static void open_publisher(int i) {
    struct sockaddr_in to = loopback(o_pub_port);
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0) die("publishing port");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    struct epoll_event ev = {.events = EPOLLIN, .data.u32 = PUBLISHER | (uint32_t)i};
    epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
    publishers[i] = fd;
    busy[i] = 0;
}
static void on_published(int i) {                  /* answers are read and dropped */
    char b[65536];
    ssize_t r = read(publishers[i], b, sizeof b);
    if (r < 0 && errno == EAGAIN) return;
    busy[i] = 0;
    if (r <= 0) { close(publishers[i]); open_publisher(i); }
    else if (o_pub_http && (r < 10 || b[9] != '2')) n_lost_writes++;
}
static void put_number(char *at, uint64_t v) { v = htobe64(v); memcpy(at, &v, sizeof v); }
static int publish(void) {
    static int p;
    for (int tried = 0; o_pub_http && busy[p]; p = (p + 1) % n_publishers)   /* HTTP answers each request before the next */
        if (++tried > n_publishers) return 0;
    struct message *m = &M[rnd() % (uint32_t)o_topics];
    uint64_t t = now(CLOCK_REALTIME);
    char digits[24];
    snprintf(digits, sizeof digits, "%019llu", (unsigned long long)t);
    memcpy(m->bytes + m->t_at, digits, TIME_DIGITS);
    if (m->ms_at >= 0) put_number(m->bytes + m->ms_at, t / 1000000);
    if (m->seq_at >= 0) put_number(m->bytes + m->seq_at, m->seq);
    if (send(publishers[p], m->bytes, (size_t)m->n, MSG_NOSIGNAL) != m->n) { n_lost_writes++; return 0; }
    busy[p] = 1;
    m->seq++;
    m->published++;
    n_published++;
    return 1;
}

static void pump(int timeout_ms) {
    static struct epoll_event ev[1024];
    int k = epoll_wait(ep, ev, 1024, timeout_ms);
    for (int j = 0; j < k; j++) {
        uint32_t id = ev[j].data.u32;
        if (id == CONTROL) is_asked = 1;
        else if (id & PUBLISHER) on_published((int)(id & ~PUBLISHER));
        else if (C[id].state == CONNECTING) upgrade(&C[id], (int)id);
        else if (C[id].state != DEAD) on_bytes((int)id);
    }
}

/* ---- one load: publish, wait for what is under way, report ---- */
static double expected(void) {
    double all = 0;
    for (int i = 0; i < o_topics; i++) all += (double)M[i].published * (o_n / o_topics + (i < o_n % o_topics));
    return all;
}
static void run(char kind, double amount, double seconds) {
    double cpu0, cpu1, fan = (double)o_n / o_topics, missing = 0, extra = 0;
    long rss0, rss1;
    struct rusage own0, own1;
    for (int i = 0; i < o_n; i++) C[i].got = 0;
    for (int i = 0; i < o_topics; i++) M[i].published = 0;
    forget_latencies();
    n_data = n_late = n_other = n_reads = n_published = n_lost_writes = n_pings = t_last = 0;
    sample(o_pids, &cpu0, &rss0);
    getrusage(RUSAGE_SELF, &own0);
    t_began = now(CLOCK_REALTIME);
    uint64_t began = now(CLOCK_MONOTONIC);
    while (since_s(began) < seconds) {
        if (kind == 'Q') for (int burst = 0; burst < 256 && (double)n_published < since_s(began) * amount && publish(); burst++) ;
        else while ((double)n_published - (double)n_data / fan < amount && publish()) ;
        pump(kind == 'Q' ? 1 : 20);
    }
    /* Until everything came, for 8 s at most, or 1.5 s without a frame. */
    uint64_t ended = now(CLOCK_MONOTONIC), moved = ended;
    for (uint64_t last = n_data; (double)n_data < expected() && since_s(ended) < 8 && since_s(moved) < 1.5; last = n_data) {
        pump(100);
        if (n_data != last) moved = now(CLOCK_MONOTONIC);
    }
    sample(o_pids, &cpu1, &rss1);
    getrusage(RUSAGE_SELF, &own1);
    for (int i = 0; i < o_n; i++) {
        double lacks = (double)M[i % o_topics].published - C[i].got;
        if (lacks > 0) missing += lacks; else extra -= lacks;
    }
    double span_s = t_last > t_began ? (double)(t_last - t_began) / 1e9 : 0;
    double own_s = seconds_of(own1.ru_utime) + seconds_of(own1.ru_stime) - seconds_of(own0.ru_utime) - seconds_of(own0.ru_stime);
    printf("{\"published\":%llu,\"expected\":%.0f,\"received\":%llu,\"missing\":%.0f,\"extra\":%.0f,\"late\":%llu,\"other\":%llu,\"pings\":%llu,"
           "\"frames_per_s\":%.0f,\"frames_per_read\":%.3f,\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"server_cpu_s\":%.6f,\"generator_cpu_s\":%.3f,"
           "\"rss_kb\":%ld,\"closed\":%d,\"lost_writes\":%llu,\"error\":\"%s\"}\n", (unsigned long long)n_published, expected(),
           (unsigned long long)n_data, missing, extra, (unsigned long long)n_late, (unsigned long long)n_other, (unsigned long long)n_pings,
           span_s > 0 ? (double)n_data / span_s : 0, n_reads ? (double)n_data / (double)n_reads : 0, quantile_ms(0.5), quantile_ms(0.99),
           cpu1 - cpu0, own_s, rss1, n_closed, (unsigned long long)n_lost_writes, first_error);
    fflush(stdout);
}

static void read_hellos(void) {
    FILE *f = opened(o_hellos);
    size_t cap = 0;
    char *line = NULL;
    while (getline(&line, &cap, f) > 0) {
        line[strcspn(line, "\n")] = 0;
        hellos = need(realloc(hellos, sizeof *hellos * (size_t)(n_hellos + 1)));
        hellos[n_hellos++] = need(strdup(line));
    }
    free(line);
    fclose(f);
}
static void read_messages(void) {
    FILE *f = opened(o_messages);
    M = need(calloc((size_t)o_topics, sizeof *M));
    for (int i = 0; i < o_topics; i++) {
        unsigned long long seq;
        if (fscanf(f, "%ld %ld %ld %llu %ld", &M[i].t_at, &M[i].ms_at, &M[i].seq_at, &seq, &M[i].n) != 5) die(o_messages);
        M[i].seq = seq;
        M[i].bytes = need(malloc((size_t)M[i].n));
        if (getc(f) != '\n' || fread(M[i].bytes, 1, (size_t)M[i].n, f) != (size_t)M[i].n) die(o_messages);
    }
    fclose(f);
}
static void read_options(int argc, char **argv) {
    for (int o; (o = getopt(argc, argv, "p:u:n:G:M:E:eB:I:k:P:t:c:H:")) != -1;) switch (o) {
        case 'p': o_port = atoi(optarg); break;            /* server */
        case 'u': o_path = optarg; break;                  /* address, up to the topic's number */
        case 'n': o_n = atoi(optarg); break;               /* sockets */
        case 'G': o_topics = atoi(optarg); break;
        case 'M': o_hellos = optarg; break;                /* a file of first messages, used in turns */
        case 'E': o_expect = optarg; break;                /* text that makes a socket ready */
        case 'e': o_eio = 1; o_expect = "40"; break;       /* speak Engine.IO 4 and Socket.IO */
        case 'B': o_pub_http = optarg[0] == 'h'; o_pub_port = atoi(strchr(optarg, ':') + 1); break;   /* redis:PORT or http:PORT */
        case 'I': o_messages = optarg; break;
        case 'k': o_key = optarg; break;
        case 'H': o_heartbeat = optarg; break;             /* what every socket says every 20 s while no load runs */
        case 'P': o_pids = optarg; break;                  /* the server's processes, with commas */
        case 't': o_timeout = atof(optarg); break;         /* seconds to connect in */
        case 'c': o_inflight = atoi(optarg); break;        /* handshakes at once */
        default: exit(2);
    }
    if (!o_port || !o_pub_port || !o_messages || o_topics < 1) { fputs("fanload needs -p -B -I\n", stderr); exit(2); }
}

static void wait_for_order(void) {                 /* pings are answered meanwhile */
    static uint64_t said;
    for (is_asked = 0; !is_asked; pump(1000)) {
        if (!o_heartbeat || (said && since_s(said) < HEARTBEAT_S)) continue;
        said = now(CLOCK_MONOTONIC);
        for (int i = 0; i < o_n; i++) if (C[i].state == READY) say(&C[i], o_heartbeat);
    }
}

int main(int argc, char **argv) {
    read_options(argc, argv);
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    signal(SIGPIPE, SIG_IGN);
    ep = epoll_create1(0);
    C = need(calloc((size_t)o_n, sizeof *C));
    if (o_hellos) read_hellos();
    read_messages();
    double cpu0, cpu1;
    long rss0, rss1;
    sample(o_pids, &cpu0, &rss0);
    uint64_t began = now(CLOCK_MONOTONIC);
    while ((started < o_n || inflight) && since_s(began) < o_timeout) {
        while (started < o_n && inflight < o_inflight && started < since_s(began) * CONNECTS_PER_S) start(started);
        pump(1);
    }
    double connect_s = since_s(began);
    for (began = now(CLOCK_MONOTONIC); since_s(began) < SETTLE_S;) pump(10);
    sample(o_pids, &cpu1, &rss1);
    printf("{\"ready\":%d,\"failed\":%d,\"connect_s\":%.3f,\"connect_cpu_s\":%.6f,\"rss_start_kb\":%ld,\"rss_ready_kb\":%ld,\"error\":\"%s\"}\n",
           n_ready, o_n - n_ready, connect_s, cpu1 - cpu0, rss0, rss1, first_error);
    fflush(stdout);
    if (n_ready < o_n) return 1;
    struct epoll_event control = {.events = EPOLLIN, .data.u32 = CONTROL};
    epoll_ctl(ep, EPOLL_CTL_ADD, STDIN_FILENO, &control);
    for (char load[64];;) {
        char kind;
        double amount, seconds;
        wait_for_order();
        ssize_t n = read(STDIN_FILENO, load, sizeof load - 1);
        if (n <= 0) return 0;
        load[n] = 0;
        if (sscanf(load, "%c%lf:%lf", &kind, &amount, &seconds) != 3) { fprintf(stderr, "load %s\n", load); return 2; }
        int wanted = !o_pub_http ? 1 : kind == 'W' && amount > 15 ? (int)amount + 1 : 16;
        while (n_publishers < wanted && n_publishers < MAX_PUBLISHERS) open_publisher(n_publishers++);
        run(kind, amount, seconds);
    }
}
