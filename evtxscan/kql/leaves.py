"""Makes the tests of a field that KQL and the Query DSL ask for, by the type of the field.

What Elasticsearch does, and so do these tests (source: how kbn-es-query translates ``is`` and ``range``, and the field
types of Elasticsearch):

- ``keyword``: a value is compared whole, character by character and with its case. So is a pattern: the detection
  engine of Kibana never asks for another case, and a pattern with spaces in it is one pattern.
- ``name.caseless``: values, constants and patterns are lowered before that, character by character.
- ``text``: a quoted value is a phrase, an unquoted one matches where any of its tokens stands (a ``match`` query), and
  a pattern has to match one whole token. None of them reaches from one value of an array into the next.
- Numbers, booleans, dates (a constant means its whole interval), addresses (a constant may be a network) are read as
  such; a pattern for one of these is an error, as it is in Elasticsearch.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from evtxscan.eql.ast import Expr, Field, Literal, Match, Scalar
from evtxscan.eql.mapping import FieldMapping, Type
from evtxscan.eql.matchers import equal_to, in_order
from evtxscan.eql.matchers import exists as is_there
from evtxscan.eql.patterns import glob_set
from evtxscan.eql.predicates import Constant, Leaf, LeafKind, Predicate, any_of
from evtxscan.eql.scalars import as_text, fold_ascii
from evtxscan.kql.analysis import Analyzer, analyzer_of, lower_case, powershell_tokens, text_fields
from evtxscan.kql.wildcards import Pattern, matcher

CASELESS = ".caseless"
"""The lower-cased sub-field that Elastic Defend's mapping adds to some keywords."""
_WITHOUT_PATTERNS = frozenset([Type.LONG, Type.DOUBLE, Type.BOOLEAN, Type.DATE, Type.IP])

TextTest = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Written:
    """Where and how a test was written; ``source`` is the text that findings show."""

    start: int
    end: int
    source: str


