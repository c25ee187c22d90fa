"""Ask a container engine over its Docker API, with nothing but the standard library.

Used by `scripts/container-engine` before any package of the project is installed. Addresses are those of `DOCKER_HOST`:
`unix:///path/of/socket` or `tcp://host:port` without TLS.

    engine.py version ADDRESS          print `Docker Engine 20.10.24, API 1.41`; status 1 if nothing answers
    engine.py has ADDRESS IMAGE        status 0 if the image is there, 3 if it is not
    engine.py pull ADDRESS IMAGE       pull it
    engine.py import ADDRESS IMAGE     make it of the tar archive on standard input
"""

from __future__ import annotations

import http.client
import json
import socket
import sys
from collections.abc import Iterator
from typing import IO
from urllib.parse import quote, urlencode, urlsplit

ANSWER_TIMEOUT_S = 5.0
SILENCE_TIMEOUT_S = 30.0
IMPORT_TIMEOUT_S = 300.0
CHUNK_BYTES = 1 << 20
NOT_THERE = 3


class EngineError(Exception):
    """The engine does not answer, or refused."""


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a UNIX socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Called by `request`."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def connection(address: str, timeout: float) -> http.client.HTTPConnection:
    """A connection that opens with its first request."""
    parts = urlsplit(address)
    if parts.scheme == "unix":
        return UnixConnection(parts.path, timeout)
    if parts.scheme in ("tcp", "http") and parts.hostname and parts.port:
        return http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)
    raise EngineError(f"cannot speak to an engine at {address!r}: unix:///path and tcp://host:port are understood")


def request(
    address: str, method: str, path: str, timeout: float, body: Iterator[bytes] | None = None
) -> http.client.HTTPResponse:
    """Send one request and return the answer, whatever its status."""
    headers = {"Content-Type": "application/x-tar"} if body is not None else {}
    try:
        channel = connection(address, timeout)
        channel.request(method, path, body=body, headers=headers, encode_chunked=body is not None)
        return channel.getresponse()
    except (OSError, http.client.HTTPException) as error:
        raise EngineError(f"{type(error).__name__}: {error}") from error


def version(address: str) -> str:
    """Name and version of the engine in one line."""
    answer = request(address, "GET", "/version", ANSWER_TIMEOUT_S)
    if answer.status != 200:
        raise EngineError(f"status {answer.status} {answer.reason}")
    try:
        facts = json.loads(answer.read())
        components = facts.get("Components") or [{}]
        return f"{components[0].get('Name', 'Engine')} {facts['Version']}, API {facts['ApiVersion']}"
    except (ValueError, KeyError, AttributeError, OSError) as error:
        raise EngineError(f"the answer is not that of a container engine: {error!r}") from error


def has_image(address: str, image: str) -> bool:
    """Whether the engine holds an image of that name."""
    answer = request(address, "GET", f"/images/{quote(image)}/json", SILENCE_TIMEOUT_S)
    if answer.status not in (200, 404):
        raise EngineError(f"status {answer.status}: {_message(answer.read())}")
    return answer.status == 200


def create_image(address: str, parameters: dict[str, str], timeout: float, body: Iterator[bytes] | None = None) -> None:
    """Pull or import; an error may come in the middle of a stream that began with status 200."""
    answer = request(address, "POST", "/images/create?" + urlencode(parameters), timeout, body)
    if answer.status != 200:
        raise EngineError(f"status {answer.status}: {_message(answer.read())}")
    try:
        for line in answer:
            if line.strip() and (error := json.loads(line).get("error")):
                raise EngineError(error)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise EngineError(f"{type(error).__name__}: {error}") from error


def _message(body: bytes) -> str:
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return body[:300].decode("utf-8", "replace")


def _chunks(stream: IO[bytes]) -> Iterator[bytes]:
    while chunk := stream.read(CHUNK_BYTES):
        yield chunk


def main(arguments: list[str]) -> int:
    """The exit status of one command."""
    match arguments:
        case ["version", address]:
            print(version(address))
        case ["has", address, image]:
            return 0 if has_image(address, image) else NOT_THERE
        case ["pull", address, image]:
            name, _, tag = image.partition(":")
            create_image(address, {"fromImage": name, "tag": tag or "latest"}, SILENCE_TIMEOUT_S)
        case ["import", address, image]:
            name, _, tag = image.partition(":")
            parameters = {"fromSrc": "-", "repo": name, "tag": tag or "latest", "changes": 'CMD ["/bin/bash"]'}
            create_image(address, parameters, IMPORT_TIMEOUT_S, _chunks(sys.stdin.buffer))
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except EngineError as failure:
        print(failure, file=sys.stderr)
        sys.exit(1)
