// The floor of a relay: threads that carry bytes with as few system calls as can do it.
//
//     relay PORT THREADS BACKEND_PORT...
//
// No deadline, no health, no log, no second try, and one slow client holds a thread for ever: not a
// balancer, but a yardstick for what the kernel alone charges. One thread a connection: accept,
// connect, and poll(2) on both sockets until one side ends.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static int listener, backends;
static char **backend_ports;
static atomic_uint turn;

static struct sockaddr_in loopback(const char *port) {
    return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(atoi(port)),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

// Reads once and sends all of it on: the sockets block. False at the end of either.
static int pass(int from, int to, char *buffer, size_t size) {
    ssize_t count = recv(from, buffer, size, 0);
    return count > 0 && send(to, buffer, count, MSG_NOSIGNAL) == count;
}

static void relay(int client, int backend) {
    char buffer[65536];
    struct pollfd sides[2] = {{client, POLLIN, 0}, {backend, POLLIN, 0}};
    // A request comes first, so there is nothing to poll for yet.
    if (!pass(client, backend, buffer, sizeof buffer)) return;
    while (poll(sides, 2, -1) > 0) {
        if (sides[1].revents && !pass(backend, client, buffer, sizeof buffer)) return;
        if (sides[0].revents && !pass(client, backend, buffer, sizeof buffer)) return;
    }
}

static void *worker(void *unused) {
    for (;;) {
        int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC), on = 1;
        if (client < 0) continue;
        int backend = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        setsockopt(backend, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        struct sockaddr_in address = loopback(backend_ports[atomic_fetch_add(&turn, 1) % backends]);
        if (connect(backend, (struct sockaddr *)&address, sizeof address) == 0) relay(client, backend);
        close(backend);
        close(client);
    }
    return unused;
}

int main(int count, char **words) {
    if (count < 4) return 2;
    int threads = atoi(words[2]), on = 1;
    backend_ports = words + 3;
    backends = count - 3;
    struct sockaddr_in address = loopback(words[1]);
    listener = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 4096)) return 1;
    for (pthread_t thread; threads > 1; threads--) pthread_create(&thread, NULL, worker, NULL);
    worker(NULL);
}
