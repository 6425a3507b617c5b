"""What our merge makes of sources of every make, and what it makes of what others merged."""

import os
import shutil

import images
from images import ARCHITECTURES, run
from lab import copy_whole, inspect, repository
from wire import DOCKER_LIST, OCI_INDEX

MAKES = ("buildah", "umoci", "buildkit", "docker", "untyped")
ATTESTATION = "vnd.docker.reference.type"


def fill(lab, at):
    """Sources of every make."""
    images.Buildah(lab.folder / "buildah").push(at, "buildah", "r1")
    images.umoci(lab.folder / "umoci", at, "umoci", "r1")
    images.attested(at, "buildkit", "r1")
    images.schema2(at, "docker", "r1")
    images.untyped(at, "untyped", "r1")


def runnable(index):
    """The platforms of the images that an index holds, as they are written."""
    platforms = [it["platform"] for it in index["manifests"] if it["platform"]["architecture"] != "unknown"]
    return [(it["os"], it["architecture"], it.get("variant")) for it in platforms]


def merges_every_make(lab):
    at = lab.on_a("acme/app")
    fill(lab, at)
    state = lab.state("merging", lab.registry("a"), repository("app", at.name, list(MAKES)))
    first = lab.settle(state)
    assert first.report["converged"], first.report
    for make in MAKES:
        index = inspect(at, make)
        assert runnable(index) == [("linux", it, None) for it in ARCHITECTURES], index
        assert index["mediaType"] == (DOCKER_LIST if make == "docker" else OCI_INDEX), index
        copy_whole(at, make, lab.folder / "copy")
    attestations = [it for it in inspect(at, "buildkit")["manifests"] if it["platform"]["architecture"] == "unknown"]
    children = {it["digest"] for it in inspect(at, "buildkit")["manifests"]}
    assert len(attestations) == 2 and all(
        it["annotations"][ATTESTATION] == "attestation-manifest"
        and it["annotations"]["vnd.docker.reference.digest"] in children - {it["digest"]}
        for it in attestations), attestations
    again = lab.holds_still(state, lab.a)
    reads = again.report["calls"]["reads"]
    assert reads == 3 * len(MAKES), f"{reads} reads for {len(MAKES)} tags that did not change"
    print(f"sources by {', '.join(MAKES)} are merged, read back by skopeo and copied whole; again: no write, {reads} reads")
    cold = lab.holds_still(state, lab.a, cold=True).report["calls"]["reads"]
    assert cold <= 10 * len(MAKES), f"{cold} reads for {len(MAKES)} tags without a cache"


def merge_with_docker(lab, at, tag):
    """By `docker manifest`, which needs no engine."""
    place = lab.folder / "docker"
    shutil.rmtree(place, ignore_errors=True)
    environment = {**os.environ, "DOCKER_CONFIG": str(place)}
    name = f"{at.host}/{at.name}:{tag}"
    run("docker", "manifest", "create", "--insecure", name, *(f"{name}-{it}" for it in ARCHITECTURES), env=environment)
    run("docker", "manifest", "push", "--insecure", name, env=environment)


def leaves_alone_what_others_merged(lab):
    at = lab.on_a("acme/others")
    buildah = images.Buildah(lab.folder / "others")
    mergers = {"buildah": lambda tag: buildah.merge(at, tag)}
    if shutil.which("docker"):
        mergers["docker"] = lambda tag: merge_with_docker(lab, at, tag)
    else:
        print("docker is not there: what it merges is not looked at")
    makes = {"oci": images.plain, "docker": images.schema2}
    state = lab.state("others", lab.registry("a"), repository("others", at.name, list(makes)))
    for tag, make in makes.items():
        make(at, tag, "r1")
    lab.settle(state)
    ours = {tag: at.digest(tag) for tag in makes}
    for merger, merge in mergers.items():
        # buildah makes an OCI index of Docker's images too, which buildx would not.
        tags = ["oci"] if merger == "buildah" else list(makes)
        for tag in tags:
            merge(tag)
            assert at.digest(tag) != ours[tag], f"{merger} writes the very bytes that we do: nothing is shown"
        theirs = {tag: at.digest(tag) for tag in makes}
        lab.holds_still(state, lab.a)
        assert theirs == {tag: at.digest(tag) for tag in makes}
        print(f"what {merger} merged of the same sources is left alone: {', '.join(tags)}")


def repairs_what_others_dropped(lab):
    at = lab.on_a("acme/dropped")
    images.attested(at, "v1", "r1")
    state = lab.state("dropped", lab.registry("a"), repository("dropped", at.name, ["v1"]))
    lab.settle(state)
    ours = at.digest("v1")
    images.Buildah(lab.folder / "dropping").merge(at, "v1")
    assert not any(ATTESTATION in it.get("annotations", {}) for it in inspect(at, "v1")["manifests"])
    lab.settle(state)
    assert at.digest("v1") == ours
    lab.holds_still(state, lab.a)
    print("buildah dropped the annotations of attestations: repaired, to the byte as before")


def never_merges_what_is_wrong(lab):
    """Each keeps the old tag, and says why."""
    at = lab.on_a("acme/wrong")
    wrong = ("missing", "doubled", "torn", "unlabelled")
    for tag in wrong:
        images.plain(at, tag, "r1")
    state = lab.state("wrong", lab.registry("a"), *(repository(it, at.name, [it]) for it in wrong))
    lab.settle(state)
    before = {tag: at.digest(tag) for tag in wrong}
    assert None not in before.values(), before
    at.delete(at.digest("missing-arm64"))
    images.image(at, "doubled-arm64", "amd64", "r2")
    images.image(at, "doubled-amd64", "amd64", "r2", created="2026-01-01T00:00:00Z")
    images.image(at, "torn-amd64", "amd64", "r2")
    images.image(at, "unlabelled-amd64", "amd64", None)
    ended = lab.holds_still(state, lab.a, code=(0, 1))
    assert before == {tag: at.digest(tag) for tag in wrong}
    assert not ended.report["converged"], ended.report
    for tag, words in {"missing": "missing-arm64", "doubled": "linux/", "torn": "revision", "unlabelled": "revision"}.items():
        ready = ended.conditions(tag)["Ready"]
        said = str(ended.conditions(tag)) + str([it for it in ended.report["unknown"] if tag in it["resource"]])
        assert ready["status"] != "True" and words in said, f"{tag}: {said}"
    print(f"not merged, and the old tag is kept: {', '.join(wrong)}")


def checks(lab):
    merges_every_make(lab)
    leaves_alone_what_others_merged(lab)
    repairs_what_others_dropped(lab)
    never_merges_what_is_wrong(lab)
