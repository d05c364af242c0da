"""The round robin of both balancers: every connection gets the next back end of the list.

Its known fault, kept on purpose: the list never changes, so a dead back end keeps its turn
(src/balance/turn.rs).
"""


class BackendList:
    def __init__(self, addresses):
        """`addresses` as on the command line: 127.0.0.1:9001,127.0.0.1:9002"""
        self.servers = []
        for address in addresses.split(","):
            host, port = address.rsplit(":", 1)
            self.servers.append((host, int(port)))
        self.current = 0

    def getserver(self):
        server = self.servers[self.current]
        self.current = (self.current + 1) % len(self.servers)
        return server
