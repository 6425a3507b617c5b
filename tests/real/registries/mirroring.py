"""The same tags in another registry: digest by digest what skopeo copies, and not a byte twice."""

import base64
import json

import images
import merging
from images import ARCHITECTURES
from lab import LOGIN, REFUSED_CODES, repository, skopeo
from servers import writes

TAGS = list(merging.MAKES)


def mirrored(name, path, copy, target, tags=TAGS, **more):
    return repository(name, path, tags, mirrors=[{"registryRef": copy, "repository": target}], **more)


def equals_what_skopeo_copies(lab):
    source, target, peer = lab.on_a("acme/app"), lab.on_b("mirror/app"), lab.on_b("peer/app")
    state = lab.state("mirroring", lab.registry("a"), lab.with_login(), mirrored("app", source.name, "b", target.name))
    lab.settle(state)
    for tag in TAGS:
        names = [f"docker://{it.host}/{it.name}:{tag}" for it in (source, peer)]
        tls = ("--src-tls-verify=false", "--dest-tls-verify=false", "--dest-creds", LOGIN)
        skopeo("copy", "-q", "--all", "--preserve-digests", *tls, *names)
        assert target.digest(tag) == source.digest(tag) == peer.digest(tag), tag
        assert target.whole(tag) == source.whole(tag) == peer.whole(tag), tag
    lab.holds_still(state)
    lab.holds_still(state, cold=True)
    print(f"{len(TAGS)} tags in a registry with a password are what skopeo copies, digest by digest; again: no write")


def takes_credentials_of_docker(lab):
    """The same mirror, by what `docker login` wrote."""
    source, target = lab.on_a("acme/app"), lab.on_b("mirror/app")
    state = lab.state(
        "docker-login", lab.registry("a"), lab.registry("b"), mirrored("app", source.name, "b", target.name))
    (state.parent / "docker").mkdir()
    entry = {"auths": {lab.b.host: {"auth": base64.b64encode(LOGIN.encode()).decode()}}}
    (state.parent / "docker/config.json").write_text(json.dumps(entry))
    lab.holds_still(state, DOCKER_CONFIG=str(state.parent / "docker"))
    ended = lab.holds_still(state, code=REFUSED_CODES)
    assert not ended.report["complete"], ended.report
    print("credentials of Docker's file are taken; without any, nothing is known and nothing written")


def writes_nothing_where_it_is_refused(lab):
    source = lab.on_a("acme/app")
    state = lab.state("refused", lab.registry("a"), lab.with_login(), mirrored("app", source.name, "b", "mirror/refused"))
    ended = lab.holds_still(state, code=REFUSED_CODES, RECONCILE_PASSWORD_B="wrong")
    assert not ended.report["complete"] and not ended.report["converged"], ended.report
    print(f"with a wrong password nothing is written, and the run ends with {ended.code}")


def trusts_its_own_authority(lab):
    source, target = lab.on_a("acme/app"), lab.on_c("mirror/app")
    state = lab.state("tls", lab.registry("a"), lab.registry("c"), mirrored("app", source.name, "c", target.name))
    ended = lab.holds_still(state, code=1, SSL_CERT_FILE="/etc/ssl/certs/ca-certificates.crt")
    assert "certificate" in json.dumps(ended.report) + ended.said, ended
    lab.settle(state)
    for tag in TAGS:
        assert target.whole(tag) == source.whole(tag), tag
    lab.holds_still(state)
    near = lab.registry("c", host=lab.c.host)
    state = lab.state("tls-near", lab.registry("a"), near, mirrored("app", source.name, "c", target.name))
    lab.holds_still(state, HTTPS_PROXY=None)
    print("a registry whose CA is in SSL_CERT_FILE is mirrored to over TLS, through a proxy; without, it is not trusted")


def mounts_within_one_registry(lab):
    source, target = lab.on_b("mirror/app"), lab.on_b("near/app")
    for tag in TAGS:
        for architecture in ARCHITECTURES:
            names = [f"docker://{it.host}/{it.name}:{tag}-{architecture}" for it in (lab.on_a("acme/app"), source)]
            tls = ("--src-tls-verify=false", "--dest-tls-verify=false", "--dest-creds", LOGIN)
            skopeo("copy", "-q", "--all", "--preserve-digests", *tls, *names)
    state = lab.state("near", lab.with_login(), mirrored("near", source.name, "b", target.name, registry="b"))
    with lab.b.watched() as asked:
        lab.settle(state)
    sent = [path for method, path in asked if method == "PUT" and "/blobs/" in path]
    mounts = [path for method, path in writes(asked) if "mount=" in path]
    assert mounts and not sent, f"{len(mounts)} mounted, sent: {sent}"
    for tag in TAGS:
        assert target.whole(tag) == source.whole(tag), tag
    lab.holds_still(state)
    print(f"within one registry {len(mounts)} blobs are mounted and none is sent")


def leaves_attestations_out(lab):
    source, target = lab.on_a("acme/app"), lab.on_b("mirror-app")
    registry = lab.with_login("b-plain", attestations="drop", maxPathDepth=1)
    state = lab.state("dropping", lab.registry("a"), registry, mirrored("app", source.name, "b-plain", "mirror/app"))
    lab.settle(state)
    for tag in TAGS:
        images_of = [[it for it in at.manifest(tag)[1]["manifests"]] for at in (source, target)]
        ours, theirs = ({it["digest"] for it in found if it["platform"]["os"] != "unknown"} for found in images_of)
        assert ours == theirs and len(images_of[1]) == len(ARCHITECTURES), images_of
        target.whole(tag)
    lab.holds_still(state)
    lab.holds_still(state, cold=True)
    print("where attestations are dropped and names flattened, the platforms' digests are the same; again: no write")


def brings_signatures_along(lab):
    """What names an image as its subject, by the fallback tag of a registry that lists no referrers, and cosign's tag."""
    source, target = lab.on_a("acme/signed"), lab.on_b("mirror/signed")
    images.plain(source, "v1", "r1")
    state = lab.state(
        "signed", lab.registry("a"), lab.with_login(), mirrored("signed", source.name, "b", target.name, ["v1"]))
    lab.settle(state)
    tags = images.sign(source, "v1")
    lab.settle(state)
    for tag in tags:
        assert target.whole(tag) == source.whole(tag), tag
    lab.holds_still(state)
    print(f"signatures come along: {', '.join(it.replace(it[10:71], '…') for it in tags)}")


def checks(lab):
    if not lab.on_a("acme/app").tags():
        merging.fill(lab, lab.on_a("acme/app"))
    equals_what_skopeo_copies(lab)
    takes_credentials_of_docker(lab)
    writes_nothing_where_it_is_refused(lab)
    trusts_its_own_authority(lab)
    mounts_within_one_registry(lab)
    leaves_attestations_out(lab)
    brings_signatures_along(lab)
