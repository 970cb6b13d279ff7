"""Answer only requests that the account's owner signed, under this server's own name.

The server runs commands for whoever may send messages to its queues. A page in a browser of this
computer, another user of it, and a foreign name that leads here must all be refused.
"""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Callable, Iterable
from io import BytesIO
from typing import Any
from urllib.parse import quote, unquote
from xml.sax.saxutils import escape

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from .. import REFUSED_CODE
from .keys import OwnerKey

Environ = dict[str, Any]
StartResponse = Callable[..., Any]

# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/,\s]+)/(?P<day>\d{8})/(?P<region>[^/,\s]+)"
    r"/(?P<service>[^/,\s]+)/aws4_request,\s*SignedHeaders=(?P<headers>[^,\s]+),"
    r"\s*Signature=(?P<signature>[0-9a-f]{64})"
)
_HOSTS = ("127.0.0.1", "localhost")
_WITHOUT_PREFIX = {"content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH"}
_STREAMED = "x-amz-content-sha256"  # S3 signs this in place of the body

CURE = (
    "This simulated AWS obeys only its owner: paste the line that starts with `export`, which "
    "`rehearse --serve` printed, into this terminal"
)


class Guard:
    """A WSGI application that lets an owner's requests through to another."""

    def __init__(self, application: Callable[..., Iterable[bytes]], owner: OwnerKey) -> None:
        self._application = application
        self._owner = owner

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        reason = self._find_fault(environ)
        if reason:
            return _refuse(reason, environ, start_response)
        return self._application(environ, start_response)

    def _find_fault(self, environ: Environ) -> str:
        """Why a request is refused; '' when it is not. Reads the body of known keys alone."""
        if environ.get("HTTP_HOST", "").split(":")[0] not in _HOSTS:
            return "the request names another host"
        match = _AUTHORIZATION.fullmatch(environ.get("HTTP_AUTHORIZATION", ""))
        if match is None:
            return "the request is not signed"
        secret = self._owner.find_secret(match["key"])
        if secret is None:
            return "the access key is not this server's"
        if not hmac.compare_digest(_sign(environ, match, secret), match["signature"]):
            return "the secret key does not fit its access key"
        return ""


def _sign(environ: Environ, match: re.Match[str], secret: str) -> str:
    """The signature that a request with this secret has; '' if it cannot have any."""
    headers = {name: _header(environ, name) for name in match["headers"].split(";")}
    if "host" not in headers or "x-amz-date" not in headers:
        return ""
    path, _, query = environ["REQUEST_URI"].partition("?")
    if match["service"] == "s3":
        path = _encode(path, "/")
    url = f"http://{environ['HTTP_HOST']}{path}?{_encode(query, '&=')}"
    body = b"" if _STREAMED in headers else _read_body(environ)
    request = AWSRequest(environ["REQUEST_METHOD"], url, headers, data=body)
    request.context["timestamp"] = headers["x-amz-date"]
    kind = S3SigV4Auth if match["service"] == "s3" else SigV4Auth
    auth = kind(Credentials(match["key"], secret), match["service"], match["region"])
    text = auth.string_to_sign(request, auth.canonical_request(request))
    return str(auth.signature(text, request))


def _encode(text: str, kept: str) -> str:
    """Encoded as AWS does before it signs: s3fs, for its part, sends a slash of a query bare."""
    return "".join(
        part if part in kept else quote(unquote(part), safe="-_.~")
        for part in re.split(f"([{kept}])", text)
        if part
    )


def _header(environ: Environ, name: str) -> str:
    key = _WITHOUT_PREFIX.get(name, "HTTP_" + name.upper().replace("-", "_"))
    return str(environ.get(key, ""))


def _read_body(environ: Environ) -> bytes:
    """The body, which the next reader finds again."""
    length = environ.get("CONTENT_LENGTH") or "0"
    body = environ["wsgi.input"].read(int(length)) if length.isdigit() else b""
    environ["wsgi.input"] = BytesIO(body)
    return bytes(body)


def _refuse(reason: str, environ: Environ, start_response: StartResponse) -> list[bytes]:
    """A 403 in the form that the caller's service has for errors."""
    message = f"{CURE} ({reason})."
    kind, signed = environ.get("CONTENT_TYPE", ""), environ.get("HTTP_AUTHORIZATION", "")
    headers = [("Connection", "close"), ("x-amzn-ErrorType", REFUSED_CODE)]
    if "cbor" in kind:
        body = _cbor({"__type": REFUSED_CODE, "message": message})
        headers.append(("smithy-protocol", "rpc-v2-cbor"))
    elif "x-www-form-urlencoded" in kind or "/s3/" in signed or not signed:
        kind, body = "text/xml", _xml(message, "/ec2/" in signed, "x-www" in kind)
    else:
        kind = "application/json"
        body = json.dumps({"__type": REFUSED_CODE, "message": message}).encode()
    headers += [("Content-Type", kind), ("Content-Length", str(len(body)))]
    start_response("403 Forbidden", headers)
    return [body]


def _xml(message: str, is_ec2: bool, is_query: bool) -> bytes:
    error = f"<Error><Code>{REFUSED_CODE}</Code><Message>{escape(message)}</Message></Error>"
    if is_ec2:
        error = f"<Response><Errors>{error}</Errors></Response>"
    elif is_query:
        error = f"<ErrorResponse>{error}</ErrorResponse>"
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{error}\n'.encode()


def _cbor(texts: dict[str, str]) -> bytes:
    """A map of short texts; https://www.rfc-editor.org/rfc/rfc8949#section-3"""
    words = [word.encode() for pair in texts.items() for word in pair]
    parts = [bytes([0x79]) + len(word).to_bytes(2, "big") + word for word in words]
    return bytes([0xA0 + len(texts)]) + b"".join(parts)
