"""LocalStack in pytest-localstack's own container, with the functions in Lambda's images: for Linux with Docker.

Promises the same session as the process gives, for the same scenarios. What a container cannot reach is brought to it:
the sandbox listens on the loopback alone, so a relay on the bridge's own address hands its connections over; the
functions know that address as `host.docker.internal`, which the template deployed there is made to accept.
"""

import contextlib
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import docker

from hosted.server import COMMON

HOST = "host.docker.internal"
ENVIRONMENT = {
    **COMMON,
    "SERVICES": "",  # all: the template needs some that pytest-localstack has no name for
    "LAMBDA_IGNORE_ARCHITECTURE": "1",  # the layer is built for this machine's
    "LAMBDA_DOCKER_FLAGS": f"--add-host={HOST}:host-gateway",
}
_PORT = 4566
_SOCKET = "/var/run/docker.sock"
_BLOCK = 65536
_CONNECT_SECONDS = 10.0


def there() -> bool:
    """Whether there is a Docker engine: `docker info` succeeds."""
    program = shutil.which("docker")
    return bool(program) and not subprocess.run([str(program), "info"], capture_output=True, check=False).returncode


class Client:
    """docker-py's client, made on first use. Its LocalStack may start containers: pytest-localstack cannot say so."""

    @cached_property
    def _client(self) -> Any:
        return docker.from_env()

    @property
    def containers(self) -> "Client":
        """Itself, for `run`."""
        return self

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def run(self, image: str, **options: Any) -> Any:
        """Run a container that sees the engine."""
        return self._client.containers.run(image, volumes={_SOCKET: {"bind": _SOCKET, "mode": "rw"}}, **options)


def widened(template: str) -> str:
    """The template, with base URLs that may be the host's as a container knows it: plain http is else the laptop's."""
    laptops = r"(localhost|127\.0\.0\.1)"
    if laptops not in template:
        raise ValueError("the template's base URLs have another pattern than this knows")
    return template.replace(laptops, laptops.replace(")", "|" + HOST.replace(".", r"\.") + ")"))


def image_origins(session: Any) -> list[str]:
    """Where the functions' presigned URLs lead: LocalStack's addresses on Docker's networks."""
    container = session._container  # noqa: SLF001 - no other way to know its address
    container.reload()
    networks = container.attrs["NetworkSettings"]["Networks"].values()
    return [f"http://{network['IPAddress']}:{_PORT}" for network in networks]


@contextlib.contextmanager
def relay(port: int) -> Iterator[None]:
    """Hand connections to the bridge's address over to the loopback, both on `port`, until the end of the block."""
    (bridge,) = docker.from_env().networks.list(names=["bridge"])
    address = bridge.attrs["IPAM"]["Config"][0]["Gateway"]
    with socket.create_server((address, port)) as listener:
        threading.Thread(target=_accept, args=(listener, port), name="relay", daemon=True).start()
        yield


def _accept(listener: socket.socket, port: int) -> None:
    with contextlib.suppress(OSError):
        while True:
            caller, _ = listener.accept()
            threading.Thread(target=_join, args=(caller, port), name="relayed", daemon=True).start()


def _join(caller: socket.socket, port: int) -> None:
    with (
        caller,
        contextlib.suppress(OSError),
        socket.create_connection(("127.0.0.1", port), _CONNECT_SECONDS) as callee,
    ):
        callee.settimeout(None)
        back = threading.Thread(target=_pour, args=(callee, caller), name="relayed-back", daemon=True)
        back.start()
        _pour(caller, callee)
        back.join()


def _pour(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while block := source.recv(_BLOCK):
            target.sendall(block)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
