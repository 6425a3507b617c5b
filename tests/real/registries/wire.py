"""The registry API as a script speaks it: what other programs cannot be asked for, and what they did, to the byte."""

import base64
import hashlib
import http.client
import json
import ssl

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
INDEXES = (OCI_INDEX, DOCKER_LIST)
ACCEPT = ", ".join((OCI_INDEX, DOCKER_LIST, OCI_MANIFEST, DOCKER_MANIFEST))


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Repository:
    """A repository of a registry."""

    def __init__(self, host, name, login=None, trust=None):
        self.host, self.name, self.login, self.trust = host, name, login, trust

    def send(self, method, path, body=None, **headers):
        """Status, headers and body of one request; `path` is below the repository, or whole."""
        if self.trust:
            context = ssl.create_default_context(cafile=self.trust)
            # It is asked by its address, and its certificate is of a name.
            context.check_hostname = False
            connection = http.client.HTTPSConnection(self.host, context=context, timeout=60)
        else:
            connection = http.client.HTTPConnection(self.host, timeout=60)
        if self.login:
            headers["authorization"] = "Basic " + base64.b64encode(self.login.encode()).decode()
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        url = path if path.startswith("/") else f"/v2/{self.name}/{path}"
        connection.request(method, url, body, headers)
        answer = connection.getresponse()
        result = answer.status, answer.headers, answer.read()
        connection.close()
        return result

    def expect(self, status, method, path, body=None, **headers):
        found, told, data = self.send(method, path, body, **headers)
        assert found == status, f"{method} {self.host}/{self.name}/{path}: {found}: {data[:500]}"
        return told, data

    def put_blob(self, data, media_type):
        """Its descriptor."""
        told, _ = self.expect(202, "POST", "blobs/uploads/", content_length="0")
        where = told["location"].split(self.host, 1)[-1]
        separator = "&" if "?" in where else "?"
        digest = digest_of(data)
        self.expect(201, "PUT", f"{where}{separator}digest={digest}", data, content_type="application/octet-stream")
        return {"mediaType": media_type, "digest": digest, "size": len(data)}

    def put_manifest(self, value, reference=None, media_type=None, indent=None):
        """Its descriptor. `media_type` is for one that does not say it itself."""
        data = json.dumps(value, indent=indent).encode()
        media_type = media_type or value["mediaType"]
        self.expect(201, "PUT", f"manifests/{reference or digest_of(data)}", data, content_type=media_type)
        return {"mediaType": media_type, "digest": digest_of(data), "size": len(data)}

    def manifest(self, reference):
        """Its digest and what it says."""
        told, data = self.expect(200, "GET", f"manifests/{reference}", accept=ACCEPT)
        return digest_of(data), {"mediaType": told["content-type"], **json.loads(data)}

    def digest(self, reference):
        """None: it is not there."""
        status, told, _ = self.send("HEAD", f"manifests/{reference}", accept=ACCEPT)
        assert status in (200, 404), f"HEAD {reference}: {status}"
        return told["docker-content-digest"] if status == 200 else None

    def tags(self):
        status, _, data = self.send("GET", "tags/list")
        return sorted(json.loads(data)["tags"] or []) if status == 200 else []

    def delete(self, digest):
        self.expect(202, "DELETE", f"manifests/{digest}")

    def whole(self, reference):
        """All that a reference reaches, each digest with what it is; fails where something is missing."""
        found = {}
        waiting = [reference]
        while waiting:
            digest, value = self.manifest(waiting.pop())
            found[digest] = value["mediaType"]
            waiting += [it["digest"] for it in value.get("manifests", [])]
            for blob in value.get("layers", []) + ([value["config"]] if "config" in value else []):
                self.expect(200, "HEAD", f"blobs/{blob['digest']}")
                found[blob["digest"]] = blob["mediaType"]
        return found
