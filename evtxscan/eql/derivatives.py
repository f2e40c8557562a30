"""Regular languages and their derivatives (Brzozowski 1964): the algebra behind the ``regex`` operator.

A node is a hashable tuple in a canonical form, so that a language met again is the same state. The derivative of a
language by a character is what may follow after that character.
"""

from collections.abc import Iterable, Iterator
from math import prod
from typing import Any

from evtxscan.eql.scalars import fold_ascii

Node = tuple[Any, ...]
Range = tuple[str, str]

_CHARS, _CONCAT, _EITHER, _BOTH, _NOT, _REPEAT = "chars", "concat", "either", "both", "not", "repeat"
_LAST = chr(0x10FFFF)

# Required texts are worth looking for while they are few.
_MOST_TEXTS = 64
_FEW_LETTERS = 8
_MOST_WAYS, _TOO_MANY = 10**9, 64

NOTHING: Node = ("nothing",)
"""The language without any text."""
EMPTY: Node = ("empty",)
"""The language of the empty text alone."""
ANYTHING: Node = ("anything",)
"""The language of all texts."""
ANY_CHAR: Node = (_CHARS, (("\0", _LAST),))
"""Any one character."""


def chars(ranges: Iterable[Range]) -> Node:
    """One character out of some ranges."""
    merged: list[Range] = []
    for low, high in sorted(ranges):
        if merged and ord(low) <= ord(merged[-1][1]) + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], high))
        else:
            merged.append((low, high))
    return (_CHARS, tuple(merged)) if merged else NOTHING


def outside(ranges: Iterable[Range]) -> list[Range]:
    """Return the ranges of all characters that lie in none of ``ranges``."""
    node = chars(ranges)
    rest, start = [], 0
    for low, high in node[1] if node is not NOTHING else ():
        if start < ord(low):
            rest.append((chr(start), chr(ord(low) - 1)))
        start = ord(high) + 1
    if start <= 0x10FFFF:
        rest.append((chr(start), _LAST))
    return rest


def concat(nodes: Iterable[Node]) -> Node:
    """One language after the other."""
    flat: list[Node] = []
    for node in nodes:
        if node is NOTHING:
            return NOTHING
        if node is EMPTY or (node is ANYTHING and flat and flat[-1] is ANYTHING):
            continue
        if node[0] == _CONCAT:
            flat.extend(node[1][1:] if node[1][0] is ANYTHING and flat and flat[-1] is ANYTHING else node[1])
        else:
            flat.append(node)
    if not flat:
        return EMPTY
    return flat[0] if len(flat) == 1 else (_CONCAT, tuple(flat))


def either(nodes: Iterable[Node]) -> Node:
    """The union of languages."""
    members: set[Node] = set()
    for node in nodes:
        if node is ANYTHING:
            return ANYTHING
        if node is not NOTHING:
            members.update(node[1] if node[0] == _EITHER else (node,))
    return _set(_EITHER, members, NOTHING)


def both(nodes: Iterable[Node]) -> Node:
    """The intersection of languages."""
    members: set[Node] = set()
    for node in nodes:
        if node is NOTHING:
            return NOTHING
        if node is not ANYTHING:
            members.update(node[1] if node[0] == _BOTH else (node,))
    return _set(_BOTH, members, ANYTHING)


def _set(kind: str, members: set[Node], none: Node) -> Node:
    if not members:
        return none
    return next(iter(members)) if len(members) == 1 else (kind, frozenset(members))


def complement(node: Node) -> Node:
    """All texts that are not in the language."""
    if node is NOTHING:
        return ANYTHING
    if node is ANYTHING:
        return NOTHING
    return node[1] if node[0] == _NOT else (_NOT, node)


def repeat(node: Node, low: int, high: int | None) -> Node:
    """``low`` to ``high`` (None: any number) texts of the language, one after the other."""
    if high == 0 or node is EMPTY:
        return EMPTY
    if node is NOTHING:
        return EMPTY if low == 0 else NOTHING
    if (low, high) == (1, 1) or node is ANYTHING:
        return node
    if node == ANY_CHAR and (low, high) == (0, None):
        return ANYTHING
    if node == ANY_CHAR and (low, high) == (1, None):
        return concat([ANY_CHAR, ANYTHING])
    return (_REPEAT, node, low, high)


