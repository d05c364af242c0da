"""The web server with a thread for each connection: python3 server_thread_http.py PORT

Our counterpart of the course's program, of the same shape. Its known faults, kept on purpose, with
those of http.py:

    fault                                                       done properly in
    32 bytes a read                                             src/protocol/buffer.rs
    any piece that ends in CR LF ends the request: it is        src/protocol/http/request_reader.rs
      answered before it is whole, and what comes later is lost
    `.decode()` of bytes that are no text ends the thread       src/protocol/http/head/mod.rs
    four stray bytes behind the body                            src/site/mirror.rs
    one request a connection                                    src/protocol/web/mod.rs
    backlog 1: the third client at once waits a second or more  src/net/listen.rs
    as many threads as clients, no limit and no deadline        src/threaded/worker.rs, src/threaded/parking.rs
"""

import argparse
import threading

from http import HttpServer
from listener import listen


class ProcessTheClient(threading.Thread):
    def __init__(self, httpserver, connection):
        super().__init__()
        self.httpserver = httpserver
        self.connection = connection

    def run(self):
        with self.connection:
            try:
                self.serve()
            except OSError:
                pass  # the client is gone

    def serve(self):
        rcv = ""
        while data := self.connection.recv(32):
            rcv += data.decode()
            if rcv.endswith("\r\n"):
                self.connection.sendall(self.httpserver.process(rcv) + b"\r\n\r\n")
                return


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("port", type=int)
    arguments.add_argument("--backlog", type=int, default=1)
    arguments.add_argument("--root", default=".")
    options = arguments.parse_args()
    httpserver = HttpServer(options.root)
    listener = listen(options.port, options.backlog)
    while True:
        connection, _ = listener.accept()
        ProcessTheClient(httpserver, connection).start()


if __name__ == "__main__":
    main()
