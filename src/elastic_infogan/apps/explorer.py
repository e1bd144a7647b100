"""What `explore` does: open a run, and serve its page until it is interrupted."""

from __future__ import annotations

import errno
import secrets
import socket
import sys
from pathlib import Path

from elastic_infogan.apps import terminal
from elastic_infogan.apps.extras import need
from elastic_infogan.errors import ConfigError

__all__ = ["explore"]


def explore(run: Path, source: str | None, host: str, port: int, device: str) -> None:
    """Serve the page of a run until Ctrl-C.

    Raises:
        ConfigError: the extra is not installed, or nothing can be served at that host and port.
    """
    need("explore", "explorer", "fastapi", "uvicorn")
    from elastic_infogan.apps.explored import Explored
    from elastic_infogan.apps.explorer_app import guarded
    from elastic_infogan.apps.gallery import open_gallery
    from elastic_infogan.training.run import Run

    with _bound(host, port) as server:
        Run.open(run)  # fails at once where there is none
        terminal.note(f"Looking at the images of {run} …")
        explored = Explored(open_gallery(run, source, device))
        token = secrets.token_urlsafe(24)
        port = server.getsockname()[1]
        app = guarded(explored, token, f"elastic-infogan-{port}")
        terminal.say(f"Explore {run} at {_address(host, port, token)} (Ctrl-C stops)")
        _serve(app, server)


def _bound(host: str, port: int) -> socket.socket:
    """A socket at the address, before anything is loaded: a port that is taken shows at once."""
    if not 0 <= port <= 65_535:
        raise ConfigError(f"--port is {port}; 0 (any that is free) to 65,535 is needed")
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        server = socket.socket(family, kind)
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"--host {host}: {getattr(error, 'strerror', None) or error}") from error
    try:
        if sys.platform != "win32":  # where two servers could then share a port
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(address)
        server.listen()  # a port that is bound but not listened at can be bound again
    except OSError as error:
        server.close()
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(f"--port {port} is taken; choose another, or 0 for any that is free") from error
        raise ConfigError(f"--host {host} --port {port}: {error.strerror or error}") from error
    return server


def _address(host: str, port: int, token: str) -> str:
    """What to open in a browser.

    >>> _address("127.0.0.1", 8765, "x"), _address("::1", 80, "x")
    ('http://127.0.0.1:8765/?token=x', 'http://[::1]:80/?token=x')
    """
    name = socket.gethostname() if host in ("0.0.0.0", "::") else host
    name = f"[{name}]" if ":" in name else name
    return f"http://{name}:{port}/?token={token}"


def _serve(app: object, server: socket.socket) -> None:
    import uvicorn

    settings = uvicorn.Config(
        app,  # type: ignore[arg-type]
        log_level="warning",
        access_log=False,  # it would print the token
        lifespan="off",
        ws="none",
        server_header=False,
        timeout_graceful_shutdown=2,
    )
    try:
        uvicorn.Server(settings).run(sockets=[server])
    except KeyboardInterrupt:
        terminal.note("Stopped.")