def number_range(low: str, high: str) -> Node:
    """The decimal numbers from ``low`` to ``high``, both of one length and written with that many digits."""
    if not low:
        return EMPTY
    if low[0] == high[0]:
        return concat([chars([(low[0], low[0])]), number_range(low[1:], high[1:])])
    rest = len(low) - 1
    digits = repeat(chars([("0", "9")]), rest, rest)
    branches = [
        concat([chars([(low[0], low[0])]), number_range(low[1:], "9" * rest)]),
        concat([chars([(high[0], high[0])]), number_range("0" * rest, high[1:])]),
    ]
    if ord(high[0]) - ord(low[0]) > 1:
        branches.append(concat([chars([(chr(ord(low[0]) + 1), chr(ord(high[0]) - 1))]), digits]))
    return either(branches)


def nullable(node: Node) -> bool:
    """Tell whether the empty text is in the language."""
    kind = node[0]
    if kind in (_CONCAT, _BOTH):
        return all(map(nullable, node[1]))
    if kind == _EITHER:
        return any(map(nullable, node[1]))
    if kind == _NOT:
        return not nullable(node[1])
    if kind == _REPEAT:
        return node[2] == 0 or nullable(node[1])
    return node is EMPTY or node is ANYTHING


def derivative(node: Node, char: str) -> Node:
    """Return the language of what may follow ``char`` in the texts that begin with it."""
    kind = node[0]
    if kind == _CHARS:
        return EMPTY if any(low <= char <= high for low, high in node[1]) else NOTHING
    if kind == _CONCAT:
        return _derivative_of_concat(node[1], char)
    if kind == _EITHER:
        return either([derivative(item, char) for item in node[1]])
    if kind == _BOTH:
        return both([derivative(item, char) for item in node[1]])
    if kind == _NOT:
        return complement(derivative(node[1], char))
    if kind == _REPEAT:
        _, item, low, high = node
        rest = repeat(item, max(low - 1, 0), None if high is None else high - 1)
        return concat([derivative(item, char), rest])
    return ANYTHING if node is ANYTHING else NOTHING


def _derivative_of_concat(items: tuple[Node, ...], char: str) -> Node:
    branches = []
    for index, item in enumerate(items):
        branches.append(concat([derivative(item, char), *items[index + 1 :]]))
        if not nullable(item):
            break
    return either(branches)


def boundaries(node: Node) -> list[str]:
    """Return, sorted, the characters at which the languages in ``node`` begin to differ; the first is NUL."""
    edges = {"\0"}
    pending = [node]
    while pending:
        item = pending.pop()
        if item[0] == _CHARS:
            edges.update(low for low, _ in item[1])
            edges.update(chr(ord(high) + 1) for _, high in item[1] if high < _LAST)
        elif item[0] in (_CONCAT, _EITHER, _BOTH):
            pending.extend(item[1])
        elif item[0] in (_NOT, _REPEAT):
            pending.append(item[1])
    return sorted(edges)


def required_texts(node: Node) -> frozenset[str]:
    """Return texts in lower case (A to Z) of which every match, folded, contains one; none where that is not known."""
    exact = _exact(node)
    if exact is not None:
        return exact if all(exact) else frozenset()
    kind = node[0]
    if kind == _REPEAT:
        return required_texts(node[1]) if node[2] else frozenset()
    if kind == _EITHER:
        found = [required_texts(item) for item in node[1]]
        joined = frozenset[str]().union(*found)
        return joined if all(found) and len(joined) <= _MOST_TEXTS else frozenset()
    if kind == _BOTH:
        return _best(map(required_texts, node[1]))
    return _best(_runs(node[1])) if kind == _CONCAT else frozenset()


