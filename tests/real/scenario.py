#!/usr/bin/env python3
"""Drives one official SDK through a day in the simulated cloud, and prints what it saw and what is left.

    scenario.py BASE_ENV_JSON --client tea-v1|tea-v3|core [--expect FILE]

BASE_ENV_JSON is the line that `reconcile simulate --clock manual` prints, or `-` to read it from standard input.
The world is reset first. Ids are replaced by names and times by what passed since the start, so that the output is
the same for every client; with `--expect` any difference to the file is an error.
"""

import argparse
import base64
import difflib
import json
import sys
import urllib.request
from datetime import datetime, timedelta

from clients import Refused, client

REGION = "cn-hangzhou"
# An image of our own to begin with; the world's other objects stay untouched.
BEGINNING = {
    "images": [
        {
            "ImageId": "m-sdkbase",
            "ImageName": "sdk-base",
            "CreationTime": "2026-01-01T00:00:00Z",
            "DiskDeviceMappings": {"DiskDeviceMapping": [{"SnapshotId": "s-sdkbase"}]},
            "Tags": {"sdk": "base"},
        }
    ]
}
ORDER = {
    "RegionId": REGION,
    "ImageId": "m-sdkbase",
    "InstanceType": "ecs.c7.large",
    "ZoneId": "cn-hangzhou-k",
    "VSwitchId": "vsw-bp1demok",
    "SecurityGroupId": "sg-bp1demo",
    "SystemDisk": {"Category": "cloud_essd", "Size": "40"},
}


class World:
    """The admin interface of the simulator."""

    def __init__(self, base):
        self.base = base

    def send(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.base}/_sim/{path}", data=data, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def begin(self):
        self.send("POST", "reset")
        minutes, seconds = self.send("GET", "state")["now"][14:19].split(":")
        # Times of instances have no seconds: begin at a full hour, so that they are the same every time.
        self.advance(-(60 * int(minutes) + int(seconds)) % 3600)
        self.send("POST", "objects", BEGINNING)
        self.start = self.send("GET", "state")["now"]

    def advance(self, seconds):
        self.send("POST", f"advance?seconds={seconds}")


class Run:
    """The steps taken so far, with what came of each."""

    def __init__(self, sdk, world):
        self.sdk = sdk
        self.world = world
        self.actions = set()
        self.steps = []
        self.names = {}

    def call(self, action, parameters=None, **more):
        """Calls and returns the answer; a refusal is an error of the scenario."""
        self.actions.add(action)
        return self.sdk.call(action, {"RegionId": REGION, **(parameters or {}), **more})

    def refused(self, action, parameters=None, **more):
        """Calls and says status and code of the refusal."""
        try:
            self.call(action, parameters, **more)
        except Refused as refusal:
            return f"{refusal.status} {refusal.code}"
        return "not refused"

    def note(self, what, outcome):
        self.steps.append([what, outcome])

    def names_of(self, answer, outer, inner, field):
        return sorted(row[field] for row in answer[outer][inner])


def reading(run):
    identity = run.call("GetCallerIdentity")
    run.note("caller", [identity["AccountId"], identity["IdentityType"]])
    role = {"RoleArn": f"acs:ram::{identity['AccountId']}:role/none", "RoleSessionName": "sdk"}
    run.note("no such role", run.refused("AssumeRole", role))
    run.note("a wrong name of a session", run.refused("AssumeRole", role, RoleSessionName="a b"))
    run.note("regions", run.names_of(run.call("DescribeRegions"), "Regions", "Region", "RegionId"))
    types = run.call("DescribeInstanceTypes", CpuArchitecture="ARM", MaximumCpuCoreCount=4)
    run.note("small ARM types", run.names_of(types, "InstanceTypes", "InstanceType", "InstanceTypeId"))
    images = run.call("DescribeImages", ImageName="sdk-", ImageOwnerAlias="self")
    run.note("images", run.names_of(images, "Images", "Image", "ImageName"))
    base = run.call("DescribeImages", ImageOwnerAlias="system", Architecture="arm64", OSType="linux", PageSize=100)
    run.note("base images", run.names_of(base, "Images", "Image", "ImageName"))
    family = run.call("DescribeImages", ImageFamily="acs:ubuntu_24_04_x64", Status="Available")
    run.note("a family of base images", run.names_of(family, "Images", "Image", "OSNameEn"))
    run.note("unknown region", run.refused("DescribeImages", RegionId="cn-nowhere"))
    run.note("dry run", run.refused("DescribeInstances", DryRun=True))


