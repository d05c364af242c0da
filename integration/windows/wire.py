"""Both ends of a connection to our programs: curl, a client that writes byte by byte, a back end that waits."""

import contextlib
import socket
import subprocess
import threading

from system import PATIENCE


def curl(*arguments):
    """Runs curl; gives its standard output. It must succeed."""
    command = ["curl", "--silent", "--show-error", "--max-time", str(PATIENCE), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr.decode()}"
    return done.stdout


def status_of(url):
    """The status of a response."""
    return int(curl("--output", "/dev/null", "--write-out", "%{http_code}", url))


def is_refused(port):
    """True if nobody listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


@contextlib.contextmanager
def client(port):
    """A connection to one of our programs."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
        yield connection


def rest(connection):
    """All bytes until the end of the stream."""
    pieces = []
    while piece := connection.recv(65536):
        pieces.append(piece)
    return b"".join(pieces)


def until(connection, end):
    """All bytes until these have come, or the stream has ended."""
    read = b""
    while not read.endswith(end) and (piece := connection.recv(65536)):
        read += piece
    assert read.endswith(end), read
    return read


class Backend:
    """A back end for one connection: it reads a request, and responds when it is told to."""

    BODY = b"akhirnya"

    def __init__(self):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._asked, self._released = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        with contextlib.suppress(OSError):
            connection, _ = self._listener.accept()
            with connection:
                request = b""
                while not request.endswith(b"\r\n\r\n"):
                    request += connection.recv(4096)
                self._asked.set()
                self._released.wait(PATIENCE)
                head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(self.BODY)}\r\nConnection: close\r\n\r\n"
                connection.sendall(head.encode() + self.BODY)

    def wait_for_request(self):
        """Waits until the request has come."""
        assert self._asked.wait(PATIENCE), "no request came to the back end"

    def release(self):
        """Lets it respond."""
        self._released.set()

    def close(self):
        """Ends it, whatever it waits for."""
        self._released.set()
        self._listener.close()
