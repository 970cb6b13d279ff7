"""A request as its service reads it: operation and parameters, by AWS's own models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from urllib.parse import parse_qsl, unquote

from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import Request, determine_request_protocol
from moto.core.routing import get_service_router
from moto.core.utils import get_service_model

from .callers import HEADER, caller_of

_HEADER = "HTTP_" + HEADER.upper().replace("-", "_")
# Names that services sign with, where botocore's models have others.
_MODELS = {"monitoring": "cloudwatch", "servicequotas": "service-quotas"}


@dataclass(frozen=True)
class Asked:
    """What a caller asks of a service, which is named as rights name it."""

    caller: str
    service: str
    operation: str
    params: Mapping[str, Any]
    region: str = "us-east-1"


def read(environ: dict[str, Any]) -> Asked | None:
    """The request of a WSGI environment, whose body the next reader finds again; None of a test's
    own."""
    signed = str(environ.get("HTTP_AUTHORIZATION", "")).partition("Credential=")[2].split(",")[0]
    if signed.count("/") < 4:
        return None
    key, _, region, service = signed.split("/")[:4]
    caller = caller_of(environ.get(_HEADER), key)
    if not caller:
        return None
    if service == "s3":
        operation, params = _read_s3(environ)
    else:
        operation, params = _read_modelled(_MODELS.get(service, service), environ)
    named = "cloudwatch" if service == "monitoring" else service
    return Asked(caller, named, operation, params, region)


def _read_modelled(model: str, environ: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = BytesIO(body)
    request: Any = Request({**environ, "wsgi.input": BytesIO(body)})
    service: Any = get_service_model(model)
    uri: Any = {}
    operation = request.headers.get("X-Amz-Target", "").rpartition(".")[2]
    operation = operation or str(request.values.get("Action", ""))
    if not operation and "/operation/" in request.path:  # of the protocol smithy-rpc-v2-cbor
        operation = request.path.rpartition("/")[2]
    if not operation:
        found, uri = get_service_router(model).match(request)
        operation = found.name
    protocol = determine_request_protocol(service, request.content_type)
    parser = PROTOCOL_PARSERS[protocol](service.operation_model(operation), map_type=dict)
    form: Any = {"method": request.method, "values": request.values, "headers": request.headers}
    form |= {"body": body, "url_path": request.path, "url_params": uri}
    return operation, parser.parse(form)


# https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html
_OF_BUCKETS = {"policy": "BucketPolicy", "tagging": "BucketTagging", "location": "BucketLocation"}
_OF_BUCKETS |= {"lifecycle": "BucketLifecycleConfiguration", "uploads": "MultipartUploads"}
_OF_KEYS = {"uploads": "CreateMultipartUpload", "acl": "PutObjectAcl", "tagging": "ObjectTagging"}


def _read_s3(environ: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    method = str(environ["REQUEST_METHOD"])
    asked = dict(parse_qsl(str(environ.get("QUERY_STRING", "")), keep_blank_values=True))
    path = unquote(str(environ["PATH_INFO"]).encode("latin-1").decode()).lstrip("/")
    bucket, _, key = path.partition("/")
    params = {"Bucket": bucket, "Key": key, "Prefix": asked.get("prefix", "")}
    params |= {"ACL": environ.get("HTTP_X_AMZ_ACL", "")}
    params |= {"CopySource": unquote(str(environ.get("HTTP_X_AMZ_COPY_SOURCE", "")))}
    verb = method.title()
    if not bucket:
        return "ListBuckets", params
    if not key:
        return _of_bucket(verb, asked), params
    if "uploadId" in asked:
        part = {"Put": "UploadPart", "Post": "CompleteMultipartUpload", "Get": "ListParts"}
        return part.get(verb, "AbortMultipartUpload"), params
    special = [name for one, name in _OF_KEYS.items() if one in asked]
    if special:
        return special[0], params
    return ("CopyObject" if params["CopySource"] else f"{verb}Object"), params


def _of_bucket(verb: str, asked: Mapping[str, str]) -> str:
    special = [name for one, name in _OF_BUCKETS.items() if one in asked]
    if special:
        return ("List" if special[0] == "MultipartUploads" else verb) + special[0]
    if verb == "Post" and "delete" in asked:
        return "DeleteObjects"
    plain = {"Get": "ListObjectsV2", "Head": "HeadBucket", "Put": "CreateBucket"}
    return plain.get(verb, "DeleteBucket")
