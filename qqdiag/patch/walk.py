"""Follows every way through an adapter's code, without running it, in a situation that is given.

A situation says what the library does: that the WebSocket is closed, that its `receive` brings a close code, that
connecting fails. Each way ends somewhere and has events on it: a close without a deadline, a field that was set, a
pause. A loop's body is followed once, with all that it changes taken as unknown; both sides of a test that cannot be
decided are followed. So a name, an order or a helper function more makes no difference, and what the code does
decides.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field, replace

import libcst as cst

from qqdiag.patch import callables, calls, effects, expressions, handlers, managers, patterns, tasks
from qqdiag.patch.code import Code, Function
from qqdiag.patch.constants import dotted, read_import
from qqdiag.patch.endings import Ending, Outcome, Situation, distinct, distinct_endings, stopped
from qqdiag.patch.values import NONE, SELF, Forever, Made, Raised, Result, Several, State, Thing, Unknown, Value

BUDGET = 60_000  # statements that are looked at in one situation
DEPTH = 9  # calls within calls


GOES = ("on", "continue")  # endings of a loop's body after which it goes round


class Undecided(Exception):
    """There are more ways through the code than can be followed."""


@dataclass(frozen=True)
class Turns:
    """Goes round a loop as often as said, with what each turn leaves behind, instead of once for all of them."""

    most: int
    names: frozenset[str]  # the outermost loop in whose body one of these is used
    between: Callable[[State], list[State]]  # what happens between two turns


@dataclass(eq=False)
class Walk:
    """One situation, and the code it is in."""

    code: Code
    situation: Situation
    follow: Callable[[Function], bool] = lambda _: True
    given: frozenset[tuple[Thing, str]] = frozenset()  # fields of which the situation tells
    turns: Turns | None = None
    stack: list[str] = field(default_factory=list)
    spent: int = 0
    known: dict[Hashable, list[Outcome]] = field(default_factory=dict)  # what calls lead to, by all that they see

    def alone(self) -> Walk:
        """For what the module does where it is loaded."""
        return Walk(self.code, lambda _: None)

    @property
    def owner(self) -> str:
        """The class of the method that is followed."""
        return next((name for name, method in self.code.methods if method == self.stack[-1]), "") if self.stack else ""

    def from_start(self, function: Function, state: State, *arguments: Value) -> list[Ending]:
        """Every way through a function from its first line, as its endings.

        :raises Undecided: too many
        """
        own = (SELF, *arguments) if function.owner and not function.is_static else arguments
        return self.run(function, state, own, {})

    def run(
        self,
        function: Function,
        state: State,
        arguments: Sequence[Value],
        named: dict[str, Value],
        known: Iterable[tuple[str, Value]] = (),
    ) -> list[Ending]:
        """:param known: the names of the function around it"""
        bound = dict(known)
        bound.update({name: expressions.default(self, default) for name, default in function.defaults.items()})
        callables.bind(function, bound, arguments, named)
        self.stack.append(function.name)
        endings = self.block(function.node.body, replace(state, locals=bound))
        self.stack.pop()
        return endings

    def inline(
        self,
        function: Function,
        state: State,
        arguments: Sequence[Value],
        named: dict[str, Value],
        kept: Made | None = None,
    ) -> list[Outcome]:
        """A call of a function of this module, as its results; `kept`: as a closure."""
        wanted = kept is not None or self.follow(function)  # a closure may lead to whatever it keeps
        if function.name in self.stack or len(self.stack) >= DEPTH or not wanted:
            # A coroutine that is handed on is run, without a deadline that is known.
            given = Several(tuple(callables.coroutines(arguments)))
            return [(Unknown(), after) for _, after in tasks.finished(self, given, state)]
        given_to = (function, tuple(arguments), tuple(named.items()), kept)
        key = (*given_to, tuple(self.stack), self.turns is None, state.here())
        if key not in self.known:
            self.known[key] = self.outcomes(function, replace(state, events=()), arguments, named, kept)
        return [
            (result, replace(after, locals=state.locals, limits=state.limits, events=state.events).also(after.events))
            for result, after in self.known[key]
        ]

    def outcomes(
        self,
        function: Function,
        state: State,
        arguments: Sequence[Value],
        named: dict[str, Value],
        kept: Made | None,
    ) -> list[Outcome]:
        found: list[Outcome] = []
        known = [(str(name), value) for name, value in kept.given] if kept is not None else []
        for ending in self.run(function, state, arguments, named, known):
            result: Result = ending.value if ending.how in ("return", "raise") else NONE
            found.append((Forever() if ending.how == "again" else result, ending.state))
        return found

    # --- statements --------------------------------------------------------------------------------------------------

    def block(self, body: cst.BaseSuite, state: State) -> list[Ending]:
        states, ended = [state], list[Ending]()
        for statement in body.body:
            following = [ending for one in states for ending in self.statement(statement, one)]
            ended += [ending for ending in following if ending.how != "on"]
            states = distinct(ending.state for ending in following if ending.how == "on")
        return [*distinct_endings(ended), *(Ending("on", one) for one in states)]

    def statement(self, node: cst.CSTNode, state: State) -> list[Ending]:
        self.spent += 1
        if self.spent > BUDGET:
            raise Undecided
        if type(node) is cst.SimpleStatementLine:
            return self.simple(node.body, state)
        if isinstance(node, cst.If):
            return self.branch(node, state)
        if isinstance(node, cst.While | cst.For):
            return self.loop(node, state)
        if isinstance(node, cst.Try | cst.TryStar):
            return handlers.attempt(self, node, state)
        if isinstance(node, cst.With):
            return managers.within(self, node, list(node.items), state)
        if isinstance(node, cst.Match):
            return patterns.match(self, node, state)
        if isinstance(node, cst.FunctionDef):
            return [Ending("on", state.put(node.name.value, callables.closure(self.code, node, state)))]
        if isinstance(node, cst.ClassDef):
            return [Ending("on", state.put(node.name.value, Unknown(frozenset({node.name.value}))))]
        return [Ending("on", state)]

    def simple(self, body: Sequence[cst.BaseSmallStatement], state: State) -> list[Ending]:
        states, ended = [state], list[Ending]()
        for small in body:
            following = [ending for one in states for ending in self.small(small, one)]
            ended += [ending for ending in following if ending.how != "on"]
            states = [ending.state for ending in following if ending.how == "on"]
        return [*ended, *(Ending("on", one) for one in states)]

    def small(self, node: cst.BaseSmallStatement, state: State) -> list[Ending]:
        line = self.code.line(node)
        if isinstance(node, cst.Break | cst.Continue):
            return [Ending("break" if isinstance(node, cst.Break) else "continue", state)]
        if isinstance(node, cst.Return):
            return [
                stopped(value, after, line)
                if isinstance(value, Raised | Forever)
                else Ending("return", after, value, line)
                for value, after in expressions.results(self, node.value, state)
            ]
        if isinstance(node, cst.Raise):
            return self.raised(node, state)
        if isinstance(node, cst.Expr) and calls.is_forgotten(node.value, self.code):
            return [Ending("on", state.happened("forgotten", dotted(node.value.func), line))]
        if isinstance(node, cst.Expr):
            return self.endings(expressions.results(self, node.value, state), line)
        if isinstance(node, cst.Assign | cst.AnnAssign | cst.AugAssign):
            return effects.assign(self, node, state)
        if isinstance(node, cst.Import | cst.ImportFrom):
            names: dict[str, str] = {}
            read_import(node, names)
            for name, meant in names.items():
                state = state.put(name, Thing(meant))
        return [Ending("on", state)]

    def endings(self, results: Iterable[Outcome], line: int) -> list[Ending]:
        return [
            stopped(value, after, line) if isinstance(value, Raised | Forever) else Ending("on", after)
            for value, after in results
        ]

    def raised(self, node: cst.Raise, state: State) -> list[Ending]:
        line = self.code.line(node)
        if node.exc is None:
            current = state.locals.get("#error")
            return [Ending("raise", state, effects.raised_of(self, current, state), line)]
        return [
            stopped(value, after, line)
            if isinstance(value, Raised | Forever)
            else Ending("raise", after, effects.raised_of(self, value, after), line)
            for value, after in expressions.results(self, node.exc, state)
        ]

    def branch(self, node: cst.If, state: State) -> list[Ending]:
        found: list[Ending] = []
        for side, after in expressions.sides(self, node.test, state):
            if not isinstance(side, bool):
                found.append(stopped(side, after, self.code.line(node)))
            elif side:
                found += self.block(node.body, after)
            elif isinstance(node.orelse, cst.If):
                found += self.branch(node.orelse, after)
            elif node.orelse is not None:
                found += self.block(node.orelse.body, after)
            else:
                found.append(Ending("on", after))
        return found

    def loop(self, node: cst.While | cst.For, state: State) -> list[Ending]:
        if self.turns is not None and self.turns.names & self.code.reach_of_block(node.body):
            turns, self.turns = self.turns, None
            found = self.turned(node, state, turns)
            self.turns = turns
            return found
        return self.once(node, state)

    def turned(self, node: cst.While | cst.For, state: State, turns: Turns) -> list[Ending]:
        found, states = list[Ending](), [state]
        for _ in range(turns.most):
            following: list[State] = []
            for goes_in, head in [one for at in states for one in self.heads(node, at, found)]:
                endings = self.block(node.body, head) if goes_in else [Ending("break", head)]
                following += [ending.state for ending in endings if ending.how in ("on", "continue")]
                found += [
                    replace(one, how="on") if one.how == "break" else one for one in endings if one.how not in GOES
                ]
            states = distinct(after for one in distinct(following) for after in turns.between(one))
        return distinct_endings([*found, *(Ending("again", one) for one in states)])

    def once(self, node: cst.While | cst.For, state: State) -> list[Ending]:
        found: list[Ending] = []
        for goes_in, head in self.heads(node, self.widened(node.body, state), found):
            if not goes_in:
                found += self.block(node.orelse.body, head) if node.orelse else [Ending("on", head)]
                continue
            for ending in self.block(node.body, head):
                if ending.how == "break":
                    found.append(Ending("on", ending.state))
                elif ending.how in ("on", "continue"):
                    found += self.round(node, ending.state)
                else:
                    found.append(ending)
        return distinct_endings(found)

    def heads(self, node: cst.While | cst.For, state: State, found: list[Ending]) -> list[tuple[bool, State]]:
        """The ways from a loop's head: into its body, or past it."""
        line = self.code.line(node)
        sides = (
            expressions.sides(self, node.test, state)
            if isinstance(node, cst.While)
            else effects.next_of(self, node, state)
        )
        found += [stopped(side, after, line) for side, after in sides if not isinstance(side, bool)]
        return [(side, after) for side, after in sides if isinstance(side, bool)]

    def round(self, node: cst.While | cst.For, state: State) -> list[Ending]:
        """After one turn: it goes round again, or ends. A `for` comes to its end some time."""
        found: list[Ending] = []
        for goes_in, head in self.heads(node, state, found):
            if goes_in and isinstance(node, cst.For) and not _is_endless(node):
                continue
            if goes_in:
                found.append(Ending("again", head, line=self.code.line(node)))
            else:
                found += self.block(node.orelse.body, head) if node.orelse else [Ending("on", head)]
        return found

    def widened(self, body: cst.BaseSuite, state: State) -> State:
        """What a loop's body changes is unknown at its head, but for what the situation says of it."""
        fields = dict(state.fields)
        for name in effects.names_set(body):
            state = state.put(name, Unknown(frozenset({name}))) if name in state.locals else state
        for of, name in state.fields:
            if (of, name) not in self.given and name in effects.fields_set(self.code, body):
                fields[of, name] = Unknown(frozenset({name}))
        return replace(state, fields=fields)


def _is_endless(node: cst.For) -> bool:
    """`async for` over a connection, and `for n in itertools.count()`."""
    called = dotted(node.iter.func).rpartition(".")[2] if isinstance(node.iter, cst.Call) else ""
    return node.asynchronous is not None or called in ("count", "cycle", "repeat")
