"""Know the values that config files and fleet files have before anybody has edited them."""

from __future__ import annotations

import re

# Five capitals alike, an account of one digit alone, `your-...`, `<...>`.
_ANY = re.compile(r"([A-Z])\1{4,}|(?<!\d)(\d)\2{11}(?!\d)|^your[-_./]|^<.+>$")
_WITHIN = re.compile(r"[-_/]your[-_]")  # as in `role/your-role`
_BUCKET = re.compile(r"(my-)?bucket(-name)?|example-bucket")
_ADDRESS = re.compile(r"(you|name|user|someone)@(.+\.)?example\.(com|org|net)")
# Docker Hub's pages and upstream's files name a user so.
_IMAGE = re.compile(r"(docker\.io/)?(user|username|your(s|user|username|name|org|lab)?)/")


def is_placeholder(text: str) -> bool:
    """Whether a text of any kind still waits for a value of the reader's own."""
    return bool(_ANY.search(text) or _WITHIN.search(text))


def is_bucket_placeholder(name: str) -> bool:
    """The same for a bucket's name, which may well have `-your-` within."""
    return bool(_ANY.search(name) or _BUCKET.fullmatch(name))


def is_image_placeholder(image: str) -> bool:
    """The same for an image: nobody of ours may push to a repository of `user`."""
    return is_placeholder(image) or bool(_IMAGE.match(image))


def is_address_placeholder(address: str) -> bool:
    """The same for a mail address."""
    return is_placeholder(address) or bool(_ADDRESS.fullmatch(address))
