"""Images of every make: by buildah, by umoci, and put byte by byte as BuildKit and Docker write them."""

import gzip
import io
import json
import subprocess
import tarfile

from wire import DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, digest_of

REVISION = "org.opencontainers.image.revision"
TOC_DIGEST = "containerd.io/snapshot/stargz/toc.digest"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
EMPTY = "application/vnd.oci.empty.v1+json"
ARCHITECTURES = ("amd64", "arm64")
# What was made long ago, as far as an image itself can tell.
LONG_AGO = "2021-02-03T04:05:06Z"


def run(*command, **options):
    """What a program printed; it has to succeed."""
    ended = subprocess.run([str(it) for it in command], capture_output=True, text=True, **options)
    assert ended.returncode == 0, f"{' '.join(map(str, command))}: {ended.stdout}{ended.stderr}"
    return ended.stdout


def layer(text):
    """A layer with one file: its bytes, and the digest of what is in it."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        entry = tarfile.TarInfo("hello.txt")
        entry.size = len(text)
        archive.addfile(entry, io.BytesIO(text.encode()))
    return gzip.compress(packed.getvalue(), mtime=0), digest_of(packed.getvalue())


def config(architecture, revision, diff_ids, created=LONG_AGO, **more):
    labels = {"config": {"Labels": {REVISION: revision}}} if revision else {"config": {}}
    rootfs = {"type": "layers", "diff_ids": diff_ids}
    value = {"created": created, "architecture": architecture, "os": "linux", **more, **labels, "rootfs": rootfs}
    return json.dumps({**value, "history": [{"created": created, "created_by": "COPY"}]}).encode()


def image(repository, tag, architecture, revision, packed=None, annotations=None, **more):
    """An OCI image with one layer; the descriptor of its manifest."""
    data, diff_id = packed or layer(f"{tag} {architecture}\n")
    blob = repository.put_blob(data, OCI_LAYER)
    if annotations:
        blob["annotations"] = annotations
    about = repository.put_blob(
        config(architecture, revision, [diff_id], **more), "application/vnd.oci.image.config.v1+json")
    value = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": about, "layers": [blob]}
    return repository.put_manifest(value, tag)


def plain(repository, tag, revision, **more):
    """Two sources as a build without provenance pushes them."""
    for architecture in ARCHITECTURES:
        image(repository, f"{tag}-{architecture}", architecture, revision, **more)


def untyped(repository, tag, revision):
    """The same, as an index, and without `mediaType` in any manifest: the answer's Content-Type alone tells what they are."""
    for architecture in ARCHITECTURES:
        data, diff_id = layer(f"{tag} {architecture}\n")
        blob = repository.put_blob(data, OCI_LAYER)
        about = repository.put_blob(
            config(architecture, revision, [diff_id]), "application/vnd.oci.image.config.v1+json")
        child = repository.put_manifest(
            {"schemaVersion": 2, "config": about, "layers": [blob]}, media_type=OCI_MANIFEST)
        child["platform"] = {"architecture": architecture, "os": "linux"}
        repository.put_manifest(
            {"schemaVersion": 2, "manifests": [child]}, f"{tag}-{architecture}", media_type=OCI_INDEX)


def schema2(repository, tag, revision, architectures=ARCHITECTURES):
    """As Docker pushes them: schema 2, and arm64 with its variant v8 in the configuration."""
    for architecture in architectures:
        data, diff_id = layer(f"{tag} {architecture}\n")
        blob = repository.put_blob(data, "application/vnd.docker.image.rootfs.diff.tar.gzip")
        more = {"variant": "v8"} if architecture == "arm64" else {}
        about = repository.put_blob(
            config(architecture, revision, [diff_id], **more), "application/vnd.docker.container.image.v1+json")
        value = {"schemaVersion": 2, "mediaType": DOCKER_MANIFEST, "config": about, "layers": [blob]}
        repository.put_manifest(value, f"{tag}-{architecture}", indent=3)