def shopping(run):
    types = run.call("DescribeInstanceTypes", MinimumCpuCoreCount=8, MaximumCpuCoreCount=8, MaximumMemorySize=8.0)
    run.note("8c8g", [[it["InstanceTypeId"], it["MemorySize"]] for it in types["InstanceTypes"]["InstanceType"]])
    stock = run.call("DescribeAvailableResource", DestinationResource="InstanceType", InstanceType="ecs.c7.large")
    for zone in stock["AvailableZones"]["AvailableZone"]:
        resources = zone["AvailableResources"]["AvailableResource"]
        rows = [row for it in resources for row in it["SupportedResources"]["SupportedResource"]]
        run.note(zone["ZoneId"], [[row["Value"], row["Status"], row["StatusCategory"]] for row in rows])
    prices = run.call("DescribeSpotPriceHistory", InstanceType="ecs.c7.large", NetworkType="vpc", OSType="linux")
    rows = [[it["ZoneId"], it["SpotPrice"], it["OriginPrice"]] for it in prices["SpotPrices"]["SpotPriceType"]]
    run.note("prices", [prices["Currency"], prices["NextOffset"], rows])
    run.note("zones", run.names_of(run.call("DescribeZones", Verbose=False), "Zones", "Zone", "ZoneId"))
    run.note("vSwitches", run.names_of(run.call("DescribeVSwitches"), "VSwitches", "VSwitch", "VSwitchId"))
    run.note("nowhere", run.refused("RunInstances", ORDER, ZoneId="cn-nowhere-a"))


def launching(run):
    order = {
        **ORDER,
        "InstanceName": "sdk-builder",
        "ClientToken": "sdk-token-1",
        "SpotStrategy": "SpotWithPriceLimit",
        "SpotPriceLimit": 0.5,
        "Tag": [{"Key": "sdk", "Value": "one + two"}, {"Key": "建", "Value": "~*'"}],
    }
    first = run.call("RunInstances", order)["InstanceIdSets"]["InstanceIdSet"]
    again = run.call("RunInstances", order)["InstanceIdSets"]["InstanceIdSet"]
    run.note("same token, same instance", [len(first), first == again])
    run.note("same token, other order", run.refused("RunInstances", order, InstanceName="sdk-other"))
    run.note("dry run of a launch", run.refused("RunInstances", ORDER, DryRun=True))
    run.note("no such image", run.refused("RunInstances", {**ORDER, "ImageId": "m-none"}))
    run.note("release too early", run.refused("RunInstances", ORDER, AutoReleaseTime="2000-01-01T00:00:00Z"))
    run.note("delete while starting", run.refused("DeleteInstance", InstanceId=first[0], Force=True))
    run.world.advance(60)
    status = run.call("DescribeInstanceStatus", InstanceId=first)
    run.note("status", run.names_of(status, "InstanceStatuses", "InstanceStatus", "Status"))
    crowd = run.call("RunInstances", ORDER, Amount=23, InstanceName="sdk-crowd-", UniqueSuffix=True)
    run.world.advance(60)
    return first[0], crowd["InstanceIdSets"]["InstanceIdSet"]


def paging(run):
    token, names, sizes = None, [], []
    while True:
        page = {"MaxResults": 10, "InstanceName": "sdk-*", **({"NextToken": token} if token else {})}
        answer = run.call("DescribeInstances", page)
        rows = answer["Instances"]["Instance"]
        sizes.append(len(rows))
        names += [row["InstanceName"] for row in rows]
        token = answer.get("NextToken")
        if not token:
            break
    run.note("pages", [sizes, len(set(names))])
    first = run.call("DescribeInstances", InstanceName="sdk-*")
    run.note("a page without a size", [len(first["Instances"]["Instance"]), first["TotalCount"]])


def provisioning(run, builder):
    status = run.call("DescribeCloudAssistantStatus", InstanceId=[builder])
    run.note("agent", run.names_of(status, "InstanceCloudAssistantStatusSet", "InstanceCloudAssistantStatus", "CloudAssistantStatus"))
    script = "#!/bin/bash\necho 'eins & zwei' + ~\n"
    command = {
        "Type": "RunShellScript", "CommandContent": base64.b64encode(script.encode()).decode(), "ContentEncoding": "Base64",
        "KeepCommand": False, "EnableParameter": False, "Timeout": 1800, "InstanceId": [builder],
        "Name": "sdk-command", "ClientToken": "sdk-token-4", "Tag": [{"Key": "sdk", "Value": "one + two"}],
    }
    first = run.call("RunCommand", command)["InvokeId"]
    run.note("same token, same command", run.call("RunCommand", command)["InvokeId"] == first)
    run.note("same token, other command", run.refused("RunCommand", command, Timeout=60))
    run.note("a command too long", run.refused("RunCommand", command, CommandContent="A" * 24580, ClientToken="sdk-token-5"))
    run.world.advance(60)
    found = run.call("DescribeInvocations", Tag=command["Tag"], MaxResults=10)
    run.note("found by tag", run.names_of(found, "Invocations", "Invocation", "InvocationStatus"))
    run.world.advance(600)
    shown = run.call("DescribeInvocations", InvokeId=first, IncludeOutput=True, ContentEncoding="PlainText")
    row = shown["Invocations"]["Invocation"][0]
    told = row["InvokeInstances"]["InvokeInstance"][0]
    run.note("what ran", [row["CommandContent"] == script, told["InvocationStatus"], told["Output"]])
    results = run.call("DescribeInvocationResults", InvokeId=first)["Invocation"]
    row = results["InvocationResults"]["InvocationResult"][0]
    output = base64.b64decode(row["Output"]).decode()
    run.note("its result", [row["InvocationStatus"], row["ExitCode"], output, row["Dropped"], row["InstanceId"] == builder])


