"""Reads the whole of EQL: event queries, sequences and pipes (statements); conditions are in ``expressions``.

Grammar as Elasticsearch 8.x has it. ``sample`` and ``join`` are recognised and refused by name, as are the pipes that
only Endgame's EQL knows.
"""

from evtxscan.eql.ast import EventFilter, EventQuery, Expr, Field, Pipe, Query, SequenceQuery, Term
from evtxscan.eql.expressions import ExpressionParser

UNITS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
"""Units of maxspan, in milliseconds."""
MAX_RUNS = 100
ENDGAME_PIPES = frozenset(["count", "filter", "sort", "unique", "unique_count", "window"])


def parse(text: str) -> Query:
    """Return the syntax tree of a query; raise EqlError with line and column where it is not EQL."""
    return _StatementParser(text).statement()


def parse_expression(text: str) -> Expr:
    """Return the syntax tree of one expression such as ``length(process.name) > 5``."""
    parser = ExpressionParser(text)
    expression = parser.expression()
    parser.expect_end()
    return expression


class _StatementParser(ExpressionParser):
    def statement(self) -> Query:
        start = self.current.start
        if self.current.kind == "name" and self.current.text in ("sample", "join") and self.peek().text != "where":
            raise self.unsupported(f"{self.current.text} is not supported; evtxscan runs event queries and sequences")
        if self.accept("sequence"):
            return self._sequence(start)
        event = self._event()
        pipes = self._pipes()
        return EventQuery(start, self.last_end, self.text, event, pipes)

    def _event(self) -> EventFilter:
        category = self.advance()
        if category.kind not in ("name", "string") and category.text != "any":
            raise self.error("expected an event category such as process, or any", category)
        if not self.accept("where"):
            raise self.error("expected 'where' after the event category")
        condition = self.expression()
        name = None if category.kind == "keyword" else str(category.value)
        return EventFilter(category.start, self.last_end, name, category.end, condition)

    def _sequence(self, start: int) -> SequenceQuery:
        keys = self._keys()
        maxspan = self._maxspan()
        if self.current.text == "by":
            raise self.error("'by' must come before 'with'")
        terms: list[Term] = []
        while self.current.text in ("[", "!["):
            terms.append(self._term())
        until = self._until() if self.accept("until") else None
        self._check_terms(start, terms, until, maxspan)
        pipes = self._pipes()
        return SequenceQuery(start, self.last_end, self.text, keys, maxspan, tuple(terms), until, pipes)

    def _check_terms(self, start: int, terms: list[Term], until: Term | None, maxspan: int | None) -> None:
        if sum(term.runs for term in terms) < 2:
            raise self.error("a sequence needs two events or more: sequence [ ... ] [ ... ]")
        for term in [*terms[1:], *([until] if until else [])]:
            if len(term.keys) != len(terms[0].keys):
                raise self.error_from(
                    term.start,
                    f"{len(term.keys)} join keys here, {len(terms[0].keys)} in the first event; all need as many",
                )
        missing = next((term for term in terms if term.missing), None)
        if missing and maxspan is None:
            raise self.error_from(missing.start, "a missing event ![ ] needs 'with maxspan' after 'sequence'")
        if missing and all(term.missing for term in terms):
            raise self.error_from(start, "a sequence needs one event that is not missing")

    def _term(self) -> Term:
        opening = self.advance()
        event = self._event()
        self.expect("]")
        keys = self._keys()
        runs = self._runs()
        return Term(opening.start, self.last_end, event, keys, opening.text == "![", runs)

    def _until(self) -> Term:
        opening = self.expect("[")
        event = self._event()
        self.expect("]")
        keys = self._keys()
        return Term(opening.start, self.last_end, event, keys)

    def _keys(self) -> tuple[Field, ...]:
        if not self.accept("by"):
            return ()
        keys = [self.field()]
        while self.accept(","):
            keys.append(self.field())
        return tuple(keys)

    def _maxspan(self) -> int | None:
        if not self.accept("with"):
            return None
        if self.current.text != "maxspan":
            raise self.error("expected maxspan after 'with'")
        self.advance()
        self.expect("=")
        number = self.advance()
        if number.kind != "integer":
            raise self.error("maxspan is a whole number and a unit, such as 5m", number)
        unit = self.advance()
        if unit.text not in UNITS:
            raise self.error(f"maxspan needs one of the units {', '.join(UNITS)}, such as 5m", unit)
        if number.value == 0:
            raise self.error("maxspan must be greater than zero", number)
        return int(number.value) * UNITS[unit.text]

    def _runs(self) -> int:
        if not self.accept("with"):
            return 1
        if self.current.text != "runs":
            raise self.error("expected runs after 'with'")
        self.advance()
        self.expect("=")
        number = self.advance()
        if number.kind != "integer" or not 1 <= int(number.value) <= MAX_RUNS:
            raise self.error(f"runs is a whole number from 1 to {MAX_RUNS}", number)
        return int(number.value)

    def _pipes(self) -> tuple[Pipe, ...]:
        pipes = []
        while self.accept("|"):
            pipes.append(self._pipe())
        self.expect_end()
        return tuple(pipes)

    def _pipe(self) -> Pipe:
        name = self.advance()
        if name.text in ENDGAME_PIPES:
            raise self.unsupported(f"pipe {name.text} is not supported; use head or tail", name)
        if name.text not in ("head", "tail"):
            raise self.error("expected the pipe head or tail", name)
        number = self.advance()
        if number.kind != "integer":
            raise self.error(f"{name.text} needs a whole number of results, such as {name.text} 10", number)
        return Pipe(name.start, self.last_end, name.text, int(number.value))
