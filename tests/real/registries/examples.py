"""The project's example files, with real registries where theirs are: what buildah pushed is merged and mirrored."""

import pathlib

import images
from images import ARCHITECTURES
from lab import LOGIN, copy_whole, inspect, skopeo

EXAMPLES = pathlib.Path(__file__).resolve().parents[3] / "state"
TAGS = ("latest", "v1.0.0")
COPY = "demo/app"
MIRROR = "registry.cn-hangzhou.aliyuncs.com"
VARIABLE = "REGISTRY_CN_HANGZHOU_ALIYUNCS_COM"


def examples(lab):
    """The files about registries, but for retention: what goes on ghcr.io is GitHub's to say."""
    folder = lab.folder / "examples" / "state"
    folder.mkdir(parents=True)
    for name in ("registries.yaml", "repositories.yaml"):
        text, _, _ = (EXAMPLES / name).read_text().partition("  retention:\n")
        (folder / name).write_text(text)
    return folder


def checks(lab):
    at, there = lab.on_a("example/demo-app"), lab.on_b(COPY)
    builder = images.Buildah(lab.folder / "examples-buildah")
    for tag in TAGS:
        builder.push(at, tag, f"of-{tag}")
    user, password = LOGIN.split(":")
    environment = {
        "RECONCILE_REGISTRIES": f"ghcr.io=http://{at.host},{MIRROR}=http://{there.host}",
        f"RECONCILE_USER_{VARIABLE}": user,
        f"RECONCILE_PASSWORD_{VARIABLE}": password,
    }
    state = examples(lab)
    first = lab.settle(state, **environment)
    assert first.report["converged"], first.report
    login = ("--src-creds", LOGIN, "--src-tls-verify=false")
    for tag in TAGS:
        platforms = [it["platform"]["architecture"] for it in inspect(at, tag)["manifests"]]
        assert platforms == list(ARCHITECTURES), platforms
        copy_whole(at, tag, lab.folder / "examples-copy")
        skopeo("copy", "-q", "--all", *login, f"docker://{there.host}/{COPY}:{tag}", f"dir:{lab.folder / 'examples-mirror'}")
    again = lab.holds_still(state, lab.a, lab.b, **environment)
    said = f"{len(TAGS)} tags by buildah, merged and mirrored by the example files, are what skopeo copies from both"
    print(f"{said}; again: no write, {again.report['calls']['reads']} reads")
