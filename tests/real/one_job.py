"""A daemon and a simulated cloud, two processes in real time: a job that comes to wait gets a machine, is done, and nothing
is left of it.

Usage: one_job.py RECONCILE
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.request

DONE_WITHIN = 120

# Machines come up in two seconds here.
WORLD = {
    "times": {
        "instanceStarting": 1, "instanceRunning": 1, "agentOnline": 0, "runnerOnline": 1,
        "instanceStopped": 1, "instanceGone": 1,
    },
    "github": {"tokens": [{"token": "ghp-simulated-of-nobody", "login": "bot", "scopes": ["repo"]}]},
    "vSwitches": [{"VSwitchId": "vsw-j", "VpcId": "vpc-1", "ZoneId": "cn-hangzhou-j"}],
    "securityGroups": [{"SecurityGroupId": "sg-1", "VpcId": "vpc-1"}],
    "objects": {
        "images": [
            {"ImageId": "m-1", "ImageName": "runner", "ImageFamily": "runner", "CreationTime": "2026-01-01T00:00:00Z"}
        ]
    },
}

STATE = """
apiVersion: reconcile/v1alpha1
kind: AliyunRegion
metadata: {name: home}
spec:
  regionId: cn-hangzhou
  scope: real-time
  network: {vpcId: vpc-1, securityGroupId: sg-1, discoverVSwitches: true}
---
apiVersion: reconcile/v1alpha1
kind: InstanceClass
metadata: {name: small}
spec: {regionRef: home, architecture: amd64, requirements: {cpu: {min: 2, max: 4}}}
---
apiVersion: reconcile/v1alpha1
kind: RunnerSet
metadata: {name: ci}
spec:
  githubConfigUrl: https://github.com/example/app
  labels: [self-hosted, linux, x64, spot]
  instanceClassRef: small
  imageRef: {family: runner}
  idleAfter: 5s
"""


def ask(base: str, path: str, body: object = None) -> dict:
    data = None if body is None else json.dumps(body).encode()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(urllib.request.Request(base + path, data=data), timeout=10) as answer:
        return json.load(answer)


def wait_for(base: str, what: str, holds) -> dict:
    """Looks until something holds, for so long at most."""
    end = time.monotonic() + DONE_WITHIN
    while time.monotonic() < end:
        state = ask(base, "/_sim/state")
        if holds(state):
            return state
        time.sleep(0.1)
    sys.exit(f"{what}: not within {DONE_WITHIN} s: {json.dumps(ask(base, '/_sim/state'))[:2000]}")


def main() -> None:
    reconcile = str(pathlib.Path(sys.argv[1]).resolve())
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "world.yaml").write_text(json.dumps(WORLD))
        (folder / "state").mkdir()
        (folder / "state" / "runners.yaml").write_text(STATE)
        cloud = subprocess.Popen(
            [reconcile, "simulate", "--clock", "real", "--scenario", "world.yaml"],
            cwd=folder, stdout=subprocess.PIPE, text=True,
        )
        daemon = None
        try:
            line = json.loads(cloud.stdout.readline())
            environment = {"PATH": os.environ["PATH"], **line["env"]}
            daemon = subprocess.Popen(
                [reconcile, "--interval", "1s"], cwd=folder, env=environment,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )
            job = {"repository": "example/app", "labels": ["self-hosted", "spot"], "seconds": 3}
            begun = time.monotonic()
            ask(line["base"], "/_sim/objects", {"jobs": [job]})
            done = wait_for(line["base"], "the job", lambda it: it["jobs"][0]["conclusion"] == "success")
            took = time.monotonic() - begun
            machines = lambda it: it["regions"]["cn-hangzhou"]["instances"]
            wait_for(line["base"], "its machine", lambda it: not machines(it) and not it["runners"])
            gone = time.monotonic() - begun
            assert len(done["jobs"]) == 1
            daemon.terminate()
            code = daemon.wait(timeout=30)
            assert code == 143, code
            print(f"figure: one job by a daemon in real time, s until it is done, until nothing is left: {took:.0f}, {gone:.0f}")
        finally:
            for process in (daemon, cloud):
                if process is not None and process.poll() is None:
                    process.terminate()
                    process.wait(timeout=30)


if __name__ == "__main__":
    main()
