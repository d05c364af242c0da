"""Exercise 6: a fault of the Python, mended in the Python.

The balancer with one loop, as the course's (integration/python/lb_async.py), for one back end:
python3 exercise.py PORT BACKEND_PORT. A response that is larger than 8192 bytes arrives cut: the back end is
read once, and what one `send` cannot take is lost. Mend both. A socket that does not block sends what there is
room for and says how much that was; the rest has to wait until the selector says that there is room again.
"""

import selectors
import socket
import sys


class Pair:
    """A client and its back end."""

    def __init__(self, selector, client, server):
        self.selector = selector
        self.client = client
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
                self.selector.unregister(self.client)
        except OSError:
            self.close()

    def read_backend(self):
        try:
            self.client.send(self.backend.recv(8192))
        except OSError:
            pass
        self.close()

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
