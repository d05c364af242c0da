"""The rules of the web server 'myserver/1.0': a request as text in, a response as bytes out.

Our counterpart of the course's class, of the same shape. Its known faults, kept on purpose:

    fault                                                      done properly in
    the whole tree is globbed for every request                src/site/site.rs
    an extension that is not in `types` crashes (KeyError)     src/site/mime.rs
    a folder's name gets no response (IsADirectoryError)       src/site/site.rs
    HEAD, and all else that is neither GET nor POST, gets 400  src/site/response.rs
    the target is taken as written: no %20, no query           src/site/path.rs
    a file is read whole into memory before any of it is sent  src/site/response.rs
    of the request only the first line is looked at            src/protocol/http/head/mod.rs

The file's name hides the standard library's `http`, as the course's did. Nothing here needs that one.
"""

from datetime import datetime
from glob import glob
from os.path import splitext


class HttpServer:
    def __init__(self, root="."):
        self.root = root.rstrip("/")
        self.types = {
            ".pdf": "application/pdf",
            ".jpg": "image/jpeg",
            ".txt": "text/plain",
            ".html": "text/html",
        }

    def process(self, request):
        words = request.split("\r\n")[0].split(" ")
        if len(words) < 2:
            return self.response(400, "Bad Request")
        method, address = words[0].upper(), words[1]
        if method == "GET":
            return self.get(address)
        if method == "POST":
            return self.response(200, "OK", b"kosong")
        return self.response(400, "Bad Request")

    def get(self, address):
        files = glob(self.root + "/**", recursive=True)
        if address == "/":
            return self.response(200, "OK", b"Ini Adalah web Server percobaan")
        if address == "/video":
            return self.response(302, "Found", b"", {"location": "https://youtu.be/katoxpnTf04"})
        if address == "/santai":
            return self.response(200, "OK", b"santai saja")
        name = self.root + address
        if name not in files:
            return self.response(404, "Not Found")
        headers = {"Content-type": self.types[splitext(name)[1]]}
        with open(name, "rb") as file:
            return self.response(200, "OK", file.read(), headers)

    def response(self, status, reason, body=b"", headers={}):
        lines = [
            "HTTP/1.0 {} {}".format(status, reason),
            "Date: {}".format(datetime.now().strftime("%c")),
            "Connection: close",
            "Server: myserver/1.0",
            "Content-Length: {}".format(len(body)),
        ]
        lines += ["{}: {}".format(name, value) for name, value in headers.items()]
        return ("\r\n".join(lines) + "\r\n\r\n").encode() + body