def _runs(items: Iterable[Node]) -> Iterator[frozenset[str]]:
    """Yield what must stand in a match: for each run of items that are a few texts these, else what the item needs."""
    run = frozenset({""})
    for item in items:
        exact = _exact(item)
        if exact is not None and len(run) * len(exact) <= _MOST_TEXTS:
            run = frozenset(one + other for one in run for other in exact)
            continue
        yield run
        run = frozenset({""}) if exact is None else exact
        if exact is None:
            yield required_texts(item)
    yield run


def _best(choices: Iterable[frozenset[str]]) -> frozenset[str]:
    """Return the choice whose shortest text is the longest."""
    return max(
        (choice for choice in choices if choice and all(choice)),
        key=lambda choice: (min(map(len, choice)), -len(choice), sorted(choice)),
        default=frozenset(),
    )


def _exact(node: Node) -> frozenset[str] | None:
    """Return the texts of a language, folded, if there are few."""
    kind = node[0]
    if node is EMPTY:
        return frozenset({""})
    if kind == _CHARS:
        letters = [low for low, high in node[1] if low == high]
        few = len(letters) == len(node[1]) <= _FEW_LETTERS
        return frozenset(map(fold_ascii, letters)) if few else None
    if kind == _EITHER:
        found = [_exact(item) for item in node[1]]
        texts = frozenset[str]().union(*(texts for texts in found if texts is not None))
        return texts if None not in found and len(texts) <= _MOST_TEXTS else None
    if kind == _CONCAT:
        texts = frozenset({""})
        for item in node[1]:
            exact = _exact(item)
            if exact is None or len(texts) * len(exact) > _MOST_TEXTS:
                return None
            texts = frozenset(one + other for one in texts for other in exact)
        return texts
    return None


def as_python(node: Node, steps: int) -> tuple[str, int]:
    """Return a pattern for ``re.fullmatch`` with DOTALL, and the length of texts on which it takes at most ``steps``.

    A language of these operators has one meaning, so that the two engines agree. 0: Python has no words for it, or may
    take long even for short texts.
    """
    pattern, (ways, endless) = _python(node), _ways(node)
    if pattern is None or ways * 2**endless > steps:
        return "", 0
    return pattern, int((steps / ways) ** (1 / max(endless, 1)))


def _ways(node: Node) -> tuple[int, int]:
    """Return in how many ways a text can be split among the parts of an expression, at most: a times n to the b.

    n is the length of the text. A repetition without an end inside another one is told as b that no text is short for.
    """
    kind = node[0]
    if node is ANYTHING:
        return 1, 1
    if kind == _REPEAT:
        _, item, low, high = node
        inside, endless = _ways(item)
        if high is None:
            return (1, 1) if (inside, endless) == (1, 0) else (1, _TOO_MANY)
        if endless:
            return 1, _TOO_MANY
        return (high - low + 1) * min(inside**high, _MOST_WAYS), 0
    if kind == _CONCAT:
        # What may be anything at the end takes all that is left, at once.
        found = [_ways(item) for item in (node[1][:-1] if node[1][-1] is ANYTHING else node[1])]
        return min(prod(ways for ways, _ in found), _MOST_WAYS), sum(endless for _, endless in found)
    if kind == _EITHER:
        found = [_ways(item) for item in node[1]]
        return min(sum(ways for ways, _ in found), _MOST_WAYS), max(endless for _, endless in found)
    return 1, 0


def _python(node: Node) -> str | None:
    kind = node[0]
    if node is ANYTHING:
        return ".*"
    if node is EMPTY:
        return ""
    if kind == _CHARS:
        return f"[{''.join(f'{_escaped(low)}-{_escaped(high)}' for low, high in node[1])}]"
    if kind == _REPEAT:
        inside = _python(node[1])
        high = "" if node[3] is None else node[3]
        return None if inside is None else f"(?:{inside}){{{node[2]},{high}}}"
    if kind not in (_CONCAT, _EITHER):
        return None
    parts = [part for item in node[1] if (part := _python(item)) is not None]
    if len(parts) < len(node[1]):
        return None
    return "".join(parts) if kind == _CONCAT else f"(?:{'|'.join(sorted(parts))})"


def _escaped(char: str) -> str:
    return f"\\U{ord(char):08x}"