def attested(repository, tag, revision, **more):
    """As BuildKit pushes them since 0.32: an index of the image and its attestation, which is an artifact of its own with
    the image as its subject."""
    for architecture in ARCHITECTURES:
        child = image(repository, None, architecture, revision, packed=layer(f"{tag} {architecture}\n"), **more)
        statement = json.dumps({"predicateType": "https://slsa.dev/provenance/v1", "subject": child["digest"]})
        blob = repository.put_blob(statement.encode(), "application/vnd.in-toto+json")
        blob["annotations"] = {"in-toto.io/predicate-type": "https://slsa.dev/provenance/v1"}
        empty = {**repository.put_blob(b"{}", EMPTY), "data": "e30="}
        attestation = repository.put_manifest({
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "artifactType": "application/vnd.docker.attestation.manifest.v1+json",
            "config": empty,
            "layers": [blob],
            "subject": child,
        })
        notes = {
            "vnd.docker.reference.digest": child["digest"],
            "vnd.docker.reference.type": "attestation-manifest",
        }
        entries = [
            {**child, "platform": {"architecture": architecture, "os": "linux"}},
            {**attestation, "annotations": notes, "platform": {"architecture": "unknown", "os": "unknown"}},
        ]
        value = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}
        repository.put_manifest(value, f"{tag}-{architecture}", indent=2)


class Buildah:
    """With a store of its own, so that nothing else is touched and nothing is left."""

    def __init__(self, folder):
        folder.mkdir()
        self.folder = folder
        self.command = ("buildah", "--root", folder / "store", "--runroot", folder / "run", "--storage-driver", "vfs")

    def run(self, *arguments):
        return run(*self.command, *arguments)

    def push(self, repository, tag, revision):
        """Builds from scratch for both platforms, and pushes."""
        (self.folder / "Dockerfile").write_text("FROM scratch\nCOPY hello.txt /\n")
        (self.folder / "hello.txt").write_text(f"{tag}\n")
        for architecture in ARCHITECTURES:
            name = f"{tag}-{architecture}"
            self.run("bud", "-q", "--isolation", "chroot", "--platform", f"linux/{architecture}", "--timestamp", "0",
                     "--label", f"{REVISION}={revision}", "-t", name, self.folder)
            self.run("push", "-q", "--tls-verify=false", name, f"docker://{repository.host}/{repository.name}:{name}")

    def merge(self, repository, tag):
        """Merges a tag's sources as `buildah manifest` does: all that they hold, but no annotation of it."""
        self.run("manifest", "create", f"{tag}-merged")
        for architecture in ARCHITECTURES:
            source = f"docker://{repository.host}/{repository.name}:{tag}-{architecture}"
            self.run("manifest", "add", "--tls-verify=false", "--all", f"{tag}-merged", source)
        target = f"docker://{repository.host}/{repository.name}:{tag}"
        self.run("manifest", "push", "--tls-verify=false", "--all", f"{tag}-merged", target)
        self.run("manifest", "rm", f"{tag}-merged")


def umoci(folder, repository, tag, revision):
    """Two layouts as umoci makes them, whose manifests have no `mediaType`; skopeo pushes them as they are."""
    folder.mkdir()
    (folder / "hello.txt").write_text(f"{tag}\n")
    run("umoci", "init", "--layout", folder / "layout")
    for architecture in ARCHITECTURES:
        name = f"{folder / 'layout'}:{tag}-{architecture}"
        run("umoci", "new", "--image", name)
        run("umoci", "insert", "--rootless", "--image", name, folder / "hello.txt", "/hello.txt")
        run("umoci", "config", "--image", name, "--os", "linux", "--architecture", architecture,
            "--config.label", f"{REVISION}={revision}")
        target = f"docker://{repository.host}/{repository.name}:{tag}-{architecture}"
        run("skopeo", "--insecure-policy", "copy", "-q", "--dest-tls-verify=false", f"oci:{name}", target)
        _, data = repository.expect(200, "GET", f"manifests/{tag}-{architecture}", accept=OCI_MANIFEST)
        assert "mediaType" not in json.loads(data), "umoci wrote a mediaType"


def sign(repository, tag):
    """A signature as an artifact with a subject, listed by the fallback tag, and one in cosign's older form; the tags."""
    subject = repository.digest(tag)
    name = subject.replace(":", "-")
    said, _ = repository.expect(200, "HEAD", f"manifests/{tag}", accept=OCI_INDEX)
    blob = repository.put_blob(b'{"signature": "by the subject"}', "application/vnd.dev.sigstore.bundle.v0.3+json")
    empty = {**repository.put_blob(b"{}", EMPTY), "data": "e30="}
    value = {
        "schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": blob["mediaType"], "config": empty, "layers": [blob],
        "subject": {"mediaType": OCI_INDEX, "digest": subject, "size": int(said["content-length"])},
    }
    artifact = {**repository.put_manifest(value), "artifactType": blob["mediaType"]}
    repository.put_manifest({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [artifact]}, name)
    image(repository, f"{name}.sig", "amd64", None)
    return [name, f"{name}.sig"]
