#!/usr/bin/env python3
"""Lists all images of the account through the official SDK, and prints how many there were and how long that took at best.

    list_images.py BASE_ENV_JSON ROUNDS

BASE_ENV_JSON is the line that `reconcile simulate` prints. Counted is the listing alone: the SDK is loaded, and has
made its first request, before.
"""

import json
import sys
import time

from clients import client

REGION = "cn-hangzhou"
STATUSES = "Creating,Waiting,Available,UnAvailable,CreateFailed,Deprecated"


def pages(sdk):
    """The pages of 100, the most that ECS gives, one after another as the SDK offers it."""
    from alibabacloud_ecs20140526.models import DescribeImagesRequest
    from alibabacloud_tea_util.models import RuntimeOptions

    number = 1
    while True:
        request = DescribeImagesRequest(
            region_id=REGION, image_owner_alias="self", status=STATUSES, page_size=100, page_number=number
        )
        body = sdk.clients["ecs"].describe_images_with_options(request, RuntimeOptions(autoretry=False)).body
        yield body.images.image
        if number * 100 >= body.total_count:
            return
        number += 1


def main():
    env, rounds = json.loads(sys.argv[1])["env"], int(sys.argv[2])
    key = (env["ALIBABA_CLOUD_ACCESS_KEY_ID"], env["ALIBABA_CLOUD_ACCESS_KEY_SECRET"])
    sdk = client("tea-v3", env["ALIYUN_ECS_ENDPOINT"], REGION, key)
    next(pages(sdk))
    seconds, cpu_seconds, images = [], [], set()
    for _ in range(rounds):
        begun, cpu_begun = time.perf_counter(), time.process_time()
        images = {it.image_id for page in pages(sdk) for it in page}
        seconds.append(time.perf_counter() - begun)
        cpu_seconds.append(time.process_time() - cpu_begun)
    print(json.dumps({"images": len(images), "seconds": min(seconds), "cpuSeconds": min(cpu_seconds)}))


if __name__ == "__main__":
    main()
