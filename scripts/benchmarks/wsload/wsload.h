/*
 * wsload: thousands of WebSocket clients that speak the hub's protocol (docs/protocol.md), on one epoll loop.
 * Loopback only, no TLS. What each file holds: wsload.c options, commands and the loop; clients.c connecting, coming
 * back and timers; frames.c what the hub says and what each client makes of it; tally.c figures.
 */
#ifndef WSLOAD_H
#define WSLOAD_H

#include <stddef.h>
#include <stdint.h>

/* A client's life. IDLE has not begun, WAITING comes back later, FAILED never will. */
enum state { IDLE, WAITING, CONNECTING, UPGRADING, HELLO, LIVE, DEAF, CLOSING, FAILED };

/* GOOD reads everything; SLOW reads a byte a second; HALF_OPEN stops reading and saying anything; CHURN leaves at once. */
enum mode { GOOD, SLOW, HALF_OPEN, CHURN };

struct client {
    int fd;
    uint8_t state;
    uint8_t attempt;       /* tries since it was last live for a while: how far the next one backs off */
    uint8_t was_live;      /* in this life of its socket */
    uint8_t uses_ticket;   /* the hello under way brought a resume ticket */
    uint8_t is_late;       /* comes back, and has not caught up yet */
    uint8_t has_bye;
    uint32_t kept;         /* bytes in left: an unfinished head or frame */
    char *left;
    const char *hello;     /* one line of the hello file, and where the two parts around its cursor end and begin */
    uint32_t hello_bytes, before_bytes, after_at;
    uint64_t epoch, cursor, target;
    uint32_t applied, duplicated, gapped, snapshots;
    uint32_t bye_after_ms, live_at_ms, ping_at_ms, behind_at_ms;
    char *ticket;
};

struct options {
    const char *host, *hello_path, *key, *headers[16];
    const uint64_t *commits;   /* by a message's number: when its COMMIT was answered, ns; NULL where nobody says */
    uint64_t commit_count;
    int port, clients, first_line, sources, inflight, mode, comes_back, keeps_tickets, receive_bytes, n_headers;
    double per_s, first_retry_s, ping_s;
};

extern struct options opt;
extern struct client *all;
extern uint32_t *due_ms;   /* when each client needs looking at next; NEVER for those that wait for the hub only */
extern int epoll_fd, inflight, live, started;
#define NEVER 0xffffffffu

/* clients.c */
void load_hellos(void);
void load_commits(const char *path);
void start(int i, uint32_t now_ms);
void on_socket(int i, uint32_t events);
void lose(int i, const char *why, uint32_t retry_after_ms, int may_come_back);
void become_live(int i);
void become_behind(int i);
void run_due(uint32_t now_ms);
void say_hello(int i, int in_place);
int send_frame(struct client *c, int opcode, const char *payload, size_t size);

/* frames.c */
void on_readable(int i);

/* tally.c */
uint32_t clock_ms(void);
uint64_t realtime_ns(void);
uint32_t random_below(uint32_t limit);
void count(const char *reason);
void note_latency(uint64_t us);
void note_after_commit(uint64_t us);
void note_caught_up(uint32_t now_ms);
void reset_tally(void);
void print_report(void);
int write_table(const char *path);

struct tally {
    uint64_t events, other, bytes, pings, pongs, hellos, signed_in_again, opened, closed, caught_up, unstamped;
};
extern struct tally tally;

#endif