@dataclass(frozen=True, slots=True)
class LeafMaker:
    """Makes tests against one mapping. All raise ValueError that says why a constant cannot be one of the field's.

    A field that the mapping says does not exist has no values: Elasticsearch answers no, without an error.
    """

    mapping: FieldMapping

    def target(self, path: str) -> str:
        """Return the field whose values a path tests: itself, or what it is a sub-field of."""
        return path.removesuffix(CASELESS)

    def type_of(self, path: str) -> Type:
        """Return the type of a field; texts of event logs are texts whatever a mapping leaves open."""
        given = self.mapping.type_of(path)
        return Type.TEXT if given is Type.UNKNOWN and path in text_fields() else given

    def exists(self, written: Written, path: str) -> Predicate:
        """Test that the field has a value."""
        return self._leaf(LeafKind.EXISTS, written, path, is_there)

    def equal(self, written: Written, path: str, values: Sequence[str], *, insensitive: bool = False) -> Predicate:
        """Test for one of some values; of a text, for one of the values' tokens."""
        kind = self.type_of(path)
        if path.endswith(CASELESS):
            wanted = frozenset(map(lower_case, values))
            return self._script(written, path, "caseless", values, lambda text: lower_case(text) in wanted)
        if kind is Type.TEXT:
            return self._any_token(written, path, values)
        holds = equal_to(kind, values, insensitive)
        return self._leaf(
            LeafKind.EQUAL, written, path, holds, constants=values, operator="==", insensitive=insensitive
        )

    def phrase(self, written: Written, path: str, values: Sequence[str]) -> Predicate:
        """Test for one of some quoted values: of a text, tokens that stand one after the other."""
        if self.type_of(path) is not Type.TEXT or path.endswith(CASELESS):
            return self.equal(written, path, values)
        analyze = analyzer_of(path)
        phrases = tuple(tokens for value in values if (tokens := tuple(analyze(value))))
        if not phrases:
            return Constant(False)
        constants = tuple(map(" ".join, phrases))
        test = _phrase_test(phrases, analyze)
        literals = _literals(analyze, _longest_tokens(phrases))
        return self._script(written, path, "phrase", constants, test, kind=Type.TEXT, literals=literals)

    def pattern(
        self, written: Written, path: str, patterns: Sequence[Pattern], *, insensitive: bool = False
    ) -> Predicate:
        """Test for one of some patterns."""
        kind = self.type_of(path)
        if kind in _WITHOUT_PATTERNS:
            raise ValueError(f"{path} is {kind}; wildcards are for texts only")
        constants = tuple(pattern.written for pattern in patterns)
        if path.endswith(CASELESS):
            lowered = matcher([pattern.mapped(lower_case) for pattern in patterns])
            return self._script(written, path, "caseless pattern", constants, lambda text: lowered(lower_case(text)))
        if kind is Type.TEXT:
            if any(map(str.isspace, "".join(pattern.written for pattern in patterns))):
                raise ValueError(f"{path} is text, where a pattern is for one word; it cannot have a space")
            analyze, fits = analyzer_of(path), matcher([pattern.mapped(lower_case) for pattern in patterns])
            test: TextTest = lambda text: any(map(fits, analyze(text)))  # noqa: E731 - typed here
            literals = _literals(analyze, [pattern.mapped(lower_case).longest_text for pattern in patterns])
            return self._script(written, path, "pattern", constants, test, kind=Type.TEXT, literals=literals)
        return any_of([*self._globs(written, path, patterns, insensitive)])

    def order(self, written: Written, path: str, operator: str, value: str) -> Predicate:
        """Test for ``< <= > >=``."""
        kind = self.type_of(path)
        if kind is Type.TEXT or path.endswith(CASELESS):
            raise ValueError(f"{path} is text, which has no order")
        holds = in_order(kind, operator, value)
        return self._leaf(LeafKind.ORDER, written, path, holds, constants=(value,), operator=operator)

    def _globs(
        self, written: Written, path: str, patterns: Sequence[Pattern], insensitive: bool
    ) -> Iterable[Predicate]:
        """Make one test of the patterns that EQL has too, which are fast in bulk, and one of the others."""
        globs = tuple(glob for pattern in patterns if (glob := pattern.glob) is not None)
        if globs:
            compiled = glob_set(globs, insensitive)
            yield self._leaf(
                LeafKind.GLOB,
                written,
                path,
                lambda value: value is not None and compiled.matches(as_text(value)),
                constants=globs,
                insensitive=insensitive,
                many=compiled.match_many,
            )
        others = [pattern for pattern in patterns if pattern.glob is None]
        if others:
            constants = tuple(pattern.written for pattern in others)
            operator = "pattern in any case" if insensitive else "pattern"
            literals = [pattern.longest_text for pattern in others]
            yield self._script(written, path, operator, constants, matcher(others, insensitive), literals=literals)

    def _any_token(self, written: Written, path: str, values: Sequence[str]) -> Predicate:
        analyze = analyzer_of(path)
        wanted = frozenset(token for value in values for token in analyze(value))
        if not wanted:
            return Constant(False)
        tokens = tuple(sorted(wanted))
        test = _phrase_test([(token,) for token in tokens], analyze)
        literals = _literals(analyze, tokens)
        return self._script(written, path, "phrase", tokens, test, kind=Type.TEXT, literals=literals)

    def _script(
        self,
        written: Written,
        path: str,
        operator: str,
        constants: Sequence[str],
        test: TextTest,
        *,
        kind: Type | None = None,
        literals: Sequence[str] = (),
    ) -> Predicate:
        return self._leaf(
            LeafKind.SCRIPT,
            written,
            path,
            lambda value: value is not None and test(as_text(value)),
            constants=constants,
            operator=operator,
            kind=kind,
            literals=tuple(literals) if all(literals) else (),
        )

    def _leaf(
        self,
        kind_of_test: LeafKind,
        written: Written,
        path: str,
        holds: Callable[[Scalar | None], bool],
        *,
        constants: Sequence[Scalar] = (),
        operator: str = "",
        insensitive: bool = False,
        many: Callable[[Iterable[str]], list[bool]] | None = None,
        kind: Type | None = None,
        literals: tuple[str, ...] = (),
    ) -> Predicate:
        field = self.target(path)
        if not self.mapping.exists(field):
            return Constant(False)
        types = (kind or self.mapping.type_of(field),)
        expr = _expr(written, path, constants)
        given = tuple(constants)
        return Leaf(
            kind_of_test, (field,), types, expr, written.source, holds, given, operator, insensitive, many, literals
        )


def _expr(written: Written, path: str, constants: Sequence[Scalar]) -> Expr:
    start, end = written.start, written.end
    literals = tuple(Literal(start, end, constant) for constant in constants)
    return Match(start, end, ":", False, Field(start, end, path), literals)


def _longest_tokens(phrases: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """Return for each phrase a token that its matches contain."""
    return tuple(max(phrase, key=len) for phrase in phrases)


def _literals(analyze: Analyzer, texts: Sequence[str]) -> tuple[str, ...]:
    """Return parts of tokens as texts to look for in values, if an analyzer changes nothing but the case of A to Z.

    The tokens of others need not stand in the value: the Kelvin sign becomes a k.
    """
    return tuple(texts) if analyze is powershell_tokens else ()


def _phrase_test(phrases: Sequence[tuple[str, ...]], analyze: Analyzer) -> TextTest:
    """Return the test whether the tokens of a text hold those of one of the phrases, in a row."""
    wanted = tuple(dict.fromkeys(f" {' '.join(phrase)} " for phrase in phrases))
    # Searching for one token costs far less than cutting up a script. Only ASCII tokens of ASCII texts: there, no
    # character but its capital can be lowered to one of the token.
    hints = _longest_tokens(phrases)

    def test(text: str) -> bool:
        if text.isascii():
            folded = fold_ascii(text)
            if not any(hint in folded for hint in hints):
                return False
        tokens = f" {' '.join(analyze(text))} "
        return any(phrase in tokens for phrase in wanted)

    return test
