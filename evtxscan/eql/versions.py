"""The order of Elasticsearch's ``version`` field type: semantic versioning, other texts last."""

import re

_VERSION = re.compile(r"([0-9]+(?:\.[0-9]+)*)(?:-([0-9A-Za-z.-]+))?(?:\+([0-9A-Za-z.-]+))?")

VersionKey = tuple[bool, tuple[int, ...], bool, tuple[tuple[bool, int, str], ...], str]


def version_key(text: str) -> VersionKey:
    """Return a key that sorts as the version type does: 1.2.4-SNAPSHOT < 1.2.4 < 1.11.3 < "bad"."""
    match = _VERSION.fullmatch(text) if len(text) <= 256 else None
    if match is None:
        return (True, (), True, (), text)
    numbers, pre_release, build = match.groups()
    return (
        False,
        tuple(int(part) for part in numbers.split(".")),
        pre_release is None,
        tuple(_identifier(part) for part in (pre_release or "").split(".")),
        build or "",
    )


def _identifier(part: str) -> tuple[bool, int, str]:
    """Order the parts of a pre-release: numbers by value, before words."""
    if part.isdigit():
        return (False, int(part), "")
    return (True, 0, part)
