"""eStargz is what a layer holds, not what it is called."""

import estargz
import images
from images import ARCHITECTURES, TOC_DIGEST
from lab import repository


def push(at, tag, spoil):
    """Two sources with one layer each; `spoil` changes its bytes, the digest of what is in it, or its annotation."""
    for architecture in ARCHITECTURES:
        data, diff_id, toc = spoil(*estargz.layer(f"{tag} {architecture}\n"))
        notes = {TOC_DIGEST: toc} if toc else None
        images.image(at, f"{tag}-{architecture}", architecture, "r1", packed=(data, diff_id), annotations=notes)


def plain(_data, _diff_id, toc):
    """Says that it is eStargz."""
    return *images.layer("plain\n"), toc


CASES = {
    "estargz": lambda data, diff_id, toc: (data, diff_id, toc),
    "unsaid": lambda data, diff_id, _toc: (data, diff_id, None),
    "plain": plain,
    "other-toc": lambda data, diff_id, _toc: (data, diff_id, diff_id),
}


def checks(lab):
    at = lab.on_a("acme/lazy")
    for tag, spoil in CASES.items():
        push(at, tag, spoil)
    resources = [repository(tag, at.name, [tag], compression="estargz") for tag in CASES]
    ended = lab.reconcile(lab.state("lazy", lab.registry("a"), *resources), "--wait", "1m", code=1)
    for tag in CASES:
        ready = ended.conditions(tag)["Ready"]
        assert (ready["status"] == "True") == (tag == "estargz"), f"{tag}: {ended.conditions(tag)}"
        if tag != "estargz":
            assert "sha256:" in str(ended.conditions(tag)) or "layer" in str(ended.conditions(tag)), ended.conditions(tag)
    print(f"a layer of eStargz passes; refused: {', '.join(it for it in CASES if it != 'estargz')}")
