"""A model answer of exercise 6.

The response is read until its end, an empty `recv`. What `send` does not take is kept, and while something is
kept the selector is asked for room at the client instead of for bytes from the back end: so a slow client slows
its back end, and no more than one piece is ever in memory.
"""

import selectors
import socket
import sys


class Pair:
    """A client and its back end."""

    def __init__(self, selector, client, server):
        self.selector = selector
        self.client = client
        self.has_finished = False
        self.kept = b""
        self.backend = socket.create_connection(server)
        self.backend.setblocking(False)
        self.selector.register(self.client, selectors.EVENT_READ, self.read_client)
        self.selector.register(self.backend, selectors.EVENT_READ, self.read_backend)

    def read_client(self):
        try:
            data = self.client.recv(8192)
            if data:
                self.backend.send(data)
            else:
                self.has_finished = True
                self.selector.unregister(self.client)
        except OSError:
            self.close()

    def read_backend(self):
        try:
            self.kept = self.backend.recv(8192)
        except OSError:
            self.kept = b""
        if not self.kept:
            self.close()
            return
        self.selector.unregister(self.backend)
        self.wait_for_client(selectors.EVENT_WRITE, self.write_client)

    def write_client(self):
        try:
            self.kept = self.kept[self.client.send(self.kept) :]
        except OSError:
            self.close()
            return
        if not self.kept:
            self.wait_for_client(selectors.EVENT_READ, self.read_client)
            self.selector.register(self.backend, selectors.EVENT_READ, self.read_backend)

    def wait_for_client(self, event, then):
        if self.client in self.selector.get_map():
            self.selector.unregister(self.client)
        # A client that has finished sending would be ready for ever.
        if event == selectors.EVENT_WRITE or not self.has_finished:
            self.selector.register(self.client, event, then)

    def close(self):
        for end in self.client, self.backend:
            if end in self.selector.get_map():
                self.selector.unregister(end)
            end.close()


def serve(listener, server):
    selector = selectors.DefaultSelector()
    listener.setblocking(False)

    def accept():
        client, _ = listener.accept()
        client.setblocking(False)
        Pair(selector, client, server)

    selector.register(listener, selectors.EVENT_READ, accept)
    while True:
        for key, _ in selector.select():
            # An event before it in the same turn may have closed this one with its partner.
            if selector.get_map().get(key.fd) is key:
                key.data()


def main():
    listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
    print("listening on {}:{}".format(*listener.getsockname()), flush=True)
    serve(listener, ("127.0.0.1", int(sys.argv[2])))


if __name__ == "__main__":
    main()
