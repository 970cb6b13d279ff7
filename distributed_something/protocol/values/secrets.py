"""What is a secret: a name that says so, or a value in a known form of a token; hide such text.

There is no guess by how random a text looks: barcodes, hashes and sequences are no secrets.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

HIDDEN = "(secret)"  # what is shown in the place of one
SECRETS_VARIABLE = "WORKER_SECRETS"  # names the variables that hold secrets, with commas

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
# A last word that says where a secret is or what kind it is, not what it is.
_ABOUT = re.compile(
    r"NAMES?|ARNS?|FILES?|PATH|DIR|FOLDER|URL|URI|IDS?|LENGTH|COUNT|SIZE|TYPE|MODE|PREFIX|SUFFIX"
    r"|COLUMN|FIELD|BUCKET|VERSION|TTL|METHOD"
)
# Names that hold a secret's word and are none: a file that cloud programs read, and the tokens
# of a language model.
_HARMLESS = re.compile(
    r"GOOGLE_APPLICATION_CREDENTIALS"
    r"|(?:\w+_)?(?:MASK|PAD|EOS|BOS|SEP|CLS|UNK|STOP|START|END|NEXT|MAX|MIN|PER|NUM|N)_TOKEN"
)
_KEYS = (
    "API|ACCESS|SECRET|PRIVATE|SSH|RSA|GPG|ENCRYPTION|DECRYPTION|SIGNING|LICEN[CS]E|AUTH|ACCOUNT"
    "|SUBSCRIPTION|MASTER|DEPLOY|OPENAI|ANTHROPIC|GITHUB|GITLAB|STRIPE|AZURE|WANDB"
)
_LOGINS = (
    "DB|DATABASE|USER|ADMIN|ROOT|LOGIN|FTP|SFTP|SMTP|MAIL|EMAIL|HTTP|PROXY|MYSQL|POSTGRES|PG|MONGO"
    "|REDIS|OMERO|SSH|API|KEY|SERVER|SQL|LDAP|MY"
)
_SECRET_NAME = re.compile(
    r"PASSWORD|PASSWD|PASSPHRASE|PASSCODE|SECRETKEY|ACCESSKEY_ID"
    r"|ACCESS_KEY_ID$|BEARER(?:_|$)|(?:^|_)CRED(?:ENTIAL)?S?(?:_|$)|[A-Z]*SECRETS?(?:_|$)"
    r"|[A-Z]*TOKEN(?:_VALUE|_KEY)?$|(?:^|_)AUTH(?:ORIZATION)?$|_PWD$"
    rf"|(?:^|_)(?:{_KEYS})_?KEYS?(?:_|$)|(?:^|_)(?:{_LOGINS})_?PASS$"
)

# Each form with what it always holds, which is looked for first. The forms are their makers' own.
_WRITTEN: tuple[tuple[tuple[str, ...], str], ...] = (
    # A digit, which nearly all have, tells one from a peptide.
    (("AKIA", "ASIA"), r"(?<![A-Za-z0-9])A[KS]IA(?=[A-Z]{0,15}\d)[A-Z0-9]{16}(?![A-Za-z0-9])"),
    (("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), r"gh[pousr]_[A-Za-z0-9]{36,}"),
    (("github_pat_",), r"github_pat_\w{22,}"),
    (("glpat-",), r"glpat-[\w-]{20,}"),
    (("hf_",), r"(?<![A-Za-z0-9])hf_[A-Za-z0-9]{34,}"),
    (("T3BlbkFJ",), r"(?<![\w-])sk-[\w-]{20,200}T3BlbkFJ[\w-]{20,}"),
    (("sk-proj-", "sk-ant-", "sk-svcacct-"), r"sk-(?:proj|ant|svcacct)-[\w-]{20,}"),
    (("xox",), r"(?<![A-Za-z0-9])xox[abeoprs]-[\w-]{10,}"),
    (("hooks.slack.com/",), r"hooks\.slack\.com/services/[\w/]{20,}"),
    (("AIza",), r"AIza[\w-]{35}"),
    (("ya29.",), r"ya29\.[\w-]{20,}"),
    (("k_live_",), r"[rs]k_live_[A-Za-z0-9]{20,}"),
    (("pypi-AgEI",), r"pypi-AgEI[\w-]{50,}"),
    (("npm_",), r"(?<![A-Za-z0-9])npm_[A-Za-z0-9]{36}"),
    (("dckr_pat_",), r"dckr_pat_[\w-]{20,}"),
    (("SG.",), r"(?<![A-Za-z0-9])SG\.[\w-]{22}\.[\w-]{43}"),
    (("eyJ",), r"(?<![\w-])eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,}"),
    (("earer ",), r"(?i:bearer) (?=[^\s\"']*\d)[\w.~+/=-]{20,}"),
    (("AccountKey=",), r"AccountKey=[A-Za-z0-9+/]{40,}=*"),
    # A user's password in an address, which ends with an @.
    (("@",), r"(?<=://)[^\s/:@'\"<>{}$]+:[^\s/@'\"<>{}$]+(?=@)"),
    (
        ("PRIVATE KEY-----",),
        r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----"
        r"(?:.*?-----END (?:[A-Z]+ )*PRIVATE KEY-----|.*)",
    ),
)
_FORMS = tuple((marks, re.compile(form, re.DOTALL)) for marks, form in _WRITTEN)
_MARK = re.compile("|".join(re.escape(mark) for marks, _ in _FORMS for mark in marks))
# A variable of a secret's name that is given a value, as in a shell's line or a list of variables.
_ASSIGNED = re.compile(
    r"(?<![\w-])([A-Z][A-Z0-9_]*)=(?!(?i:true|false)\b)(\"[^\"$][^\"]*\"|'[^']+'|[^\s'\"${][^\s'\"]*)"
)
_KEY_BEGINS = re.compile(r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----")
_KEY_ENDS = re.compile(r"-----END (?:[A-Z]+ )*PRIVATE KEY-----")

# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/specifying-sensitive-data.html
_REFERENCE = re.compile(
    r"arn:aws[a-z-]*:(?:secretsmanager:[a-z0-9-]+:\d{12}:secret:[\w/+=.@-]+"
    r"(?::[^:\s]*:[^:\s]*:[^:\s]*)?"
    r"|ssm:[a-z0-9-]+:\d{12}:parameter/[\w./-]+)"
)
_SHORTEST = 6  # characters of a secret that is looked for in text: less is found anywhere


@lru_cache(maxsize=4096)
def is_secret_name(name: str) -> bool:
    """Whether what has such a name is likely a secret."""
    words = [word.upper() for word in _WORDS.findall(name[:200])]
    while words and words[-1].isdigit():
        words.pop()
    joined = "_".join(words)
    if not words or _HARMLESS.fullmatch(joined):
        return False
    if _ABOUT.fullmatch(words[-1]) and not joined.endswith(("ACCESS_KEY_ID", "ACCESSKEY_ID")):
        return False
    return bool(_SECRET_NAME.search(joined))


def is_token(value: object) -> bool:
    """Whether a text holds a token in a known form, or gives a variable of a secret's name one."""
    return isinstance(value, str) and redacted(value) != value


