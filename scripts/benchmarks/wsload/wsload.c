/* Options, the commands that come on standard input, and the loop. Ends when standard input does. */
#define _GNU_SOURCE
#include "wsload.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define LOOK_EVERY_MS 20
#define COMMANDS 0xffffffffu
#define EVENTS 1024

struct options opt = {.host = "127.0.0.1", .key = "t=", .port = 8000, .clients = 100, .sources = 12, .inflight = 128,
                      .per_s = 1000, .first_retry_s = 20};
struct client *all;
uint32_t *due_ms;
int epoll_fd, inflight, live, started;
static int is_connecting, is_over;
static double owed;
static uint32_t paid_ms;

static void usage(void) {
    fputs("wsload -f HELLOS [options]   loopback only; see wsload.h\n"
          " -f file       what each client says first: a JSON line a client, its cursor as \"cursor\":{\"epoch\":E,\"seq\":S}\n"
          " -o line       the first client's line, from 0        -n clients   how many\n"
          " -H host  -p port  -X 'Name: value'                   where, and with which further headers (up to 16)\n"
          " -s sources    source addresses 127.0.0.2 and on; 0 binds none\n"
          " -r per_s  -c inflight                                new connections a second, and under way at once\n"
          " -m good|slow|half|churn                              how they behave\n"
          " -B bytes      SO_RCVBUF of each socket               -k key       bytes before a message's time in ns\n"
          " -b seconds    the protocol's ping this often, 0 never\n"
          " -R            come back when closed or refused       -J seconds   first retry within (20)\n"
          " -T            keep resume tickets and come back with them\n"
          " -C file       commit times by message number, 8 bytes each: latencies from COMMIT on are told, too\n"
          "commands, one a line: connect, stop, reset, report (one JSON line), table FILE, quit\n", stderr);
    exit(2);
}

static int mode_of(const char *name) {
    static const char *names[] = {"good", "slow", "half", "churn"};
    for (int i = 0; i < 4; i++) if (!strcmp(name, names[i])) return i;
    usage();
    return 0;
}

static void read_options(int argc, char **argv) {
    for (int o; (o = getopt(argc, argv, "f:o:n:H:p:X:s:r:c:m:B:k:b:RJ:TC:")) != -1;) switch (o) {
        case 'f': opt.hello_path = optarg; break;
        case 'o': opt.first_line = atoi(optarg); break;
        case 'n': opt.clients = atoi(optarg); break;
        case 'H': opt.host = optarg; break;
        case 'p': opt.port = atoi(optarg); break;
        case 'X': if (opt.n_headers < 16) opt.headers[opt.n_headers++] = optarg; break;
        case 's': opt.sources = atoi(optarg); break;
        case 'r': opt.per_s = atof(optarg); break;
        case 'c': opt.inflight = atoi(optarg); break;
        case 'm': opt.mode = mode_of(optarg); break;
        case 'B': opt.receive_bytes = atoi(optarg); break;
        case 'k': opt.key = optarg; break;
        case 'b': opt.ping_s = atof(optarg); break;
        case 'R': opt.comes_back = 1; break;
        case 'J': opt.first_retry_s = atof(optarg); break;
        case 'T': opt.keeps_tickets = 1; break;
        case 'C': load_commits(optarg); break;
        default: usage();
    }
    if (!opt.hello_path || opt.clients < 1 || opt.first_line < 0) usage();
    if (strncmp(opt.host, "127.", 4)) { fputs("wsload: loopback addresses only\n", stderr); exit(2); }
}

static void obey(char *line) {
    if (!strcmp(line, "connect")) { is_connecting = 1; owed = 0; paid_ms = clock_ms(); }
    else if (!strcmp(line, "stop")) is_connecting = 0;
    else if (!strcmp(line, "reset")) { reset_tally(); printf("{}\n"); fflush(stdout); }
    else if (!strcmp(line, "report")) print_report();
    else if (!strncmp(line, "table ", 6)) { printf("{\"written\":%s}\n", write_table(line + 6) ? "false" : "true"); fflush(stdout); }
    else if (!strcmp(line, "quit")) is_over = 1;
    else fprintf(stderr, "wsload: what is %s?\n", line);
}

static void read_commands(void) {
    static char text[8192];
    static size_t kept;
    ssize_t got = read(0, text + kept, sizeof text - kept - 1);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) { is_over = 1; return; }
    kept += (size_t)got;
    text[kept] = 0;
    for (char *end; (end = strchr(text, '\n'));) {
        *end = 0;
        obey(text);
        kept -= (size_t)(end + 1 - text);
        memmove(text, end + 1, kept + 1);
    }
}

/* New clients at the rate asked for; in churn each place is taken again once it is free. */
static void connect_more(uint32_t now_ms) {
    if (!is_connecting) return;
    owed += (now_ms - paid_ms) / 1000.0 * opt.per_s;
    paid_ms = now_ms;
    if (owed > opt.per_s) owed = opt.per_s;   /* what could not begin for a second is not made up for */
    while (owed >= 1 && inflight < opt.inflight) {
        if (opt.mode != CHURN && started >= opt.clients) { is_connecting = 0; return; }
        int i = started % opt.clients;
        if (all[i].state != IDLE) { if (opt.mode == CHURN) count("no place free"); started += opt.mode == CHURN; owed -= 1; continue; }
        started++;
        owed -= 1;
        start(i, now_ms);
    }
}

int main(int argc, char **argv) {
    struct rlimit limit;
    struct epoll_event events[EVENTS], commands = {.events = EPOLLIN, .data.u32 = COMMANDS};
    read_options(argc, argv);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGINT, SIG_IGN);   /* Ctrl-C is for whoever gives the commands */
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    all = calloc((size_t)opt.clients, sizeof *all);
    due_ms = malloc((size_t)opt.clients * sizeof *due_ms);
    for (int i = 0; i < opt.clients; i++) due_ms[i] = NEVER;
    load_hellos();
    reset_tally();
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    fcntl(0, F_SETFL, O_NONBLOCK);
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, 0, &commands);
    for (uint32_t looked_ms = 0; !is_over;) {
        uint32_t now_ms = clock_ms();
        if (now_ms - looked_ms >= LOOK_EVERY_MS) { looked_ms = now_ms; run_due(now_ms); }
        connect_more(now_ms);
        int n = epoll_wait(epoll_fd, events, EVENTS, is_connecting ? 1 : LOOK_EVERY_MS);
        for (int k = 0; k < n; k++) {
            if (events[k].data.u32 == COMMANDS) read_commands();
            else on_socket((int)events[k].data.u32, events[k].events);
        }
    }
    return 0;
}
