"""A web server on this machine, for previews of links: a page with a picture, redirections, and a page that nobody outside is to
see. Takes an address and a port; remembers everything that was asked of it, so that a refusal can be told from a failure."""

from __future__ import annotations

import http.server
import struct
import threading
import urllib.parse
import zlib

TITLE = "Tea & biscuits"
DESCRIPTION = "What is in the kitchen this week."
SECRET = "The key is under the mat."
SIDE = 16


def picture() -> bytes:
    """A small picture, one colour (PNG specification, 3rd edition)."""
    row = b"\0" + bytes((0x20, 0x80, 0x40)) * SIDE
    parts = [(b"IHDR", struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(row * SIDE)), (b"IEND", b"")]
    chunks = [struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def page(picture_at: str) -> bytes:
    """A page that says about itself what a preview shows (Open Graph protocol)."""
    said = {"title": "Tea &amp; biscuits", "description": DESCRIPTION, "image": picture_at}
    metas = "".join(f'<meta property="og:{name}" content="{value}">' for name, value in said.items())
    return f"<!DOCTYPE html><html><head><title>other words</title>{metas}</head><body>The kettle boils.</body></html>".encode()


class Pages:
    """The server on one address, from `start` to `stop`."""

    def __init__(self, address: str, port: int) -> None:
        self.address = address
        self.port = port
        self.asked: list[str] = []
        self._server: http.server.ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        """Where it is, without a name."""
        return f"http://{self.address}:{self.port}"

    def start(self) -> None:
        """Listens."""
        pages = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                pages.asked.append(self.path)
                path, _, query = self.path.partition("?")
                target = urllib.parse.unquote(query)
                if path == "/redirect":
                    self.send_response(302)
                    self.send_header("Location", target)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                kind, content = {
                    "/page": ("text/html; charset=utf-8", page(target or "/picture.png")),
                    "/secret": ("text/html; charset=utf-8", f"<html><head><title>{SECRET}</title></head></html>".encode()),
                    "/picture.png": ("image/png", picture()),
                }[path]
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:
                """What was asked is kept above."""

        self._server = http.server.ThreadingHTTPServer((self.address, self.port), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Ends the server."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