def may_hold_token(text: str) -> bool:
    """Whether a longer look at a text is worth it."""
    return bool(_MARK.search(text)) or "=" in text


def is_reference(value: object) -> bool:
    """Whether a text is the ARN of a secret, which holds none: of Secrets Manager or SSM."""
    return isinstance(value, str) and bool(_REFERENCE.fullmatch(value))


def is_secret(name: str, value: object) -> bool:
    """Whether a value is a secret by its name or its form; a switch or nothing is none."""
    if is_reference(value):
        return False
    if isinstance(value, (Mapping, list, tuple)):
        return False  # what is in it is asked about
    if value is None or str(value).lower() in ("", "true", "false"):
        return False
    return is_secret_name(name) or is_token(value)


def find_secrets(value: object, name: str = "") -> Iterator[str]:
    """The names of the secrets in a value, however deep; a list's items have its name."""
    if isinstance(value, Mapping):
        for key, held in value.items():
            yield from find_secrets(held, str(key))
    elif isinstance(value, (list, tuple)):
        for held in value:
            yield from find_secrets(held, name)
    elif is_secret(name, value):
        yield name


def redacted(text: str) -> str:
    """The text, with what has the form of a token, and what is a secret variable's, hidden."""
    if "=" in text:
        text = _ASSIGNED.sub(_hide_assigned, text)
    if _MARK.search(text):
        for marks, form in _FORMS:
            if any(mark in text for mark in marks):
                text = form.sub(HIDDEN, text)
    return text


def _hide_assigned(found: re.Match[str]) -> str:
    name = found[1]
    return f"{name}={HIDDEN}" if is_secret_name(name) and found[2] != HIDDEN else found[0]


def without_secrets(value: Any, name: str = "") -> Any:
    """A value in which secrets are hidden, by name or form; ECS gives names beside values."""
    if isinstance(value, Mapping):
        if isinstance(value.get("name"), str) and "value" in value:
            return {**value, "value": without_secrets(value["value"], value["name"])}
        return {key: without_secrets(held, str(key)) for key, held in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_secrets(held, name) for held in value]
    if is_secret(name, value):
        return HIDDEN
    return value


class Redactor:
    """Hides known secrets, and tokens of known forms, in lines that come one after the other."""

    def __init__(self, secrets: Iterator[str] | tuple[str, ...] = ()) -> None:
        found = {part for secret in secrets for part in _parts(secret)}
        longest_first = sorted(found, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, longest_first))) if found else None
        self._in_key = False

    @classmethod
    def of_environment(cls, variables: Mapping[str, str]) -> Redactor:
        """One that knows the values of a worker's variables that hold secrets."""
        named = variables.get(SECRETS_VARIABLE, "").split(",")
        values = (v for name, v in variables.items() if name in named or is_secret(name, v))
        return cls(tuple(values))

    def text(self, text: str) -> str:
        """A whole text."""
        return redacted(self._known.sub(HIDDEN, text) if self._known else text)

    def line(self, line: str) -> str:
        """One line of many: those of a private key are hidden until its end."""
        if self._in_key:
            self._in_key = not _KEY_ENDS.search(line)
            return HIDDEN
        begins = _KEY_BEGINS.search(line) if "PRIVATE KEY" in line else None
        self._in_key = begins is not None and not _KEY_ENDS.search(line, begins.end())
        return self.text(line)


def _parts(secret: str) -> Iterator[str]:
    """What of a secret would give it away: each line of it, each text in it if it is JSON."""
    texts = secret.splitlines()
    if secret.lstrip().startswith("{"):
        try:
            held = json.loads(secret)
        except (ValueError, RecursionError):
            held = None
        if isinstance(held, dict):
            texts += [str(value) for value in held.values() if not isinstance(value, bool)]
    yield from (text.strip() for text in texts if len(text.strip()) >= _SHORTEST)
