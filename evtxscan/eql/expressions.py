"""Reads expressions: a parser by operator precedence, with a bound on nesting in place of a RecursionError."""

from evtxscan.eql.ast import And, Arith, Call, Compare, Expr, Field, Literal, Match, Membership, Negate, Not, Or
from evtxscan.eql.lexer import Token, tokenize
from evtxscan.eql.source import error_at, unsupported_at
from evtxscan.errors import EqlError, EqlUnsupportedError

MAX_NESTING = 100
"""Levels of parentheses, calls and right-hand sides; far below Python's own limit, far above any real rule."""

_OR, _AND, _NOT, _COMPARISON, _SUM, _PRODUCT, _SIGN = range(1, 8)
_COMPARISONS = frozenset(["==", "!=", "<", "<=", ">", ">="])
_PATTERN_OPERATORS = {
    ":": (":", True),
    "like": ("like", False),
    "like~": ("like", True),
    "regex": ("regex", False),
    "regex~": ("regex", True),
}
_CONSTANTS = {"null": None, "true": True, "false": False}


class ExpressionParser:
    """A cursor over the tokens of ``text`` with the rules for expressions and fields."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._tokens = tokenize(text)
        self._index = 0
        self._depth = 0

    @property
    def current(self) -> Token:
        """The token not read yet."""
        return self._tokens[self._index]

    @property
    def last_end(self) -> int:
        """Where the token read last ends."""
        return self._tokens[self._index - 1].end if self._index else 0

    def peek(self) -> Token:
        """Return the token after the current one."""
        return self._tokens[min(self._index + 1, len(self._tokens) - 1)]

    def advance(self) -> Token:
        """Read one token; at the end stay there."""
        token = self.current
        if token.kind != "end":
            self._index += 1
        return token

    def at(self, text: str) -> bool:
        """Tell whether the current token is this keyword or symbol (a string or quoted name never is)."""
        return self.current.text == text

    def accept(self, text: str) -> bool:
        """Read the current token if it is this keyword or symbol."""
        if self.at(text):
            self._index += 1
            return True
        return False

    def expect(self, text: str) -> Token:
        """Read this symbol or raise."""
        if not self.at(text):
            raise self.error(f"expected [{text}]")
        return self.advance()

    def expect_end(self) -> None:
        """Raise if anything is left."""
        if self.at("="):
            raise self.error_from(self.current.start, "unexpected [=]; write == to compare")
        if self.current.kind != "end":
            raise self.error("expected the end of the query or an operator")

    def error(self, message: str, token: Token | None = None) -> EqlError:
        """Make the error for ``token`` (default: the current one), naming what was found."""
        token = token or self.current
        found = "the end" if token.kind == "end" else f"[{token.text[:40]}]"
        return error_at(self.text, token.start, f"{message}; found {found}")

    def error_from(self, offset: int, message: str) -> EqlError:
        """Make the error for a place already read."""
        return error_at(self.text, offset, message)

    def unsupported(self, message: str, token: Token | None = None) -> EqlUnsupportedError:
        """Make the error for a construct that is EQL but does not run here."""
        return unsupported_at(self.text, (token or self.current).start, message)

    def expression(self) -> Expr:
        """Read one expression."""
        return self._expression(_OR)

    def _expression(self, level: int) -> Expr:
        """Read operators that bind as tightly as ``level`` or tighter."""
        self._depth += 1
        if self._depth > MAX_NESTING:
            raise self.error_from(self.current.start, f"expression is nested more than {MAX_NESTING} levels deep")
        start = self.current.start
        left = self._prefix(level)
        if level <= _PRODUCT:
            left = self._chain(start, left, _PRODUCT, ("*", "/", "%"))
        if level <= _SUM:
            left = self._chain(start, left, _SUM, ("+", "-"))
        if level <= _COMPARISON:
            left = self._comparison(start, left)
        if level <= _AND:
            left = self._logic(start, left, _AND, "and")
        if level <= _OR:
            left = self._logic(start, left, _OR, "or")
        self._depth -= 1
        return left

    def _chain(self, start: int, first: Expr, level: int, operators: tuple[str, ...]) -> Expr:
        rest: list[tuple[str, Expr]] = []
        while self.current.kind == "symbol" and self.current.text in operators:
            operator = self.advance().text
            rest.append((operator, self._expression(level + 1)))
        return Arith(start, self.last_end, first, tuple(rest)) if rest else first

    def _comparison(self, start: int, left: Expr) -> Expr:
        if self.current.text not in _COMPARISONS:
            return left
        operator = self.advance().text
        right = self._expression(_COMPARISON + 1)
        if self.current.text in _COMPARISONS:
            raise self.error("comparisons cannot be chained; write a < b and b < c")
        return Compare(start, self.last_end, operator, left, right)

    def _logic(self, start: int, first: Expr, level: int, word: str) -> Expr:
        items = [first]
        while self.accept(word):
            items.append(self._expression(level + 1))
        if len(items) == 1:
            return first
        node = And if word == "and" else Or
        return node(start, self.last_end, tuple(items))

    def _prefix(self, level: int) -> Expr:
        token = self.current
        if token.text == "not":
            if level > _NOT:
                raise self.error_from(token.start, "unexpected [not]; put the negated part in parentheses")
            self.advance()
            item = self._expression(_NOT)
            return Not(token.start, self.last_end, item)
        if token.text == "-":
            self.advance()
            return self._negative(token.start, self._expression(_SIGN))
        if token.text == "+":
            self.advance()
            return self._expression(_SIGN)
        return self._operand()

    def _negative(self, start: int, operand: Expr) -> Expr:
        if isinstance(operand, Literal) and type(operand.value) in (int, float):
            return Literal(start, operand.end, -operand.value)  # type: ignore[operator]
        return Negate(start, self.last_end, operand)

    def _operand(self) -> Expr:
        start = self.current.start
        value = self._primary()
        negated = self.at("not") and self.peek().text in ("in", "in~")
        if self.at("not") and self.peek().text in _PATTERN_OPERATORS:
            raise self.error_from(start, f"write 'not' before the field: not ... {self.peek().text} ...")
        if negated:
            self.advance()
        token = self.current
        if token.text in ("in", "in~"):
            self.advance()
            items = self._arguments()
            if not items:
                raise self.error_from(token.start, "the list after 'in' is empty")
            found = Membership(start, self.last_end, token.text == "in~", value, items)
            return Not(start, self.last_end, found) if negated else found
        if token.text in _PATTERN_OPERATORS and token.kind in ("symbol", "keyword"):
            self.advance()
            operator, insensitive = _PATTERN_OPERATORS[token.text]
            patterns = self._patterns(token.text)
            return Match(start, self.last_end, operator, insensitive, value, patterns)
        return value

    def _patterns(self, operator: str) -> tuple[Literal, ...]:
        if not self.accept("("):
            return (self._pattern(operator),)
        patterns = [self._pattern(operator)]
        while self.accept(","):
            patterns.append(self._pattern(operator))
        self.expect(")")
        return tuple(patterns)

    def _pattern(self, operator: str) -> Literal:
        token = self.advance()
        if token.kind == "name" or token.text == "?":
            raise self.error(f"the right side of {operator} is a string or a list of strings, never a field", token)
        if token.kind != "string":
            raise self.error(f"the right side of {operator} is a string in double quotes or a list of strings", token)
        return Literal(token.start, token.end, token.value)

    def _arguments(self) -> tuple[Expr, ...]:
        self.expect("(")
        if self.accept(")"):
            return ()
        arguments = [self._expression(_OR)]
        while self.accept(","):
            arguments.append(self._expression(_OR))
        self.expect(")")
        return tuple(arguments)

    def _primary(self) -> Expr:
        token = self.current
        if token.kind in ("string", "integer", "decimal"):
            self.advance()
            return Literal(token.start, token.end, token.value)
        if token.kind == "keyword" and token.text in _CONSTANTS:
            self.advance()
            return Literal(token.start, token.end, _CONSTANTS[token.text])
        if self.accept("("):
            inside = self._expression(_OR)
            self.expect(")")
            return inside
        if token.kind == "name" and not token.text.startswith("`") and self.peek().text == "(":
            return self._call()
        if token.kind == "name" or token.text == "?":
            return self.field()
        if token.text == "=":
            raise self.error_from(self.current.start, "unexpected [=]; write == to compare")
        raise self.error("expected a field, a constant or a function")

    def _call(self) -> Call:
        name = self.advance()
        arguments = self._arguments()
        insensitive = name.text.endswith("~")
        return Call(name.start, self.last_end, name.text.removesuffix("~"), insensitive, arguments)

    def field(self) -> Field:
        """Read a field path, with ``?`` before it if it is optional."""
        start = self.current.start
        optional = self.accept("?")
        if optional and self.current.kind == "string":
            raise self.error_from(start, 'unexpected [?"]; raw strings stand in triple quotes')
        parts = [self._part(after_dot=False)]
        while self.at(".") or (self.at("[") and self.peek().kind == "integer"):
            if self.at("["):
                raise self.unsupported("array positions are not supported: a test looks at every value of a field")
            self.advance()
            parts.append(self._part(after_dot=True))
        return Field(start, self.last_end, ".".join(parts), optional)

    def _part(self, *, after_dot: bool) -> str:
        token = self.advance()
        usable = token.kind == "name" or (after_dot and token.kind == "keyword")
        if not usable or (token.text.endswith("~") and not token.text.startswith("`")):
            raise self.error("expected the name of a field (a keyword stands in back ticks)", token)
        return str(token.value)
