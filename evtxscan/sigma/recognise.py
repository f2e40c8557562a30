"""Tells Sigma rules from other YAML without reading it as such, and whether pySigma is there to convert them."""

from __future__ import annotations

import re
from importlib.util import find_spec

SUFFIXES = (".yml", ".yaml")
EXTRA = "pip install 'evtxscan[sigma]'"
_NEEDED = ("yaml", "sigma.rule", "sigma.backends.elasticsearch")
_RULE = re.compile(rb"^(?:\xef\xbb\xbf)?(?:detection|correlation|filter)[ \t]*:", re.MULTILINE)
_NAMED = re.compile(rb"^(?:\xef\xbb\xbf)?title[ \t]*:", re.MULTILINE)


def is_sigma(raw: bytes) -> bool:
    """Tell whether a file's bytes are those of Sigma rules: a title, and a detection, correlation or filter."""
    return _RULE.search(raw) is not None and _NAMED.search(raw) is not None


def is_available() -> bool:
    """Tell whether what the extra installs is there."""
    try:
        return all(find_spec(name) is not None for name in _NEEDED)
    except ModuleNotFoundError:
        return False
