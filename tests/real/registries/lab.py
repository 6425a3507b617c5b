"""Three registries on loopback, and `reconcile` with state files about them.

A is open, B wants a password, and C speaks TLS by a CA of its own, under the name registry.test, to which a proxy leads.
"""

import contextlib
import dataclasses
import json
import os
import pathlib
import subprocess

import servers
from images import run
from wire import Repository

NAME_OF_C = "registry.test:443"
LOGIN = "mirror:as long as it is no secret"
REFUSED_CODES = (1, 77)


@dataclasses.dataclass
class Run:
    """What a run of `reconcile` said."""

    code: int
    report: dict
    said: str

    @property
    def writes(self):
        return self.report["calls"]["writes"]

    def conditions(self, name):
        """Of one repository, by type."""
        resource = next(it for it in self.report["resources"] if it["name"] == name)
        return {it["type"]: it for it in resource["conditions"]}


@dataclasses.dataclass
class Lab:
    """The registries, and where everything is put."""

    program: str
    folder: pathlib.Path
    a: servers.Registry
    b: servers.Registry
    c: servers.Registry
    proxy: str
    authority: pathlib.Path

    def on_a(self, name):
        return Repository(self.a.host, name)

    def on_b(self, name):
        return Repository(self.b.host, name, login=LOGIN)

    def on_c(self, name):
        return Repository(self.c.host, name, trust=str(self.authority))

    def registry(self, name, **more):
        """The state of a `Registry`."""
        hosts = {"a": self.a.host, "b": self.b.host, "c": "registry.test"}
        spec = {"host": hosts[name[0]], "insecure": name[0] != "c", **more}
        return {"kind": "Registry", "metadata": {"name": name}, "spec": spec}

    def with_login(self, name="b", **more):
        variables = {"usernameEnv": "RECONCILE_USER_B", "passwordEnv": "RECONCILE_PASSWORD_B"}
        return self.registry(name, credentials=variables, **more)

    def state(self, name, *resources):
        """A folder with these resources."""
        folder = self.folder / name / "state"
        folder.mkdir(parents=True, exist_ok=True)
        for resource in resources:
            value = {"apiVersion": "reconcile/v1alpha1", **resource}
            file = folder / f"{resource['kind']}-{resource['metadata']['name']}.yaml"
            file.write_text(json.dumps(value, indent=2))
        return folder

    def reconcile(self, state, *arguments, code=0, cold=False, **environment):
        """One pass. `cold`: as if the status directory were lost."""
        place = state.parent
        status = place / "cold" if cold else place / "status"
        if cold:
            run("rm", "-rf", status)
        user, password = LOGIN.split(":")
        basic = {
            "PATH": os.environ["PATH"],
            "HOME": str(place),
            "RECONCILE_USER_B": user,
            "RECONCILE_PASSWORD_B": password,
            "HTTPS_PROXY": self.proxy,
            "SSL_CERT_FILE": str(self.authority),
        }
        kept = {name: value for name, value in {**basic, **environment}.items() if value is not None}
        command = [self.program, "--once", "--state", str(state), "--status-dir", str(status), "--output", "json"]
        ended = subprocess.run([*command, *arguments], env=kept, capture_output=True, text=True, cwd=place)
        codes = code if isinstance(code, tuple) else (code,)
        assert ended.returncode in codes, f"ended with {ended.returncode}, not {code}: {told(ended)}"
        assert password not in ended.stdout + ended.stderr, "a password was printed"
        return Run(ended.returncode, json.loads(ended.stdout), ended.stderr)

    def settle(self, state, **more):
        """Passes until nothing is under way, by the program itself."""
        return self.reconcile(state, "--wait", "1m", **more)

    def holds_still(self, state, *watched, code=0, **more):
        """One more pass, which writes nothing: by its own count, and by what the registries were asked."""
        with contextlib.ExitStack() as stack:
            asked = [stack.enter_context(it.watched()) for it in watched or (self.a, self.b, self.c)]
            again = self.reconcile(state, code=code, **more)
        written = [it for each in asked for it in servers.writes(each)]
        assert again.writes == 0 and not written, f"{again.writes} writes: {written} {again.report['actions']}"
        return again


def told(ended):
    """What there is to know of a run that did not end as it should."""
    try:
        report = json.loads(ended.stdout)
    except json.JSONDecodeError:
        return ended.stdout + ended.stderr
    conditions = [[it["name"], it["conditions"]] for it in report["resources"]]
    return json.dumps([report["actions"], report["unknown"], conditions], indent=1) + ended.stderr


def repository(name, path, tags, registry="a", **more):
    """The state of an `ImageRepository`."""
    spec = {"registryRef": registry, "repository": path, "tags": tags, **more}
    return {"kind": "ImageRepository", "metadata": {"name": name}, "spec": spec}


def skopeo(*arguments, **options):
    return run("skopeo", "--insecure-policy", *arguments, **options)


def inspect(at, reference):
    """What skopeo reads of a tag of an open registry."""
    return json.loads(skopeo("inspect", "--raw", "--tls-verify=false", f"docker://{at.host}/{at.name}:{reference}"))


def copy_whole(at, reference, folder):
    """Copies all of a tag to disk by skopeo, which fails where something is missing."""
    run("rm", "-rf", folder)
    skopeo("copy", "-q", "--all", "--src-tls-verify=false", f"docker://{at.host}/{at.name}:{reference}", f"dir:{folder}")


@contextlib.contextmanager
def lab(program, folder):
    """All of it, until the `with` is over."""
    (folder / "htpasswd").write_text(run("htpasswd", "-Bbn", *LOGIN.split(":")))
    certificate = certify(folder)
    with contextlib.ExitStack() as stack:
        a = stack.enter_context(servers.registry(folder / "a"))
        b = stack.enter_context(servers.registry(folder / "b", htpasswd=folder / "htpasswd"))
        c = stack.enter_context(servers.registry(folder / "c", certificate=certificate))
        proxy = stack.enter_context(servers.proxy({NAME_OF_C: c.host}))
        yield Lab(program, folder, a, b, c, proxy, folder / "ca.pem")


def certify(folder):
    """A CA, and what it signed for registry.test: a certificate and its key."""
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    ca, ca_key, own, own_key, request = (folder / it for it in ("ca.pem", "ca.key", "own.pem", "own.key", "request"))
    extensions = folder / "extensions"
    extensions.write_text("subjectAltName=DNS:registry.test,IP:127.0.0.1\nbasicConstraints=critical,CA:FALSE\n")
    run("openssl", "req", "-x509", *key, "-subj", "/CN=our own", "-keyout", ca_key, "-out", ca)
    run("openssl", "req", *key, "-subj", "/CN=registry.test", "-keyout", own_key, "-out", request)
    run("openssl", "x509", "-req", "-in", request, "-CA", ca, "-CAkey", ca_key, "-CAcreateserial", "-days", "2",
        "-extfile", extensions, "-out", own)
    return own, own_key
