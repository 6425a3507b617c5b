"""Debian's docker-registry on loopback, and a proxy that leads a name to one of them. Each ends with its `with`."""

import contextlib
import json
import pathlib
import re
import select
import socket
import socketserver
import subprocess
import threading
import time

PATIENCE_SECONDS = 30
WRITES = ("POST", "PUT", "PATCH", "DELETE")


class Registry:
    """A process of its own, with its own folder; `host` is where it listens."""

    def __init__(self, folder, htpasswd=None, certificate=None):
        folder.mkdir()
        self.data = folder / "data"
        self.requests = folder / "requests"
        config = {
            "version": "0.1",
            "log": {"level": "info", "formatter": "json"},
            "storage": {"filesystem": {"rootdirectory": str(self.data)}, "delete": {"enabled": True}},
            "http": {"addr": "127.0.0.1:0", "secret": "of no use to anybody"},
        }
        if htpasswd:
            config["auth"] = {"htpasswd": {"realm": "loopback", "path": str(htpasswd)}}
        if certificate:
            config["http"]["tls"] = {"certificate": str(certificate[0]), "key": str(certificate[1])}
        (folder / "config.yml").write_text(json.dumps(config))
        log = folder / "log"
        # Its access log goes to stdout, everything else to stderr.
        with open(self.requests, "wb") as requests, open(log, "wb") as errors:
            command = ["docker-registry", "serve", str(folder / "config.yml")]
            self.process = subprocess.Popen(command, stdout=requests, stderr=errors, stdin=subprocess.DEVNULL)
        self.host = f"127.0.0.1:{self.port_in(log)}"

    def port_in(self, log):
        """It chooses a free port by itself, and says which."""
        until = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < until and self.process.poll() is None:
            found = re.search(r"listening on 127\.0\.0\.1:(\d+)", log.read_text())
            if found:
                return int(found[1])
            time.sleep(0.02)
        self.stop()
        raise SystemExit(f"docker-registry does not listen: {log.read_text()}")

    def stop(self):
        self.process.terminate()
        self.process.wait(PATIENCE_SECONDS)

    def asked(self):
        """What it was asked so far: pairs of a method and a path."""
        return re.findall(r'"([A-Z]+) (/\S*) HTTP', self.requests.read_text())

    @contextlib.contextmanager
    def watched(self):
        """A list that holds, once the `with` is over, what it was asked meanwhile."""
        before = len(self.asked())
        during = []
        yield during
        during += self.asked()[before:]

    def repository(self, name):
        """Its folder on disk."""
        return self.data / "docker/registry/v2/repositories" / name


def writes(asked):
    return [it for it in asked if it[0] in WRITES]


@contextlib.contextmanager
def registry(folder, **options):
    server = Registry(pathlib.Path(folder), **options)
    try:
        yield server
    finally:
        server.stop()


@contextlib.contextmanager
def proxy(names):
    """An HTTP proxy that knows CONNECT alone, and only the names it is told: each leads to an address of this machine."""

    class Tunnel(socketserver.StreamRequestHandler):
        def handle(self):
            line = self.rfile.readline().decode("latin-1").split()
            while self.rfile.readline().strip():
                pass
            target = names.get(line[1]) if len(line) > 1 and line[0] == "CONNECT" else None
            if not target:
                self.wfile.write(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n")
                return
            host, port = target.split(":")
            with socket.create_connection((host, int(port))) as behind:
                self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
                pour(self.connection, behind)

    socketserver.ThreadingTCPServer.daemon_threads = True
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Tunnel) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


def pour(one, other):
    """Both ways, until either end is closed."""
    with contextlib.suppress(ConnectionError):
        while True:
            for side in select.select([one, other], [], [])[0]:
                part = side.recv(1 << 16)
                if not part:
                    return
                (other if side is one else one).sendall(part)
