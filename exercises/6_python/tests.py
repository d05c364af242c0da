"""What must pass: python3 tests.py. Do not change it. Another program than exercise.py can be named behind it."""

import os
import socket
import subprocess
import sys
import threading
import unittest

PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "exercise.py")
WAIT_MAX = 10  # seconds; nothing takes so long that works


class Balancer(unittest.TestCase):
    def response(self, body, read_later=False):
        """What a client gets through the balancer when the back end sends `body`."""
        backend = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(backend.close)

        def answer():
            connection, _ = backend.accept()
            with connection:
                connection.recv(8192)
                try:
                    connection.sendall(body)
                except OSError:
                    pass  # the balancer has closed: the client's side tells

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        command = [sys.executable, PROGRAM, "0", str(backend.getsockname()[1])]
        balancer = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.addCleanup(balancer.wait)
        self.addCleanup(balancer.stdout.close)
        self.addCleanup(balancer.kill)
        port = int(balancer.stdout.readline().rsplit(":", 1)[1])
        with socket.create_connection(("127.0.0.1", port), WAIT_MAX) as client:
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            if read_later:
                thread.join(1)  # so long nothing is read: there is no more room at the client
            received = b""
            try:
                while data := client.recv(65536):
                    received += data
            except ConnectionResetError:
                pass
        return received

    def test_a_small_response_arrives(self):
        self.assertEqual(self.response(b"small"), b"small")

    def test_a_large_response_arrives_whole(self):
        self.assertEqual(len(self.response(bytes(100_000))), 100_000)

    def test_a_client_that_reads_later_gets_all_of_it(self):
        self.assertEqual(len(self.response(bytes(12_000_000), read_later=True)), 12_000_000)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        PROGRAM = os.path.abspath(sys.argv.pop(1))
    unittest.main()
