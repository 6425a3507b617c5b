"""Mirrors between real registries, by real processes: merged tags with attestations and a layer of 2 GiB come out as they
are at the source, in little memory; a second run sends nothing; a process that is killed halfway is finished by the next
one, which sends nothing twice that had arrived.

Usage: mirrors.py RECONCILE [MIB OF THE LARGE LAYER]

Needs docker-registry and skopeo.
"""

import hashlib
import http.client
import http.server
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

OCI = "application/vnd.oci.image"
MEMORY_MAX_MIB = 64
CHUNK = 1 << 20
SOURCE = "acme/app"
# `copies/of/app`, where a name may have two levels.
MIRROR = "copies/of-app"


class Registry:
    """Debian's docker-registry on a free port, its data and log in a folder of its own."""

    def __init__(self, folder: pathlib.Path, name: str):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.host = f"127.0.0.1:{self.port}"
        self.data = folder / name
        self.data.mkdir()
        configuration = self.data / "registry.json"
        configuration.write_text(
            json.dumps(
                {
                    "version": 0.1,
                    "log": {"level": "warn", "accesslog": {"disabled": False}},
                    "storage": {"filesystem": {"rootdirectory": str(self.data / "storage")}},
                    "http": {"addr": self.host, "secret": name},
                }
            )
        )
        self.log = self.data / "log"
        with self.log.open("w") as log:
            command = ["docker-registry", "serve", str(configuration)]
            self.process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except OSError:
                time.sleep(0.05)
        sys.exit(f"docker-registry does not answer: {self.log.read_text()}")

    def stop(self):
        self.process.terminate()
        self.process.wait()

    def ask(self, method: str, path: str, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.request(method, path, body=body, headers=headers or {})
        answer = connection.getresponse()
        found = answer.status, dict(answer.getheaders()), answer.read()
        connection.close()
        return found

    def requests(self) -> list[tuple[str, str, int]]:
        """Every request so far: method, path, status."""
        pattern = re.compile(r'"([A-Z]+) (\S+) HTTP/1\.1" (\d+)')
        found = pattern.findall(self.log.read_text(errors="replace"))
        return [(method, path, int(status)) for method, path, status in found]

    def writes(self) -> int:
        return sum(method not in ("GET", "HEAD") for method, _, _ in self.requests())

    def blob(self, repository: str, content: bytes) -> dict:
        return self.stream(repository, lambda: [content])

    def stream(self, repository: str, chunks) -> dict:
        """Uploads what `chunks` gives, twice: once for its digest and size, once to send it."""
        digest, size = hashlib.sha256(), 0
        for chunk in chunks():
            digest.update(chunk)
            size += len(chunk)
        digest = f"sha256:{digest.hexdigest()}"
        status, headers, _ = self.ask("POST", f"/v2/{repository}/blobs/uploads/")
        assert status == 202, status
        path = headers["Location"].split(self.host, 1)[1]
        path = f"{path}&digest={digest}"
        status, _, body = self.ask("PUT", path, iter(chunks()), {"Content-Length": str(size)})
        assert status == 201, body
        return {"digest": digest, "size": size}

    def manifest(self, repository: str, reference: str | None, manifest: dict) -> dict:
        body = json.dumps(manifest, separators=(",", ":")).encode()
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        path = f"/v2/{repository}/manifests/{reference or digest}"
        status, _, answer = self.ask("PUT", path, body, {"Content-Type": manifest["mediaType"]})
        assert status == 201, answer
        return {"mediaType": manifest["mediaType"], "digest": digest, "size": len(body)}

    def raw(self, repository: str, reference: str) -> bytes | None:
        accept = f"{OCI}.index.v1+json, {OCI}.manifest.v1+json"
        path = f"/v2/{repository}/manifests/{reference}"
        status, _, body = self.ask("GET", path, headers={"Accept": accept})
        return body if status == 200 else None


class Refusing:
    """The same registry behind a door that takes no manifest with the empty configuration, as Alibaba Cloud's does since
    2026-08 (koordinator 3194). ASSUMED: the status is 403."""

    def __init__(self, registry: Registry):
        door = self
        self.refused = 0

        class Door(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def pass_on(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if self.command == "PUT" and "/manifests/" in self.path and refuses(body):
                    door.refused += 1
                    message = "unknown manifest class for application/vnd.oci.empty.v1+json"
                    error = {"errors": [{"code": "DENIED", "message": message}]}
                    return self.answer(403, {"Content-Type": "application/json"}, json.dumps(error).encode())
                answer = registry.ask(self.command, self.path, body, dict(self.headers))
                self.answer(*answer)

            def answer(self, status: int, headers: dict, body: bytes):
                self.send_response(status)
                for key, value in headers.items():
                    if key.lower() not in ("date", "transfer-encoding", "content-length"):
                        self.send_header(key, value)
                length = headers.get("Content-Length") if self.command == "HEAD" else len(body)
                self.send_header("Content-Length", str(length))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = pass_on

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Door)
        self.port = self.server.server_address[1]
        self.host = f"127.0.0.1:{self.port}"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def stop(self):
        self.server.shutdown()
        self.thread.join()


def refuses(body: bytes) -> bool:
    return json.loads(body).get("config", {}).get("mediaType") == "application/vnd.oci.empty.v1+json"


def push(registry: Registry, repository: str, tag: str, architecture: str, large_mib: int):
    """Pushes one platform as BuildKit does since 0.32: an index of an image and its attestation, which is an artifact."""
    configuration = {
        "architecture": architecture,
        "os": "linux",
        "config": {"Labels": {"org.opencontainers.image.revision": tag}},
        "rootfs": {"type": "layers", "diff_ids": []},
    }
    layer = {"mediaType": f"{OCI}.layer.v1.tar"}
    shared = registry.blob(repository, b"the base of all " * 4096)
    own = registry.blob(repository, f"{tag} {architecture}".encode() * 512)
    layers = [shared | layer, own | layer]
    if large_mib:
        block = os.urandom(CHUNK)
        chunks = lambda: (number.to_bytes(8, "big") + block[8:] for number in range(large_mib))
        layers.append(registry.stream(repository, chunks) | layer)
    config = registry.blob(repository, json.dumps(configuration).encode())
    image = {
        "schemaVersion": 2,
        "mediaType": f"{OCI}.manifest.v1+json",
        "config": {"mediaType": f"{OCI}.config.v1+json"} | config,
        "layers": layers,
    }
    image = registry.manifest(repository, None, image)
    empty = registry.blob(repository, b"{}") | {"mediaType": "application/vnd.oci.empty.v1+json"}
    statement = registry.blob(repository, f"provenance of {tag} {architecture}".encode())
    attestation = {
        "schemaVersion": 2,
        "mediaType": f"{OCI}.manifest.v1+json",
        "artifactType": "application/vnd.docker.attestation.manifest.v1+json",
        "config": empty | {"data": "e30="},
        "layers": [{"mediaType": "application/vnd.in-toto+json"} | statement],
        "subject": image,
    }
    attestation = registry.manifest(repository, None, attestation)
    about = {
        "vnd.docker.reference.digest": image["digest"],
        "vnd.docker.reference.type": "attestation-manifest",
    }
    unknown = {"architecture": "unknown", "os": "unknown"}
    entries = [
        image | {"platform": {"architecture": architecture, "os": "linux"}},
        attestation | {"annotations": about, "platform": unknown},
    ]
    index = {"schemaVersion": 2, "mediaType": f"{OCI}.index.v1+json", "manifests": entries}
    registry.manifest(repository, f"{tag}-{architecture}", index)
    return image


def refer(registry: Registry, repository: str, subject: dict) -> list[str]:
    """Says something about a manifest as a client does where a registry lists no referrers: an artifact that names its
    subject, and an index of such under a tag that is named after it."""
    empty = registry.blob(repository, b"{}") | {"mediaType": "application/vnd.oci.empty.v1+json"}
    report = registry.blob(repository, f"report on {subject['digest']}".encode())
    artifact = {
        "schemaVersion": 2,
        "mediaType": f"{OCI}.manifest.v1+json",
        "artifactType": "application/vnd.example.report",
        "config": empty,
        "layers": [{"mediaType": "text/plain"} | report],
        "subject": subject,
    }
    artifact = registry.manifest(repository, None, artifact)
    tag = subject["digest"].replace(":", "-")
    index = {"schemaVersion": 2, "mediaType": f"{OCI}.index.v1+json", "manifests": [artifact]}
    registry.manifest(repository, tag, index)
    return [tag, artifact["digest"]]


def sign(registry: Registry, repository: str, digest: str):
    """Signs as cosign does: an ordinary image under a tag that is named after the digest."""
    payload = registry.blob(repository, f"signature of {digest}".encode())
    config = registry.blob(repository, b'{"architecture":"","os":"","rootfs":{"type":"layers","diff_ids":[]}}')
    signature = {
        "schemaVersion": 2,
        "mediaType": f"{OCI}.manifest.v1+json",
        "config": {"mediaType": f"{OCI}.config.v1+json"} | config,
        "layers": [{"mediaType": "application/vnd.dev.cosign.simplesigning.v1+json"} | payload],
    }
    tag = digest.replace(":", "-") + ".sig"
    registry.manifest(repository, tag, signature)
    return tag


def declare(folder: pathlib.Path, source: Registry, mirror: Registry, tags: list[str], more=""):
    """Declares that the tags are merged at the source and mirrored under a flattened name."""
    state = folder / f"state-{mirror.port}"
    state.mkdir()
    (state / "all.yaml").write_text(
        f"""apiVersion: reconcile/v1alpha1
kind: Registry
metadata: {{name: here}}
spec: {{host: "{source.host}", insecure: true}}
---
apiVersion: reconcile/v1alpha1
kind: Registry
metadata: {{name: there}}
spec: {{host: "{mirror.host}", insecure: true, maxPathDepth: 2{more}}}
---
apiVersion: reconcile/v1alpha1
kind: ImageRepository
metadata: {{name: app}}
spec:
  registryRef: here
  repository: {SOURCE}
  tags: {json.dumps(tags)}
  mirrors: [{{registryRef: there, repository: copies/of/app}}]
"""
    )
    return state


class Runner:
    """Runs the program with a status directory and an environment of its own."""

    def __init__(self, reconcile: str, folder: pathlib.Path):
        self.reconcile = reconcile
        self.folder = folder
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(folder)}

    def start(self, state: pathlib.Path, *arguments: str, **options) -> subprocess.Popen:
        status = self.folder / f"status-{state.name}"
        command = [self.reconcile, "--state", state, "--status-dir", status, *arguments]
        return subprocess.Popen(command, env=self.environment, **options)

    def run(self, state: pathlib.Path, *arguments: str) -> tuple[float, float]:
        """How many MiB it took at most, and how many seconds."""
        began = time.monotonic()
        process = self.start(state, *arguments)
        _, code, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(code)
        if process.returncode != 0:
            sys.exit(f"{' '.join(arguments)} ended with {process.returncode}")
        return usage.ru_maxrss / 1024, time.monotonic() - began


def below(registry: Registry, repository: str, raw: bytes) -> list[bytes]:
    """All manifests that an index has below it, in their order."""
    entries = json.loads(raw).get("manifests", [])
    found = [registry.raw(repository, entry["digest"]) for entry in entries]
    assert None not in found, "an index points to what is not there"
    return found


def check_same(source: Registry, mirror: Registry, tags: list[str]):
    for tag in tags:
        here, there = source.raw(SOURCE, tag), mirror.raw(MIRROR, tag)
        assert here and here == there, f"{tag} differs"
        children = below(source, SOURCE, here)
        assert children == below(mirror, MIRROR, there), f"{tag} lacks something"


def check_said(source: Registry, mirror: Registry, references: list[str]):
    """What is said about an image is there as well."""
    for reference in references:
        there = mirror.raw(MIRROR, reference)
        assert there and there == source.raw(SOURCE, reference), f"{reference} is not there"


def check_whole(mirror: Registry, tag: str, folder: pathlib.Path):
    """Another client reads every part of it."""
    command = ["skopeo", "copy", "-q", "--all", "--preserve-digests", "--src-tls-verify=false"]
    target = f"oci:{folder / f'read-{mirror.port}-{tag}'}:{tag}"
    subprocess.run([*command, f"docker://{mirror.host}/{MIRROR}:{tag}", target], check=True)


def arrived(mirror: Registry) -> list[str]:
    """The digest of every blob upload that was completed."""
    pattern = re.compile(r"digest=(sha256(?::|%3A)[0-9a-f]{64})")
    puts = [path for method, path, status in mirror.requests() if method == "PUT" and status == 201]
    return [found.group(1).replace("%3A", ":") for path in puts if (found := pattern.search(path))]


def size_of(folder: pathlib.Path) -> int:
    """How many bytes there are, while files come and go."""
    size = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                size += os.stat(os.path.join(place, name)).st_size
            except FileNotFoundError:
                pass
    return size


def kill_halfway(runner: Runner, state: pathlib.Path, mirror: Registry, large_mib: int):
    process = runner.start(state, "--once")
    storage = mirror.data / "storage"
    for _ in range(6000):
        if size_of(storage) > large_mib * CHUNK // 4:
            break
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()


def check_once(runner: Runner, state: pathlib.Path, registries: list[Registry]):
    """Another run has nothing to do, and does nothing."""
    before = [it.writes() for it in registries]
    runner.run(state, "--once")
    assert [it.writes() for it in registries] == before, "another run wrote something"


def check_without_attestations(source: Registry, mirror: Registry, tags: list[str]):
    for tag in tags:
        here = json.loads(source.raw(SOURCE, tag))["manifests"]
        there = json.loads(mirror.raw(MIRROR, tag))["manifests"]
        assert there == [entry for entry in here if "annotations" not in entry], f"{tag} differs"


def main():
    reconcile = str(pathlib.Path(sys.argv[1]).resolve())
    large_mib = int(sys.argv[2]) if len(sys.argv) > 2 else 2048
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        registries = [Registry(folder, it) for it in ("source", "one", "two", "three", "four")]
        try:
            prove(Runner(reconcile, folder), registries, large_mib)
        finally:
            for registry in registries:
                registry.stop()
    print("mirrors are as their source, in every way that was tried")


def prove(runner: Runner, registries: list[Registry], large_mib: int):
    source, one, two, three, _ = registries
    folder, tags = runner.folder, ["big", "v1", "v2"]
    for tag in tags:
        push(source, SOURCE, tag, "amd64", large_mib if tag == "big" else 0)
        image = push(source, SOURCE, tag, "arm64", 0)
    said = [sign(source, SOURCE, image["digest"])]

    state = declare(folder, source, one, tags)
    memory, seconds = runner.run(state, "--once", "--wait", "10m")
    check_same(source, one, tags)
    check_said(source, one, said)
    check_whole(one, "v1", folder)
    sent = arrived(one)
    assert len(sent) == len(set(sent)), "a blob was sent twice"
    print(f"figure: mirroring a layer of {large_mib} MiB: peak memory MiB: {memory:.0f}, seconds: {seconds:.1f}")
    assert memory < MEMORY_MAX_MIB, f"{memory} MiB"
    check_once(runner, state, registries)
    assert arrived(one) == sent
    print("figure: bytes that the second run of a mirror sends: 0")

    # What is said about an image may come after its copy.
    raw = source.raw(SOURCE, "v1")
    index = {"mediaType": f"{OCI}.index.v1+json", "size": len(raw)}
    index["digest"] = f"sha256:{hashlib.sha256(raw).hexdigest()}"
    said = [sign(source, SOURCE, index["digest"]), *refer(source, SOURCE, index)]
    runner.run(state, "--once")
    check_said(source, one, said)
    check_once(runner, state, registries)

    state = declare(folder, source, two, tags)
    kill_halfway(runner, state, two, large_mib)
    runner.run(state, "--once", "--wait", "10m")
    check_same(source, two, tags)
    check_said(source, two, said)
    check_whole(two, "v2", folder)
    sent = arrived(two)
    assert len(sent) == len(set(sent)), "a blob that had arrived was sent again"

    state = declare(folder, source, three, tags[1:], ", attestations: drop")
    runner.run(state, "--once", "--wait", "10m")
    check_without_attestations(source, three, tags[1:])
    check_whole(three, "v1", folder)
    check_once(runner, state, registries)
    check_refusing(runner, registries, tags[1:])


def check_refusing(runner: Runner, registries: list[Registry], tags: list[str]):
    """Where attestations are refused it is said what to do, and done where that is allowed, without trying again."""
    source, four = registries[0], registries[-1]
    door = Refusing(four)
    try:
        state = declare(runner.folder, source, door, tags)
        process = runner.start(state, "--once", stdout=subprocess.PIPE, text=True)
        said, _ = process.communicate()
        assert process.returncode == 1 and "attestations: auto" in said, said
        assert four.raw(MIRROR, tags[0]) is None, "a tag came before what it needs"
        state = state / "all.yaml"
        state.write_text(state.read_text().replace("maxPathDepth: 2", "maxPathDepth: 2, attestations: auto"))
        door.refused = 0
        runner.run(state.parent, "--once", "--wait", "10m")
        check_without_attestations(source, four, tags)
        # The attestations of one tag are sent side by side; those of the other are not tried.
        refused = door.refused
        assert 0 < refused <= 2, f"it was tried {refused} times"
        check_once(runner, state.parent, registries)
        assert door.refused == refused, "it was tried again"
    finally:
        door.stop()


if __name__ == "__main__":
    main()
