"""A mirror on this machine that can be told to misbehave."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Mirror:
    """What a server has and does.

    Attributes:
        files: path without the slash -> content.
        ranges: whether it answers `Range`.
        break_after: the connection ends after so many bytes of the body, in each of the first `troubles` answers.
        stall_after: nothing more is sent after so many bytes, likewise.
        drip: one byte at a time, so many seconds apart.
        status: answered instead of a file.
        length: whether it says how long a file is.
    """

    files: dict[str, bytes]
    ranges: bool = True
    troubles: int = 1
    break_after: int | None = None
    stall_after: int | None = None
    drip: float | None = None
    status: int | None = None
    length: bool = True
    url: str = ""
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    sent: int = 0
    released: threading.Event = field(default_factory=threading.Event)


@contextmanager
def serve(mirror: Mirror) -> Iterator[Mirror]:
    """Run a mirror on a free port of the loopback interface; `mirror.url` ends in a slash."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # noqa: N802
            _answer(self, mirror)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    mirror.url = f"http://127.0.0.1:{server.server_port}/"
    try:
        yield mirror
    finally:
        mirror.released.set()
        server.shutdown()
        server.server_close()


def _answer(handler: BaseHTTPRequestHandler, mirror: Mirror) -> None:
    asked = handler.headers.get("Range")
    mirror.asked.append((handler.path, asked))
    content = mirror.files.get(handler.path.lstrip("/"))
    if mirror.status or content is None:
        handler.send_error(mirror.status or 404)
        return
    begin = int(re.fullmatch(r"bytes=(\d+)-", asked)[1]) if asked and mirror.ranges else 0  # type: ignore[index]
    if begin >= len(content) and begin:
        handler.send_response(416)
        handler.send_header("Content-Range", f"bytes */{len(content)}")
        handler.send_header("Content-Length", "0")
        handler.end_headers()
        return
    handler.send_response(206 if begin else 200)
    if begin:
        handler.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
    if mirror.length:
        handler.send_header("Content-Length", str(len(content) - begin))
    handler.end_headers()
    _send(handler, mirror, content[begin:])


def _send(handler: BaseHTTPRequestHandler, mirror: Mirror, body: bytes) -> None:
    limit = None
    if len(mirror.asked) <= mirror.troubles:
        limit = mirror.break_after if mirror.break_after is not None else mirror.stall_after
    try:
        if mirror.drip is not None:
            for position in range(len(body)):
                handler.wfile.write(body[position : position + 1])
                time.sleep(mirror.drip)
                if mirror.released.is_set():
                    return
        handler.wfile.write(body if limit is None else body[:limit])
        handler.wfile.flush()
        mirror.sent += len(body if limit is None else body[:limit])
        if limit is not None and mirror.stall_after is not None:
            mirror.released.wait(20)
    except OSError:
        pass
