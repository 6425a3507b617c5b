#!/usr/bin/env python3
"""Does by one official SDK what `reconcile` does to the demo's account, and holds the two end states against each other.

    by_hand.py BASE_ENV_JSON RECONCILE STATE_FOLDER

BASE_ENV_JSON is the line that `reconcile simulate --clock manual` prints. The reconciler and every SDK begin with the same
world; times that were written into tags are left out of the comparison.
"""

import difflib
import json
import os
import subprocess
import sys
import tempfile

from clients import client
from scenario import World

REGION = "cn-hangzhou"
PREFIX = "demo-runner"
KEEP = 5
OURS = [
    {"Key": "reconcile:managed-by", "Value": "demo"},
    {"Key": "reconcile:owner", "Value": "MachineImage/demo-runner"},
]


def tags(thing):
    return {it["TagKey"]: it["TagValue"] for it in thing.get("Tags", {}).get("Tag", [])}


class Hand:
    """One SDK, and the region's listings read to their end."""

    def __init__(self, sdk):
        self.sdk = sdk

    def call(self, action, **parameters):
        return self.sdk.call(action, {"RegionId": REGION, **parameters})

    def images(self):
        found, page = [], 1
        while True:
            answer = self.call(
                "DescribeImages", ImageOwnerAlias="self", PageSize=10, PageNumber=page,
                Status="Creating,Waiting,Available,UnAvailable,CreateFailed,Deprecated")
            found += answer["Images"]["Image"]
            if page * 10 >= answer["TotalCount"]:
                return found
            page += 1

    def tag(self, sort, ids, pairs):
        self.call("TagResources", ResourceType=sort, ResourceId=ids, Tag=pairs)


def is_of_line(image, stem):
    rest = image["ImageName"].removeprefix(stem)
    is_named = rest != image["ImageName"] and (rest == "latest" or (len(rest) == 12 and rest.isdigit()))
    return is_named and "reconcile:owner" not in tags(image)


def keep_images(hand, architecture, machine):
    stem = f"{PREFIX}-{architecture}-"
    line = [it for it in hand.images() if it["Architecture"] == machine and is_of_line(it, stem)]
    line.sort(key=lambda it: it["CreationTime"], reverse=True)
    hand.tag("image", [it["ImageId"] for it in line], OURS)
    newest = line[0]
    for image in line:
        if image["ImageName"] == stem + "latest":
            made = image["CreationTime"]
            minute = made[0:4] + made[5:7] + made[8:10] + made[11:13] + made[14:16]
            hand.call("ModifyImageAttribute", ImageId=image["ImageId"], ImageName=stem + minute)
    hand.call(
        "ModifyImageAttribute", ImageId=newest["ImageId"], ImageName=stem + "latest", ImageFamily=stem.rstrip("-"))
    hand.call("UntagResources", ResourceType="image", ResourceId=[it["ImageId"] for it in line[1:]], TagKey=["Latest"])
    for image in line[KEEP:]:
        users = hand.call("DescribeInstances", ImageId=image["ImageId"], MaxResults=10)["Instances"]["Instance"]
        if users:
            continue
        snapshots = [it["SnapshotId"] for it in image["DiskDeviceMappings"]["DiskDeviceMapping"]]
        hand.call("DeleteImage", ImageId=image["ImageId"])
        for snapshot in snapshots:
            hand.call("DeleteSnapshot", SnapshotId=snapshot, Force=True)


def release_builders(hand):
    found = hand.call("DescribeInstances", Tag=[{"Key": "demo-purpose", "Value": "image-builder"}], MaxResults=100)
    for instance in found["Instances"]["Instance"]:
        if instance.get("SpotStrategy", "NoSpot") != "NoSpot":
            hand.tag("instance", [instance["InstanceId"]], [{"Key": "reconcile:retiring", "Value": "true"}])
            hand.call("DeleteInstance", InstanceId=instance["InstanceId"], Force=True)


def by_hand(world, kind, line):
    world.send("POST", "reset")
    env = line["env"]
    key = (env["ALIBABA_CLOUD_ACCESS_KEY_ID"], env["ALIBABA_CLOUD_ACCESS_KEY_SECRET"])
    hand = Hand(client(kind, line["base"], REGION, key))
    assert hand.call("GetCallerIdentity")["AccountId"] == line["accountId"]
    keep_images(hand, "amd64", "x86_64")
    keep_images(hand, "arm64", "arm64")
    release_builders(hand)
    return end_of(world)


def by_reconcile(world, line, program, state):
    world.send("POST", "reset")
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(8):
            # Time stands still here but for what is advanced: an idle machine is given its time by that.
            command = [program, "--once", "--state", state, "--status-dir", f"{folder}/status", "--output", "json"]
            done = subprocess.run(command, env={"PATH": os.environ["PATH"], **line["env"]}, capture_output=True, text=True)
            if done.returncode != 0:
                sys.exit(f"{done.stdout}\n{done.stderr}")
            if json.loads(done.stdout)["converged"]:
                return end_of(world)
            world.advance(150)
    sys.exit("reconcile did not converge")


def end_of(world):
    world.advance(120)
    state = world.send("GET", "state")["regions"][REGION]
    return json.dumps(state, indent=1, sort_keys=True).splitlines()


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    line = json.loads(sys.argv[1])
    world = World(line["base"])
    expected = by_reconcile(world, line, sys.argv[2], sys.argv[3])
    for kind in ["tea-v3", "tea-v1", "core"]:
        found = by_hand(world, kind, line)
        difference = list(difflib.unified_diff(expected, found, "reconcile", kind, lineterm=""))
        if difference:
            sys.exit("\n".join(difference))
        print(f"{kind}: the same end state as through reconcile ({len(found)} lines of it)")


if __name__ == "__main__":
    main()
