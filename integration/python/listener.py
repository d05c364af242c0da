"""The listening socket, made in the same way by all four programs.

The line on standard output is for whoever started the program with port 0 and wants to know where it
is. A signal ends it at once: nothing is caught, so nothing is drained (src/net/shutdown.rs).
"""

import socket


def listen(port, backlog):
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(backlog)
    print("listening on {}:{}".format(*listener.getsockname()), flush=True)
    return listener
