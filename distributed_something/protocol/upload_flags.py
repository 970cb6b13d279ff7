"""What UPLOAD_FLAGS asks for: the flags of `aws s3 mv` that have a meaning for an upload."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

# Each flag's name in S3's own requests.
_WITH_VALUE = {
    "--acl": "ACL",
    "--storage-class": "StorageClass",
    "--sse": "ServerSideEncryption",
    "--sse-kms-key-id": "SSEKMSKeyId",
    "--content-type": "ContentType",
    "--cache-control": "CacheControl",
    "--content-encoding": "ContentEncoding",
    "--content-disposition": "ContentDisposition",
    "--content-language": "ContentLanguage",
    "--expires": "Expires",
    "--website-redirect": "WebsiteRedirectLocation",
    "--checksum-algorithm": "ChecksumAlgorithm",
    "--request-payer": "RequestPayer",
}
_CHOICES = {
    "--sse": ("AES256", "aws:kms", "aws:kms:dsse"),
    "--checksum-algorithm": ("CRC32", "SHA1", "SHA256"),  # what boto3 reckons without its CRT
    "--request-payer": ("requester",),
}
_ALONE = {"--sse": "AES256", "--request-payer": "requester"}  # what they mean without a value
_PERMISSIONS = {
    "read": "GrantRead",
    "readacl": "GrantReadACP",
    "writeacl": "GrantWriteACP",
    "full": "GrantFullControl",
}
_ACCESS = {"ACL", *_PERMISSIONS.values()}  # S3 takes an ACL or grants, not both
_FILTERS = {"--include", "--exclude"}
FLAGS = frozenset({*_WITH_VALUE, *_FILTERS, "--metadata", "--grants"})
# True of every upload here, or about what the command line prints.
_IDLE = {"--recursive", "--quiet", "--only-show-errors", "--no-progress", "--no-follow-symlinks"}
# Of copies from S3 alone; those of the first line have a value.
_OF_COPIES = {
    **dict.fromkeys(
        ("--metadata-directive", "--copy-props", "--source-region", "--page-size"), True
    ),
    **dict.fromkeys(("--force-glacier-transfer", "--ignore-glacier-warnings"), False),
}

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html
_METADATA_BYTES = 2048
_METADATA_NAME = re.compile(r"[A-Za-z0-9_.-]+")

Arguments = dict[str, str | dict[str, str]]


@dataclass(frozen=True)
class UploadFlags:
    """Extra arguments for each upload, and which files are sent at all."""

    arguments: Mapping[str, str | dict[str, str]] = field(default_factory=dict)
    filters: tuple[tuple[bool, str], ...] = ()  # whether to send what the pattern fits
    ignored: tuple[str, ...] = ()  # flags that mean nothing for a file of the machine's own

    @classmethod
    def read(cls, text: str) -> UploadFlags:
        """Read the flags; raises ValueError that lists those which have no meaning here."""
        words = _words(text)
        arguments: Arguments = {}
        filters: list[tuple[bool, str]] = []
        unknown: list[str] = []
        ignored: list[str] = []
        while words:
            name, equals, value = words.pop(0).partition("=")
            if name in _OF_COPIES:
                ignored.append(name)
                if _OF_COPIES[name] and not equals:
                    _value(name, words)
            elif name == "--grants":
                arguments |= _grants([value] if equals else _values(words))
            elif name in FLAGS:
                value = value if equals else _value(name, words)
                if name in _FILTERS:
                    filters.append((name == "--include", value))
                else:
                    arguments |= _argument(name, value)
            elif name not in _IDLE:
                unknown.append(name)
        if unknown:
            known = ", ".join(sorted([*FLAGS, *_IDLE, *_OF_COPIES]))
            raise ValueError(f"{', '.join(unknown)}: not supported here; supported are: {known}")
        if "ACL" in arguments and _ACCESS & arguments.keys() != {"ACL"}:
            raise ValueError("--acl and --grants: S3 takes one of the two")
        return cls(arguments, tuple(filters), tuple(ignored))

    @property
    def requester_pays(self) -> bool:
        """Whether the requester is to be billed, which then goes for reading as well."""
        return "RequestPayer" in self.arguments

    def then(self, others: UploadFlags) -> UploadFlags:
        """These and others, which have the last word."""
        replaced = _ACCESS if _ACCESS & others.arguments.keys() else frozenset()
        kept = {name: value for name, value in self.arguments.items() if name not in replaced}
        return UploadFlags({**kept, **others.arguments}, self.filters + others.filters)

    def wants(self, name: str) -> bool:
        """Whether to send a file, by its name below the output folder; the last fit counts."""
        wanted = True
        for include, pattern in self.filters:
            if fnmatchcase(name, pattern):
                wanted = include
        return wanted


def _argument(name: str, value: str) -> Arguments:
    if name == "--metadata":
        return {"Metadata": _metadata(value)}
    return {_WITH_VALUE[name]: _chosen(name, value)}


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise ValueError(f"{text!r} cannot be split into words: {error}") from None


def _value(name: str, words: list[str]) -> str:
    """The value of a flag, taken from the words after it unless it may go without."""
    if name in _ALONE and not (words and not words[0].startswith("--")):
        return _ALONE[name]
    if not words:
        raise ValueError(f"{name} needs a value")
    return words.pop(0)


def _values(words: list[str]) -> list[str]:
    """The values of a flag that takes several, up to the next flag."""
    values = []
    while words and not words[0].startswith("--"):
        values.append(words.pop(0))
    return values


def _chosen(name: str, value: str) -> str:
    choices = _CHOICES.get(name)
    if choices and value not in choices:
        raise ValueError(f"{name} is {value!r}; it must be one of {', '.join(choices)}")
    return value


def _grants(values: list[str]) -> Arguments:
    """The grants of `read=id=1a2b full=uri=http://...`, by their names in S3's requests."""
    found: dict[str, list[str]] = {}
    for value in values:
        permission, _, grantee = value.partition("=")
        if permission not in _PERMISSIONS or "=" not in grantee:
            raise ValueError(
                f"--grants has {value!r}; it must be one of {', '.join(_PERMISSIONS)}, and to "
                "whom, as in read=id=1a2b"
            )
        found.setdefault(_PERMISSIONS[permission], []).append(grantee)
    if not found:
        raise ValueError("--grants needs a value")
    return {name: ",".join(grantees) for name, grantees in found.items()}


def _metadata(value: str) -> dict[str, str]:
    """The names and texts of `a=1,b=2`, or of a JSON object."""
    pairs: object
    if value.lstrip().startswith("{"):
        try:
            pairs = json.loads(value)
        except ValueError as error:
            raise ValueError(f"--metadata is {value!r}, which is not JSON: {error}") from None
    else:
        split = [pair.partition("=") for pair in value.split(",")]
        pairs = {name: text if equals else None for name, equals, text in split}
    if not isinstance(pairs, dict) or not all(map(_is_metadata, pairs.items())):
        raise ValueError(f"--metadata is {value!r}; it must be names and ASCII texts, a=1,b=2")
    if sum(len(name) + len(text) for name, text in pairs.items()) > _METADATA_BYTES:
        raise ValueError(f"--metadata is longer than the {_METADATA_BYTES:,} bytes that S3 takes")
    return pairs


def _is_metadata(pair: tuple[str, object]) -> bool:
    name, text = pair
    return (
        _METADATA_NAME.fullmatch(name) is not None
        and isinstance(text, str)
        and text.isascii()
        and text.isprintable()
    )
