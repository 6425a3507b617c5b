"""The official SDKs behind one small interface: call(action, parameters) -> answer, or Refused."""

import importlib
import json
import os
import re
import warnings

# The SDKs would send loopback requests to a proxy.
for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
    os.environ.pop(name, None)

# aliyun-python-sdk-core warns about its own old syntax.
warnings.filterwarnings("ignore")

ECS_VERSION = "2014-05-26"
STS_VERSION = "2015-04-01"
STS_ACTIONS = {"AssumeRole", "GetCallerIdentity"}
VPC_VERSION = "2016-04-28"
VPC_ACTIONS = {"DescribeVSwitches"}


class Refused(Exception):
    """The service answered with an error."""

    def __init__(self, status, code, message):
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code


class Tea:
    """alibabacloud-ecs20140526, with signature V3 (its default) or V1."""

    def __init__(self, base, region, key, version):
        from alibabacloud_ecs20140526.client import Client as Ecs
        from alibabacloud_sts20150401.client import Client as Sts
        from alibabacloud_tea_openapi.utils_models import Config

        def config():
            settings = Config(
                access_key_id=key[0],
                access_key_secret=key[1],
                region_id=region,
                # With a scheme the SDK would sign a wrong host.
                endpoint=base.removeprefix("http://"),
                protocol="http",
            )
            if version == 1:
                # The SDK calls the RPC signature V1 "v2".
                settings.signature_algorithm = "v2"
            return settings

        self.clients = {"ecs": Ecs(config()), "sts": Sts(config())}
        self.models = {
            "ecs": importlib.import_module("alibabacloud_ecs20140526.models"),
            "sts": importlib.import_module("alibabacloud_sts20150401.models"),
        }

    def call(self, action, parameters):
        from alibabacloud_tea_util.models import RuntimeOptions

        if action in VPC_ACTIONS:
            return self.call_vpc(action, parameters)
        service = "sts" if action in STS_ACTIONS else "ecs"
        snake = re.sub(r"(?<!^)(?=[A-Z])", "_", action).lower()
        method = getattr(self.clients[service], f"{snake}_with_options")
        arguments = [RuntimeOptions(autoretry=False)]
        model = getattr(self.models[service], f"{action}Request", None)
        if model is not None:
            arguments.insert(0, model().from_map(parameters))
        try:
            return method(*arguments).body.to_map()
        except Exception as error:  # The SDK has several unrelated classes of errors.
            if getattr(error, "code", None) is None:
                raise
            status = getattr(error, "status_code", None) or (error.data or {}).get("statusCode")
            raise Refused(status, error.code, str(error)) from error

    def call_vpc(self, action, parameters):
        """Without the SDK of VPC, which is large: the SDKs are all this call, and models around it."""
        from alibabacloud_tea_openapi.utils_models import OpenApiRequest, Params
        from alibabacloud_tea_util.models import RuntimeOptions

        params = Params(
            action=action,
            version=VPC_VERSION,
            protocol="HTTP",
            method="POST",
            auth_type="AK",
            style="RPC",
            pathname="/",
            req_body_type="formData",
            body_type="json",
        )
        request = OpenApiRequest(query={name: str(value) for name, value in parameters.items()})
        return self.clients["ecs"].call_api(params, request, RuntimeOptions(autoretry=False))["body"]


class Core:
    """aliyun-python-sdk-core and aliyun-python-sdk-ecs, with signature V1."""

    def __init__(self, base, region, key):
        from aliyunsdkcore.client import AcsClient

        self.endpoint = base.removeprefix("http://")
        self.client = AcsClient(key[0], key[1], region, auto_retry=False)

    def call(self, action, parameters):
        from aliyunsdkcore.acs_exception.exceptions import ServerException

        try:
            return json.loads(self.client.do_action_with_exception(self.request(action, parameters)))
        except ServerException as error:
            code = error.get_error_code()
            if code == "InvalidAccessKeySecret":
                # The SDK says this instead when the server signed the same text as it did itself.
                code = "SignatureDoesNotMatch"
            raise Refused(error.get_http_status(), code, error.get_error_msg()) from error

    def request(self, action, parameters):
        if action in STS_ACTIONS | VPC_ACTIONS:
            from aliyunsdkcore.request import CommonRequest

            version = STS_VERSION if action in STS_ACTIONS else VPC_VERSION
            request = CommonRequest(domain=self.endpoint, version=version, action_name=action)
            request.set_protocol_type("http")
            for name, value in parameters.items():
                request.add_query_param(name, value)
            return request
        module = importlib.import_module(f"aliyunsdkecs.request.v20140526.{action}Request")
        request = getattr(module, f"{action}Request")()
        request.set_endpoint(self.endpoint)
        request.set_protocol_type("http")
        for name, value in parameters.items():
            self.put(request, name, value)
        return request

    def put(self, request, name, value):
        if isinstance(value, dict):
            for member, inner in value.items():
                self.put(request, f"{name}{member}", inner)
            return
        for setter in (f"set_{name}", f"set_{name}s"):
            if hasattr(request, setter):
                getattr(request, setter)(value)
                return
        # The region, which the client would fill in by itself, and what is newer than the SDK.
        request.add_query_param(name, value)


def client(kind, base, region, key):
    """One of the three clients: `tea-v1`, `tea-v3`, `core`."""
    if kind == "core":
        return Core(base, region, key)
    return Tea(base, region, key, {"tea-v1": 1, "tea-v3": 3}[kind])