def sharing(run, image):
    run.call("ModifyImageSharePermission", ImageId=image, AddAccount=[str(it) for it in range(100, 112)])
    page = run.call("DescribeImageSharePermission", ImageId=image, PageSize=4, PageNumber=3)
    run.note("shared", [page["TotalCount"], run.names_of(page, "Accounts", "Account", "AliyunId")])
    run.note("deletion while shared", run.refused("DeleteImage", ImageId=image))
    run.note("no account", run.refused("ModifyImageSharePermission", ImageId=image, AddAccount=["nobody"]))
    run.call("ModifyImageSharePermission", ImageId=image, RemoveAccount=[str(it) for it in range(100, 110)])
    listed = run.call("DescribeImages", ImageId=image)
    run.note("unshared", run.names_of(listed, "Images", "Image", "IsSelfShared"))


def imaging(run, builder):
    run.call("StopInstance", InstanceId=builder)
    run.note("image of a stopping instance", run.refused("CreateImage", InstanceId=builder, ImageName="sdk-new"))
    run.world.advance(60)
    create = {"InstanceId": builder, "ImageName": "sdk-new", "ClientToken": "sdk-token-2", "Tag": [{"Key": "sdk", "Value": "new"}]}
    new = run.call("CreateImage", create)["ImageId"]
    run.note("image again", run.call("CreateImage", create)["ImageId"] == new)
    run.note("name in use", run.refused("CreateImage", SnapshotId="s-sdkbase", ImageName="sdk-new"))
    run.note("rename while creating", run.refused("ModifyImageAttribute", ImageId=new, ImageName="sdk-newer"))
    hidden = run.call("DescribeImages", ImageId=new)["TotalCount"]
    creating = run.call("DescribeImages", ImageId=new, Status="Creating,Available")
    run.note("creating", [hidden, run.names_of(creating, "Images", "Image", "Status")])
    kept = {"SnapshotId": "s-sdkbase", "ImageName": "sdk-kept", "ImageFamily": "sdk-line", "Description": "镜像 <&> '+' ~"}
    run.call("CreateImage", kept, Tag=[{"Key": "sdk", "Value": "kept"}])
    run.world.advance(600)
    run.note("rename to a name in use", run.refused("ModifyImageAttribute", ImageId=new, ImageName="sdk-base"))
    run.call("ModifyImageAttribute", ImageId=new, ImageName="sdk-newer", ImageFamily="sdk-line", Description="von Hand & neu")
    family = run.call("DescribeImageFromFamily", ImageFamily="sdk-line")
    run.note("newest of the family", family["Image"]["ImageName"])
    run.call("StartInstance", InstanceId=builder)
    run.world.advance(60)
    return new


def tagging(run, image):
    tags = [{"Key": f"k{n}", "Value": f"v {n}"} for n in range(1, 13)]
    run.call("TagResources", ResourceType="image", ResourceId=[image], Tag=tags)
    run.call("UntagResources", ResourceType="image", ResourceId=[image], TagKey=["k2", "k11"])
    rows = run.call("ListTagResources", ResourceType="image", ResourceId=[image])
    run.note("tags", run.names_of(rows, "TagResources", "TagResource", "TagKey"))
    found = run.call("DescribeImages", Tag=[{"Key": "k12", "Value": "v 12"}])
    run.note("found by tag", run.names_of(found, "Images", "Image", "ImageName"))
    run.note("a tag of theirs", run.refused("TagResources", ResourceType="image", ResourceId=[image], Tag=[{"Key": "acs:x", "Value": ""}]))


