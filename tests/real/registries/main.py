"""Required tags on real registries: what buildah, umoci, BuildKit and Docker push is merged, mirrored and retained by
`reconcile`, and read back by skopeo. Wants docker-registry, skopeo, buildah, umoci, htpasswd and openssl, and takes
`docker` where it is there.

Usage: main.py RECONCILE [PART...]
"""

import importlib
import pathlib
import shutil
import sys
import tempfile
import time

from lab import lab

PARTS = ("examples", "merging", "mirroring", "retaining", "compressing")
PROGRAMS = ("docker-registry", "skopeo", "buildah", "umoci", "htpasswd", "openssl")


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    missing = [it for it in PROGRAMS if not shutil.which(it)]
    if missing:
        sys.exit(f"not there: {', '.join(missing)}")
    parts = sys.argv[2:] or PARTS
    # The registries wait for the disk at every request, where there is one to wait for.
    memory = "/dev/shm" if pathlib.Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=memory) as name, lab(str(pathlib.Path(sys.argv[1]).resolve()), pathlib.Path(name)) as all_of:
        for part in parts:
            begun = time.monotonic()
            importlib.import_module(part).checks(all_of)
            print(f"{part}: {time.monotonic() - begun:.1f} s", flush=True)


if __name__ == "__main__":
    main()
