"""What goes, and that nothing that stays is broken by it; beside what a deletion of all that has no tag does."""

import datetime
import os
import subprocess

import images
from images import ARCHITECTURES
from lab import copy_whole, repository, skopeo
from wire import OCI_INDEX

OLD = ("old-1", "old-2", "old-3")


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
    outer = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [descriptor(at, "old-2")]}
    at.put_manifest(outer, "stable")
    images.image(at, "fresh", "amd64", "r2", created=just_now())


def descriptor(at, tag):
    told, data = at.expect(200, "GET", f"manifests/{tag}", accept=OCI_INDEX)
    return {"mediaType": told["content-type"], "digest": told["docker-content-digest"], "size": len(data)}


def untagged(lab, at):
    """The digests of all manifests that no tag names, from the registry's own disk."""
    links = (lab.a.repository(at.name) / "_manifests/revisions/sha256").glob("*/link")
    held = {link.read_text() for link in links}
    return sorted(held - {at.digest(tag) for tag in at.tags()})


def breaks_when_untagged_manifests_go(lab):
    """On a copy of the repository: why retention is not that simple."""
    source, naive = lab.on_a("acme/kept"), lab.on_a("acme/naive")
    for tag in source.tags():
        names = [f"docker://{it.host}/{it.name}:{tag}" for it in (source, naive)]
        skopeo("copy", "-q", "--all", "--src-tls-verify=false", "--dest-tls-verify=false", *names)
        copy_whole(naive, tag, lab.folder / "copy")
    gone = untagged(lab, naive)
    for digest in gone:
        naive.delete(digest)
    broken = []
    for tag in ("v1", *OLD, "stable"):
        assert naive.digest(tag), f"{tag} is gone, not only broken"
        try:
            copy_whole(naive, tag, lab.folder / "copy")
        except AssertionError:
            broken.append(tag)
    assert "v1" in broken and "stable" in broken, broken
    print(f"deleting the {len(gone)} manifests without a tag breaks {', '.join(broken)}")


def keeps_what_is_reached(lab):
    at = lab.on_a("acme/kept")
    rules = {"tagged": {"keepLast": 0, "keep": ["stable"], "olderThan": "1d"}}
    state = lab.state(
        "retaining", lab.registry("a", deletion="Manifest"), repository("kept", at.name, ["v1", "v2"], retention=rules))
    before = {tag: at.whole(tag) for tag in at.tags()}
    lab.settle(state, code=4)
    assert before.keys() == set(at.tags()), "the guard let something go"
    lab.reconcile(state, "--wait", "1m", "--max-delete-percent", "100")
    left = set(at.tags())
    gone = before.keys() - left
    expected = {tag for old in ("old-1", "old-3") for tag in (old, *(f"{old}-{it}" for it in ARCHITECTURES))}
    assert expected <= gone, f"still there: {sorted(expected - gone)}"
    kept = {"v1", "v2", "stable", "fresh", *(f"{tag}-{it}" for tag in ("v1", "v2") for it in ARCHITECTURES)}
    assert kept <= left, f"gone: {sorted(kept - left)}"
    for tag in left:
        copy_whole(at, tag, lab.folder / "copy")
        assert at.whole(tag) == before[tag], tag
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
    for tag in at.tags():
        copy_whole(at, tag, lab.folder / "copy")
    print("after the registry's own garbage collection too")


def checks(lab):
    fill(lab, lab.on_a("acme/kept"))
    breaks_when_untagged_manifests_go(lab)
    keeps_what_is_reached(lab)
    is_collected_offline(lab)
