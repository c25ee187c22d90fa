"""A container engine that only talks: enough of the Docker API for `scripts/container-engine`."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class FakeEngine:
    """What it holds and what it was asked."""

    images: set[str] = field(default_factory=set)
    pull_error: str | None = None
    requests: list[str] = field(default_factory=list)
    address: str = ""


@contextmanager
def running_engine(engine: FakeEngine) -> Iterator[FakeEngine]:
    """Serve on a free port of this machine; `engine.address` is what belongs into `DOCKER_HOST`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            engine.requests.append(f"GET {self.path}")
            if self.path == "/version":
                self._answer(200, {"Version": "1.2.3", "ApiVersion": "1.41", "Components": [{"Name": "Fake"}]})
            elif self.path.removeprefix("/images/").removesuffix("/json").replace("%3A", ":") in engine.images:
                self._answer(200, {})
            else:
                self._answer(404, {"message": "no such image"})

        def do_POST(self) -> None:
            engine.requests.append(f"POST {self.path}")
            error = engine.pull_error
            self._answer(200, {"status": "Pulling"}, *([{"error": error}] if error else []))

        def _answer(self, status: int, *lines: dict) -> None:
            self.send_response(status)
            self.end_headers()
            for line in lines:
                self.wfile.write(json.dumps(line).encode() + b"\r\n")

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    engine.address = f"tcp://127.0.0.1:{server.server_port}"
    try:
        yield engine
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
