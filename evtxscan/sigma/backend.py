"""pySigma's EQL backend, with the tests of single fields written as EQL means them.

pySigma's own: a literal ``*`` of a rule becomes a wildcard (EQL has no escape for it); ``re`` passes PCRE on as if it
were Lucene's syntax, anchored and without regard to case; numbers and addresses are compared with ``:``, which takes
text only; a comparison of two fields, a list of expanded values and values without a field are refused or end in
invalid EQL.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Any

from sigma.backends.elasticsearch import EqlBackend
from sigma.conditions import ConditionFieldEqualsValueExpression, ConditionOR
from sigma.conversion.state import ConversionState
from sigma.types import (
    CompareOperators,
    SigmaCasedString,
    SigmaNumber,
    SigmaRegularExpressionFlag,
    SigmaString,
    SpecialChars,
)

from evtxscan.ecs.base import field_type
from evtxscan.sigma.errors import ConversionError
from evtxscan.sigma.regex import UnsupportedRegexError, literal, to_lucene
from evtxscan.sigma.tables import expressions

_IDENTIFIER = re.compile(r"[A-Za-z_@][A-Za-z0-9_@]*")
_ESCAPES = str.maketrans({
    "\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f",
})  # fmt: skip
_GLOBS = {SpecialChars.WILDCARD_MULTI: "*", SpecialChars.WILDCARD_SINGLE: "?"}
_REGEXPS = {SpecialChars.WILDCARD_MULTI: ".*", SpecialChars.WILDCARD_SINGLE: "."}
_COMPARISONS = {
    CompareOperators.LT: "<",
    CompareOperators.LTE: "<=",
    CompareOperators.GT: ">",
    CompareOperators.GTE: ">=",
    CompareOperators.NEQ: "!=",
}
_KEYWORDS = frozenset(["and", "any", "by", "false", "in", "join", "like", "maxspan", "not", "null", "of", "or", "regex",
                       "sample", "sequence", "true", "until", "where", "with"])  # fmt: skip


def quoted(text: str) -> str:
    """Return an EQL string."""
    escaped = text.translate(_ESCAPES)
    if not escaped.isprintable():
        escaped = "".join(c if c.isprintable() else f"\\u{{{ord(c):x}}}" for c in escaped)
    return f'"{escaped}"'


def field_name(path: str) -> str:
    """Return a field as EQL writes it: the expression of one that is computed, back ticks where they are needed."""
    if path in expressions():
        return expressions()[path]
    parts = (
        part if _IDENTIFIER.fullmatch(part) and part not in _KEYWORDS else "`" + part.replace("`", "``") + "`"
        for part in path.split(".")
    )
    return ".".join(parts)


class CaseEql(EqlBackend):  # type: ignore[misc]
    """Writes conditions; what stands around them (``any where``, the log source) is not its job."""

    def escape_and_quote_field(self, path: str) -> str:
        """Return a field as EQL writes it."""
        return field_name(path)

    def decide_convert_condition_as_in_expression(self, cond: Any, state: ConversionState) -> bool:
        """Say whether alternatives are written as one list: texts without special cases, of one field."""
        return (
            isinstance(cond, ConditionOR)
            and len(cond.args) > 1
            and all(
                isinstance(arg, ConditionFieldEqualsValueExpression) and arg.field == cond.args[0].field
                for arg in cond.args
            )
            and field_type(cond.args[0].field) == "keyword"
            and all(_fits_a_list(arg.value) for arg in cond.args)
        )

    def convert_condition_as_in_expression(self, cond: Any, state: ConversionState) -> str:
        """Write alternatives as one list."""
        texts = (str(arg.value.number) if isinstance(arg.value, SigmaNumber) else _glob(arg.value) for arg in cond.args)
        values = ", ".join(map(quoted, texts))
        return f"{field_name(cond.args[0].field)} : ({values})"

    def convert_condition_field_eq_expansion(self, cond: Any, state: ConversionState) -> Any:
        """Write the values that a modifier made of one."""
        tests = ConditionOR(
            [ConditionFieldEqualsValueExpression(cond.field, value) for value in cond.value.values], cond.source
        )
        return f"({self.convert_condition(tests, state)})"

    def convert_condition_field_eq_val_str(self, cond: Any, state: ConversionState) -> str:
        """Write a comparison with a text, which ignores case."""
        return _text_test(cond.field, cond.value, insensitive=True)

    def convert_condition_field_eq_val_str_case_sensitive(self, cond: Any, state: ConversionState) -> str:
        """Write a comparison with a text whose case counts."""
        return _text_test(cond.field, cond.value, insensitive=False)

    def convert_condition_field_eq_val_num(self, cond: Any, state: ConversionState) -> str:
        """Write a comparison with a number; fields that keep numbers as text are compared as text."""
        number = cond.value.number
        value = str(number) if field_type(cond.field) in ("long", "double") else quoted(str(number))
        return f"{field_name(cond.field)} == {value}"

    def convert_condition_field_eq_val_bool(self, cond: Any, state: ConversionState) -> str:
        """Write a comparison with true or false; event data has them as text."""
        word = str(cond.value.boolean).lower()
        return f"{field_name(cond.field)} " + (f"== {word}" if field_type(cond.field) == "boolean" else f': "{word}"')

    def convert_condition_field_eq_val_re(self, cond: Any, state: ConversionState) -> str:
        """Write a test for a regular expression."""
        regexp = cond.value
        if SigmaRegularExpressionFlag.MULTILINE in regexp.flags:
            raise ConversionError("regular expressions over several lines (re|m) are not supported")
        try:
            pattern, insensitive = to_lucene(
                str(regexp.regexp),
                insensitive=SigmaRegularExpressionFlag.IGNORECASE in regexp.flags,
                dot_all=SigmaRegularExpressionFlag.DOTALL in regexp.flags,
            )
        except UnsupportedRegexError as error:
            raise ConversionError(f"a regular expression that Lucene cannot express: {error}") from None
        return f"{_text(cond.field)} regex{'~' if insensitive else ''} {quoted(pattern)}"

    def convert_condition_field_eq_val_cidr(self, cond: Any, state: ConversionState) -> str:
        """Write a test for a network."""
        return f"cidrMatch({field_name(cond.field)}, {quoted(str(cond.value.network))})"

    def convert_condition_field_compare_op_val(self, cond: Any, state: ConversionState) -> str:
        """Write a comparison by size."""
        comparison = cond.value
        field = field_name(cond.field)
        operand = field if field_type(cond.field) in ("long", "double") else f"number({field})"
        return f"{operand} {_COMPARISONS[comparison.op]} {comparison.number.number}"

    def convert_condition_field_eq_field(self, cond: Any, state: ConversionState) -> str:
        """Write a comparison of two fields: EQL has no ``==`` for it, but functions take two."""
        reference = cond.value
        # pySigma's pipeline gives fields without a mapping their prefix, but not where a value refers to them.
        referred = reference.field if "." in reference.field else f"winlog.event_data.{reference.field}"
        ours, other = _text(cond.field), _text(referred)
        if reference.starts_with and reference.ends_with:
            return f"stringContains~({ours}, {other})"
        if reference.starts_with:
            return f"startsWith~({ours}, {other})"
        if reference.ends_with:
            return f"endsWith~({ours}, {other})"
        return f"(startsWith~({ours}, {other}) and startsWith~({other}, {ours}))"

    def convert_condition_field_eq_val_null(self, cond: Any, state: ConversionState) -> str:
        """Write a test for a field that is not there."""
        return f"{field_name(cond.field)} == null"

    def convert_condition_field_exists(self, cond: Any, state: ConversionState) -> str:
        """Write a test for a field that is there."""
        return f"{field_name(cond.field)} != null"

    def convert_condition_not(self, cond: Any, state: ConversionState) -> str:
        """Write a negation."""
        return f"not ({self.convert_condition(cond.args[0], state)})"

    def convert_condition_val(self, cond: Any, state: ConversionState) -> str:
        """Refuse values that no step has bound to fields."""
        raise ConversionError("it searches for a value without naming a field, which EQL cannot")

    def finalize_query_default(self, rule: Any, query: Any, index: int, state: ConversionState) -> Any:
        """Return the condition alone."""
        return query


def _fits_a_list(value: object) -> bool:
    if isinstance(value, SigmaNumber):
        return True
    return isinstance(value, SigmaString) and not isinstance(value, SigmaCasedString) and not _has_literal_glob(value)


def _text(path: str) -> str:
    """Return a field as text: operators on text do not take numbers and addresses."""
    name = field_name(path)
    return name if field_type(path) == "keyword" else f"string({name})"


def _text_test(path: str, value: SigmaString, *, insensitive: bool) -> str:
    kind, is_plain = field_type(path), not value.contains_special()
    text = _glob(value) if is_plain else ""
    if kind == "ip" and is_plain and _is_address(text):
        return f"{field_name(path)} == {quoted(text)}"
    if kind == "long" and is_plain and text.isdecimal():
        return f"{field_name(path)} == {int(text)}"
    if kind == "boolean" and is_plain and text.lower() in ("true", "false"):
        return f"{field_name(path)} == {text.lower()}"
    if _has_literal_glob(value):
        return f"{_text(path)} regex{'~' if insensitive else ''} {quoted(_regexp(value))}"
    if insensitive:
        return f"{_text(path)} : {quoted(_glob(value))}"
    return f"{_text(path)} {'==' if is_plain else 'like'} {quoted(_glob(value))}"


def _has_literal_glob(value: SigmaString) -> bool:
    return any(isinstance(part, str) and ("*" in part or "?" in part) for part in value.s)


def _parts(value: SigmaString) -> list[str | SpecialChars]:
    """Return texts and wildcards. Raises ConversionError for a placeholder."""
    if unknown := [part for part in value.s if not isinstance(part, str | SpecialChars)]:
        name = getattr(unknown[0], "name", unknown[0])
        raise ConversionError(f"the placeholder %{name}% has no values here")
    return list(value.s)


def _glob(value: SigmaString) -> str:
    return "".join(part if isinstance(part, str) else _GLOBS[part] for part in _parts(value))


def _regexp(value: SigmaString) -> str:
    return "".join(literal(part) if isinstance(part, str) else _REGEXPS[part] for part in _parts(value))


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
