"""The balancer with one loop: python3 lb_async.py PORT --backends 127.0.0.1:9001,127.0.0.1:9002

Our counterpart of the course's program, of the same shape; `selectors` stands in for `asyncore`,
which Python 3.12 removed. Its known faults, kept on purpose:

    fault                                                        done properly in
    one `recv(8192)` of the response: larger ones arrive cut     src/protocol/relay/mod.rs
    one `send`: what does not fit at once is lost                src/poll_loop/session.rs
    a client that finished sending is read again and again: the  src/protocol/relay/mod.rs
      loop spins until it comes, or for ever
    a back end that refuses is tried again and again: the loop   src/protocol/relay/backend.rs, src/balance/turn.rs
      spins for ever, and the client waits as long
    no deadline for anything                                     src/net/timers.rs
    backlog 5, and one `accept` an event                         src/net/listen.rs, src/poll_loop/accept.rs
"""

import argparse
import logging
import selectors
import socket

from backends import BackendList
from listener import listen


class Pair:
    """A client and its back end."""

    def __init__(self, selector, client, server):
        self.selector = selector
        self.client = client
        self.backend = socket.socket()
        self.backend.setblocking(False)
        self.backend.connect_ex(server)
        self.selector.register(self.backend, selectors.EVENT_WRITE, self.connected)

    def connected(self):
        try:
            self.backend.getpeername()
        except OSError:
            return  # refused: nothing is done about it, so the selector says the same at once again
        self.selector.modify(self.backend, selectors.EVENT_READ, self.read_backend)
        self.selector.register(self.client, selectors.EVENT_READ, self.read_client)

    def read_client(self):
        try:
            data = self.client.recv(8192)
            if data:
                self.backend.send(data)
        except OSError:
            self.close()

    def read_backend(self):
        try:
            self.client.send(self.backend.recv(8192))
        except OSError:
            pass  # one of them is gone, and both are closed now
        self.close()

    def close(self):
        for end in self.client, self.backend:
            if end in self.selector.get_map():
                self.selector.unregister(end)
            end.close()


class Server:
    def __init__(self, listener, backends):
        self.listener = listener
        self.backends = backends
        self.selector = selectors.DefaultSelector()
        self.listener.setblocking(False)
        self.selector.register(self.listener, selectors.EVENT_READ, self.accept)

    def loop(self):
        while True:
            for key, _ in self.selector.select():
                # An event before it in the same turn may have closed this one with its partner, and
                # its number may belong to another connection by now.
                if self.selector.get_map().get(key.fd) is key:
                    key.data()

    def accept(self):
        client, address = self.listener.accept()
        logging.warning("connection from {}".format(address))
        client.setblocking(False)
        server = self.backends.getserver()
        logging.warning("koneksi diteruskan ke {}".format(server))
        Pair(self.selector, client, server)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("port", type=int)
    arguments.add_argument("--backends", required=True)
    arguments.add_argument("--backlog", type=int, default=5)
    options = arguments.parse_args()
    Server(listen(options.port, options.backlog), BackendList(options.backends)).loop()


if __name__ == "__main__":
    main()
