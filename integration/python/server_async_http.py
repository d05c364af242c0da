"""The web server with one loop for all connections: python3 server_async_http.py PORT

Our counterpart of the course's program, of the same shape; `selectors` stands in for `asyncore`,
which Python 3.12 removed. Its known faults, kept on purpose, with those of http.py:

    fault                                                        done properly in
    ONE receive buffer for all clients: who sends in pieces      src/protocol/web/mod.rs
      gets another's answer, and so does the other
    any piece that ends in CR LF ends the request                src/protocol/http/request_reader.rs
    `.decode()` of bytes that are no text drops the client       src/protocol/http/head/mod.rs
    one `send`: what does not fit at once is lost                src/poll_loop/session.rs
    files are read, and the tree is globbed, on the loop: all    src/site/cache.rs
      clients wait for one client's disk
    four stray bytes behind the body                             src/site/mirror.rs
    backlog 5, and one `accept` an event                         src/net/listen.rs, src/poll_loop/accept.rs
"""

import argparse
import logging
import selectors

from http import HttpServer
from listener import listen

rcv = ""


class Server:
    def __init__(self, listener, httpserver):
        self.httpserver = httpserver
        self.selector = selectors.DefaultSelector()
        listener.setblocking(False)
        self.selector.register(listener, selectors.EVENT_READ, self.accept)

    def loop(self):
        while True:
            for key, _ in self.selector.select():
                key.data(key.fileobj)

    def accept(self, listener):
        connection, _ = listener.accept()
        connection.setblocking(False)
        self.selector.register(connection, selectors.EVENT_READ, self.read)

    def read(self, connection):
        # As asyncore did: an exception costs the connection in which it came up, not the program.
        try:
            done = self.process(connection)
        except Exception:
            logging.exception("closing the connection")
            done = True
        if done:
            self.selector.unregister(connection)
            connection.close()

    def process(self, connection):
        global rcv
        data = connection.recv(1024)
        if not data:
            return True
        rcv += data.decode()
        if not rcv.endswith("\r\n"):
            return False
        request, rcv = rcv, ""
        connection.send(self.httpserver.process(request) + b"\r\n\r\n")
        return True


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("port", type=int)
    arguments.add_argument("--backlog", type=int, default=5)
    arguments.add_argument("--root", default=".")
    options = arguments.parse_args()
    Server(listen(options.port, options.backlog), HttpServer(options.root)).loop()


if __name__ == "__main__":
    main()