def removing(run, builder, crowd, image):
    run.note("image in use", run.refused("DeleteImage", ImageId="m-sdkbase"))
    mapping = run.call("DescribeImages", ImageId=image)["Images"]["Image"][0]["DiskDeviceMappings"]
    newest = mapping["DiskDeviceMapping"][0]["SnapshotId"]
    listed = run.call("DescribeSnapshots", Usage="image", SnapshotIds=json.dumps([newest]), MaxResults=100)
    run.note("its snapshot", run.names_of(listed, "Snapshots", "Snapshot", "Status"))
    run.note("snapshot in use", run.refused("DeleteSnapshot", SnapshotId=newest, Force=True))
    run.call("DeleteImage", ImageId=image)
    run.call("DeleteSnapshot", SnapshotId=newest, Force=True)
    run.note("image gone", run.refused("DeleteImage", ImageId=image))
    family = run.call("DescribeImageFromFamily", ImageFamily="sdk-line")
    run.note("next of the family", family["Image"]["ImageName"])
    stopped = run.call("StopInstances", InstanceId=crowd[:3], ForceStop=True)
    run.note("stopped", run.names_of(stopped, "InstanceResponses", "InstanceResponse", "CurrentStatus"))
    run.note("dry run of a deletion", run.refused("DeleteInstances", InstanceId=crowd[:2], DryRun=True, Force=True))
    run.call("DeleteInstances", InstanceId=crowd[3:], Force=True, ClientToken="sdk-token-3")
    run.note("running without force", run.refused("DeleteInstance", InstanceId=builder))
    release = datetime.fromisoformat(run.world.start) + timedelta(minutes=90, seconds=45)
    run.call("ModifyInstanceAutoReleaseTime", InstanceId=builder, AutoReleaseTime=f"{release:%Y-%m-%dT%H:%M:%SZ}")
    run.world.advance(60)
    left = run.call("DescribeInstances", InstanceName="sdk-*", MaxResults=100)
    run.note("left", run.names_of(left, "Instances", "Instance", "InstanceName"))
    run.world.advance(7200)
    run.note("released", run.refused("DeleteInstance", InstanceId=builder, Force=True))


def state(world):
    """What is left, without ids and with times from the start."""
    region = world.send("GET", "state")["regions"][REGION]
    start = datetime.fromisoformat(world.start)
    names = {row[f"{kind}Id"]: row[f"{kind}Name"] for kind in ("Image", "Instance") for row in region[f"{kind.lower()}s"]}
    for row in region["snapshots"]:
        image = row["SnapshotName"].removeprefix("Created_from_")
        names[row["SnapshotId"]] = f"snapshot of {names.get(image, 'nothing')}"

    def told(value):
        if isinstance(value, dict):
            return {name: told(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [told(inner) for inner in value]
        if not isinstance(value, str):
            return value
        if value.endswith("Z") and value[:2] == "20":
            passed = (datetime.fromisoformat(value) - start).total_seconds()
            return f"{passed:+.0f} s" if passed >= 0 and value[:4] != "2099" else value
        return names.get(value, value)

    def key(row):
        return json.dumps(row, sort_keys=True, ensure_ascii=False)

    for row in region["snapshots"]:
        row.pop("SnapshotName")
    return {kind: sorted((told(row) for row in rows), key=key) for kind, rows in region.items()}


def run_scenario(base_env, kind):
    env = base_env["env"]
    key = (env["ALIBABA_CLOUD_ACCESS_KEY_ID"], env["ALIBABA_CLOUD_ACCESS_KEY_SECRET"])
    base = env["ALIYUN_ECS_ENDPOINT"]
    world = World(base)
    world.begin()
    run = Run(client(kind, base, REGION, key), world)
    reading(run)
    shopping(run)
    builder, crowd = launching(run)
    paging(run)
    provisioning(run, builder)
    image = imaging(run, builder)
    tagging(run, image)
    sharing(run, image)
    removing(run, builder, crowd, image)
    wrong = Run(client(kind, base, REGION, (key[0], "wrong")), world)
    run.note("wrong secret", wrong.refused("DescribeRegions"))
    unknown = Run(client(kind, base, REGION, ("nobody", "wrong")), world)
    run.note("unknown key", unknown.refused("DescribeRegions"))
    return {"actions": sorted(run.actions), "steps": run.steps, "state": state(world)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base_env", metavar="BASE_ENV_JSON")
    parser.add_argument("--client", choices=["tea-v1", "tea-v3", "core"], required=True)
    parser.add_argument("--expect", metavar="FILE", help="fail unless the output is this file's")
    options = parser.parse_args()
    text = sys.stdin.read() if options.base_env == "-" else options.base_env
    outcome = run_scenario(json.loads(text), options.client)
    lines = json.dumps(outcome, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    sys.stdout.write(lines)
    print(f"{options.client}: {len(outcome['actions'])} actions, {len(outcome['steps'])} steps", file=sys.stderr)
    if options.expect:
        with open(options.expect, encoding="utf-8") as file:
            wanted = file.read()
        difference = list(difflib.unified_diff(wanted.splitlines(), lines.splitlines(), options.expect, options.client, lineterm=""))
        if difference:
            sys.exit("\n".join(difference))


if __name__ == "__main__":
    main()
