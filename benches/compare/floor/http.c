// The floor of an HTTP proxy with kept back-end connections: each thread owns one.
//
//     http PORT THREADS BACKEND_PORT...
//
// No parsing: whatever the client sends is taken for one `GET /1k.txt`, the back end is asked the
// same each time, and an answer is what one read gives, so this does for one small file and
// nothing else. A yardstick for what the kernel alone charges.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char question[] = "GET /1k.txt HTTP/1.1\r\nHost: b\r\n\r\n";
static int listener, backends;
static char **backend_ports;
static atomic_uint turn;

static struct sockaddr_in loopback(const char *port) {
    return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(atoi(port)),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static void serve(int client, int backend) {
    char buffer[65536];
    ssize_t count;
    while ((count = recv(client, buffer, sizeof buffer, 0)) > 0) {
        // ab speaks HTTP/1.0 and waits for the end of the connection.
        int is_kept = memmem(buffer, count, "HTTP/1.1", 8) != NULL;
        send(backend, question, sizeof question - 1, MSG_NOSIGNAL);
        count = recv(backend, buffer, sizeof buffer, 0);
        if (count <= 0) _exit(1);
        if (send(client, buffer, count, MSG_NOSIGNAL) != count || !is_kept) return;
    }
}

static void *worker(void *unused) {
    int backend = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    setsockopt(backend, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct sockaddr_in address = loopback(backend_ports[atomic_fetch_add(&turn, 1) % backends]);
    if (connect(backend, (struct sockaddr *)&address, sizeof address)) _exit(1);
    for (;;) {
        int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (client < 0) continue;
        serve(client, backend);
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
