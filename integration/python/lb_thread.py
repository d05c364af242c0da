"""The balancer with threads: python3 lb_thread.py PORT --backends 127.0.0.1:9001,127.0.0.1:9002

Our counterpart of the course's program, of the same shape: two threads for each connection, one for
each direction. Its known faults, kept on purpose:

    fault                                                       done properly in
    32 bytes a read, so a large file is many thousand calls     src/protocol/buffer.rs
    the first end of a stream ends both directions: who         src/protocol/relay/mod.rs
      finishes sending and then waits gets no response
    a dead back end keeps its turn; its client gets nothing     src/balance/turn.rs
    backlog 5: when many clients come at once, some wait a      src/net/listen.rs
      second or more
    as many threads as clients, no limit and no deadline        src/threaded/worker.rs, src/threaded/parking.rs
"""

import argparse
import logging
import socket
import threading

from backends import BackendList
from listener import listen


class Direction(threading.Thread):
    def __init__(self, source, target):
        super().__init__()
        self.source = source
        self.target = target

    def run(self):
        try:
            while data := self.source.recv(32):
                self.target.sendall(data)
        except OSError:
            pass  # one of them is gone, which ends the other below
        # Not `close`: that would leave the other thread waiting in its `recv` for ever.
        for end in self.source, self.target:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # the other thread was first


class ProcessTheClient(threading.Thread):
    def __init__(self, connection, server):
        super().__init__()
        self.connection = connection
        self.server = server

    def run(self):
        with self.connection, socket.socket() as backend:
            try:
                backend.connect(self.server)
            except OSError:
                return
            logging.warning("koneksi diteruskan ke {}".format(self.server))
            answers = Direction(backend, self.connection)
            answers.start()
            Direction(self.connection, backend).run()
            answers.join()


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("port", type=int)
    arguments.add_argument("--backends", required=True)
    arguments.add_argument("--backlog", type=int, default=5)
    options = arguments.parse_args()
    backends = BackendList(options.backends)
    listener = listen(options.port, options.backlog)
    while True:
        connection, address = listener.accept()
        logging.warning("connection from {}".format(address))
        ProcessTheClient(connection, backends.getserver()).start()


if __name__ == "__main__":
    main()
