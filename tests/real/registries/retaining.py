"""What goes, and that nothing that stays is broken by it; beside what a deletion of all that has no tag does."""

import datetime
import os
import subprocess

import images
from images import ARCHITECTURES
from lab import copy_whole, repository, skopeo
from wire import OCI_INDEX

OLD = ("old-1", "old-2", "old-3")
# An index of an index, which skopeo does not copy.
NESTED = "stable"


def just_now():
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def fill(lab, at):
    """Required tags of several makes, old tags with their sources, an index of an index, signatures, and a new tag that
    shares its children with an old one."""
    images.attested(at, "v1", "r1")
    images.plain(at, "v2", "r1")
    for tag in OLD:
        images.attested(at, tag, "r1")
    tags = ["v1", "v2", *OLD]
    lab.settle(lab.state("filling", lab.registry("a"), repository("filling", at.name, tags)))
    for tag in ("v1", "old-1"):
        images.sign(at, tag)
    nest(at)
    images.image(at, "fresh", "amd64", "r2", created=just_now())


def nest(at):
    told, data = at.expect(200, "GET", "manifests/old-2", accept=OCI_INDEX)
    inner = {"mediaType": OCI_INDEX, "digest": told["docker-content-digest"], "size": len(data)}
    at.put_manifest({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [inner]}, NESTED)


def is_whole(lab, at, tag):
    """Whether another client can copy all of it."""
    try:
        if tag == NESTED:
            at.whole(tag)
        else:
            copy_whole(at, tag, lab.folder / "copy")
    except AssertionError:
        return False
    return True


def untagged(lab, at):
    """The digests of all manifests that no tag names, from the registry's own disk."""
    links = (lab.a.repository(at.name) / "_manifests/revisions/sha256").glob("*/link")
    held = {link.read_text() for link in links}
    return sorted(held - {at.digest(tag) for tag in at.tags()})


def breaks_when_untagged_manifests_go(lab):
    """On a copy of the repository: why retention is not that simple."""
    source, naive = lab.on_a("acme/kept"), lab.on_a("acme/naive")
    for tag in set(source.tags()) - {NESTED}:
        names = [f"docker://{it.host}/{it.name}:{tag}" for it in (source, naive)]
        skopeo("copy", "-q", "--all", "--src-tls-verify=false", "--dest-tls-verify=false", *names)
    nest(naive)
    assert all(is_whole(lab, naive, tag) for tag in naive.tags())
    gone = untagged(lab, naive)
    for digest in gone:
        naive.delete(digest)
    broken = [tag for tag in ("v1", *OLD, NESTED) if not is_whole(lab, naive, tag)]
    assert all(naive.digest(tag) for tag in broken), "they are gone, not only broken"
    assert {"v1", *OLD} <= set(broken), broken
    print(f"deleting the {len(gone)} manifests without a tag breaks {', '.join(broken)}")


def keeps_what_is_reached(lab):
    at = lab.on_a("acme/kept")
    # Signatures are no tags of their own, so they are not among the tagged.
    rules = {"tagged": {"keepLast": 0, "keep": [NESTED], "olderThan": "1d"}, "untagged": {"olderThan": "1d"}}
    state = lab.state(
        "retaining", lab.registry("a", deletion="Manifest"), repository("kept", at.name, ["v1", "v2"], retention=rules))
    before = {tag: at.whole(tag) for tag in at.tags()}
    lab.reconcile(state, "--max-deletes", "1", code=4)
    assert before.keys() == set(at.tags()), "the guard let something go"
    lab.reconcile(state, "--wait", "1m", "--max-delete-percent", "100")
    left = set(at.tags())
    gone = before.keys() - left
    expected = {tag for old in ("old-1", "old-3") for tag in (old, *(f"{old}-{it}" for it in ARCHITECTURES))}
    assert expected <= gone, f"still there: {sorted(expected - gone)}"
    kept = {"v1", "v2", NESTED, "fresh", *(f"{tag}-{it}" for tag in ("v1", "v2") for it in ARCHITECTURES)}
    assert kept <= left, f"gone: {sorted(kept - left)}"
    for tag in left:
        assert is_whole(lab, at, tag) and at.whole(tag) == before[tag], tag
    signatures = {it for it in left if it.startswith("sha256-")}
    assert {it.removesuffix(".sig") for it in signatures} == {at.digest("v1").replace(":", "-")}, signatures
    lab.holds_still(state, lab.a)
    print(f"{len(gone)} tags are gone; the {len(left)} that are left are copied whole by skopeo; again: no write")


def is_collected_offline(lab):
    """What the registry's own collection frees afterwards is not missed by anything that stays."""
    at = lab.on_a("acme/kept")
    command = ["docker-registry", "garbage-collect", str(lab.a.data.parent / "config.yml")]
    ended = subprocess.run(command, capture_output=True, text=True, env=dict(os.environ))
    assert ended.returncode == 0, ended.stderr
    assert all(is_whole(lab, at, tag) for tag in at.tags())
    print("after the registry's own garbage collection too")


def checks(lab):
    fill(lab, lab.on_a("acme/kept"))
    breaks_when_untagged_manifests_go(lab)
    keeps_what_is_reached(lab)
    is_collected_offline(lab)
