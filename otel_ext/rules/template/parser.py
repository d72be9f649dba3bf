"""Parses Go templates into trees, checking functions and variables as text/template does at parse time.

Stateless. Imports the lexer and the nodes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from otel_ext.rules.template import nodes
from otel_ext.rules.template.lexer import ActionTokens, Token, split, unquote
from otel_ext.rules.template.nodes import TemplateError

__all__ = ["Template", "parse"]

_BLOCKS: Mapping[str, type[nodes.Branch]] = {"if": nodes.If, "with": nodes.With, "range": nodes.Range}


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed template: its own nodes and those of the templates it defines."""

    body: tuple[nodes.Node, ...]
    defined: Mapping[str, tuple[nodes.Node, ...]]


def parse(text: str, *, functions: Collection[str], variables: Collection[str] = ()) -> Template:
    """Parse ``text``; ``functions`` are the names that may be called, ``variables`` those that are set beforehand.

    Raises:
        TemplateError: a syntax error, an unknown function or an undefined variable, with its line.
    """
    parser = _Parser(split(text), functions, variables)
    body = parser.template()
    return Template(body, parser.defined)


class _Parser:
    """Walks pieces; ``_variables`` is the scope stack of declared names."""

    def __init__(
        self, pieces: list[str | ActionTokens], functions: Collection[str], variables: Collection[str]
    ) -> None:
        self._pieces = pieces
        self._next = 0
        self._functions = functions
        self._variables = ["$", *variables]
        self._loops = 0
        self.defined: dict[str, tuple[nodes.Node, ...]] = {}

    def template(self) -> tuple[nodes.Node, ...]:
        body, keyword, action = self._list()
        if action is not None:
            raise TemplateError(f"line {action.line}: unexpected {{{{{keyword}}}}}")
        return body

    def _list(self) -> tuple[tuple[nodes.Node, ...], str, _Action | None]:
        """Nodes up to ``end``, ``else`` or the end of the text, with the keyword and the action that stopped it."""
        found: list[nodes.Node] = []
        while self._next < len(self._pieces):
            piece = self._pieces[self._next]
            self._next += 1
            if isinstance(piece, str):
                found.append(nodes.Text(piece))
                continue
            action = _Action(piece, self._functions, self._variables)
            keyword = action.keyword()
            if keyword in ("end", "else"):
                return tuple(found), keyword, action
            node = self._statement(keyword, action)
            if node is not None:
                found.append(node)
        return tuple(found), "", None

    def _statement(self, keyword: str, action: _Action) -> nodes.Node | None:
        if keyword in _BLOCKS:
            return self._branch(keyword, action)
        if keyword == "define":
            self._define(action.string("define"), action)
            return None
        if keyword in ("template", "block"):
            return self._include(keyword, action)
        if keyword in ("break", "continue"):
            action.finish()
            if not self._loops:
                raise TemplateError(f"line {action.line}: {{{{{keyword}}}}} outside {{{{range}}}}")
            return nodes.Leave(again=keyword == "continue")
        return action.statement()

    def _branch(self, keyword: str, action: _Action) -> nodes.Node:
        depth = len(self._variables)
        names, declare, pipeline = action.declaration(most=2 if keyword == "range" else 1)
        self._loops += keyword == "range"
        body, stop, last = self._list()
        self._loops -= keyword == "range"
        otherwise: tuple[nodes.Node, ...] = ()
        if stop == "else":
            assert last is not None
            otherwise = self._else(keyword, last)
        elif last is None:
            raise TemplateError(f"line {action.line}: {{{{{keyword}}}}} is not closed by {{{{end}}}}")
        else:
            last.finish()
        del self._variables[depth:]
        node = _BLOCKS[keyword](pipeline, names, declare, body, otherwise)
        assert isinstance(node, nodes.If | nodes.With | nodes.Range)
        return node

    def _else(self, keyword: str, action: _Action) -> tuple[nodes.Node, ...]:
        """The rest after ``{{else}}``; ``{{else if}}`` and ``{{else with}}`` share the one ``{{end}}``."""
        follow = action.keyword()
        if follow and follow == keyword != "range":
            return (self._branch(keyword, action),)
        action.finish()
        body, stop, last = self._list()
        if last is None or stop != "end":
            raise TemplateError(f"line {action.line}: {{{{else}}}} must be followed by {{{{end}}}}")
        last.finish()
        return body

    def _define(self, name: str, action: _Action) -> None:
        outer, loops = self._variables[:], self._loops
        self._variables[:], self._loops = ["$"], 0
        body, stop, last = self._list()
        if last is None or stop != "end":
            raise TemplateError(f"line {action.line}: the definition of {name!r} is not closed by {{{{end}}}}")
        last.finish()
        self._variables[:], self._loops = outer, loops
        self.defined[name] = body

    def _include(self, keyword: str, action: _Action) -> nodes.Node:
        name = action.string(keyword, more=True)
        pipeline = None if action.done() else action.pipeline()
        action.finish()
        if keyword == "block":
            self._define(name, action)
        return nodes.Include(name, pipeline)


class _Action:
    """A cursor over the tokens of one action."""

    def __init__(self, action: ActionTokens, functions: Collection[str], variables: list[str]) -> None:
        self._tokens = action.tokens
        self._at = 0
        self._functions = functions
        self._variables = variables
        self.line = action.line

    def _peek(self) -> Token | None:
        while self._at < len(self._tokens) and self._tokens[self._at].kind == "space":
            self._at += 1
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _kind(self) -> str:
        token = self._peek()
        return token.kind if token else ""

    def _take(self) -> Token:
        token = self._peek()
        if token is None:
            raise TemplateError(f"line {self.line}: unexpected end of the action")
        self._at += 1
        return token

    def done(self) -> bool:
        return self._peek() is None

    def finish(self) -> None:
        token = self._peek()
        if token is not None:
            raise TemplateError(f"line {token.line}: unexpected {token.text!r} in an action")

    def keyword(self) -> str:
        """The control word the action starts with, taken; or an empty string."""
        token = self._peek()
        words = {"if", "with", "range", "end", "else", "define", "template", "block", "break", "continue"}
        if token is None or token.kind != "name" or token.text not in words:
            return ""
        if token.text in ("break", "continue") and token.text in self._functions:
            return ""
        self._at += 1
        return token.text

    def string(self, keyword: str, *, more: bool = False) -> str:
        token = self._take()
        if token.kind not in ("string", "raw"):
            raise TemplateError(f"line {token.line}: {keyword} wants a quoted name, not {token.text!r}")
        if not more:
            self.finish()
        return str(_constant(token))

    def statement(self) -> nodes.Node:
        names, declare, pipeline = self.declaration(most=1)
        if names:
            return nodes.Assign(names[0], declare, pipeline)
        return nodes.Action(pipeline)

    def declaration(self, *, most: int) -> tuple[tuple[str, ...], bool, nodes.Pipeline]:
        """``$a, $b := pipeline`` or ``$a = pipeline`` or a plain pipeline, up to the end of the action."""
        names, declare = self._declared(most)
        pipeline = self.pipeline()
        self.finish()
        if declare:
            self._variables.extend(names)
        for name in names:
            self._known(name)
        return names, declare, pipeline

    def _declared(self, most: int) -> tuple[tuple[str, ...], bool]:
        start, names = self._at, list[str]()
        while self._kind() == "variable" and len(names) < most:
            names.append(self._take().text)
            if self._kind() == "comma" and len(names) < most:
                self._take()
                continue
            if self._kind() in ("declare", "assign"):
                return tuple(names), self._take().kind == "declare"
            break
        self._at = start
        return (), False

    def pipeline(self) -> nodes.Pipeline:
        """Commands up to a closing bracket or the end."""
        line = self.line
        commands = [self._command()]
        while self._kind() == "pipe":
            self._take()
            command = self._command()
            if isinstance(command.words[0], nodes.Literal | nodes.Dot):
                raise TemplateError(f"line {line}: stage {len(commands) + 1} of a pipeline is not a function")
            commands.append(command)
        return nodes.Pipeline(tuple(commands), line)

    def _command(self) -> nodes.Command:
        words = []
        while self._kind() not in ("", "pipe", "right"):
            words.append(self._operand())
        if not words:
            raise TemplateError(f"line {self.line}: missing value for command")
        return nodes.Command(tuple(words))

    def _operand(self) -> nodes.Expression:
        base = self._term()
        names = self._fields()
        if not names:
            return base
        if isinstance(base, nodes.Field):
            return nodes.Field(base.names + names)
        if isinstance(base, nodes.Variable):
            return nodes.Variable(base.name, base.names + names)
        if isinstance(base, nodes.Literal | nodes.Dot):
            raise TemplateError(f"line {self.line}: unexpected .{names[0]} after an operand")
        return nodes.Chain(base, names)

    def _fields(self) -> tuple[str, ...]:
        """Fields that follow without a space between."""
        names = []
        while self._at < len(self._tokens) and self._tokens[self._at].kind == "field":
            names.append(self._tokens[self._at].text[1:])
            self._at += 1
        return tuple(names)

    def _term(self) -> nodes.Expression:
        token = self._take()
        match token.kind:
            case "dot":
                return nodes.Dot()
            case "field":
                return nodes.Field((token.text[1:],))
            case "variable":
                self._known(token.text)
                return nodes.Variable(token.text)
            case "name":
                return self._name(token)
            case "left":
                inner = self.pipeline()
                if self._kind() != "right":
                    raise TemplateError(f"line {token.line}: unclosed left parenthesis")
                self._take()
                return inner
            case "string" | "raw" | "char" | "number":
                return nodes.Literal(_constant(token))
        raise TemplateError(f"line {token.line}: unexpected {token.text!r} in an action")

    def _name(self, token: Token) -> nodes.Expression:
        constants = {"true": True, "false": False, "nil": None}
        if token.text in constants:
            return nodes.Literal(constants[token.text])
        if token.text not in self._functions:
            raise TemplateError(f"line {token.line}: function {token.text!r} not defined")
        return nodes.Function(token.text)

    def _known(self, name: str) -> None:
        if name not in self._variables:
            raise TemplateError(
                f"line {self.line}: undefined variable {name!r}; known here: {', '.join(self._variables)}"
            )


def _constant(token: Token) -> object:
    if token.kind == "raw":
        return token.text[1:-1].replace("\r", "")
    try:
        if token.kind == "number":
            return _number(token.text)
        value = unquote(token.text)
    except (ValueError, OverflowError) as error:
        raise TemplateError(f"line {token.line}: malformed literal {token.text}") from error
    if token.kind == "char":
        if len(value) != 1:
            raise TemplateError(f"line {token.line}: malformed character constant {token.text}")
        return ord(value)
    return value


def _number(text: str) -> int | float:
    try:
        digits = text.lstrip("+-")
        octal = len(digits) > 1 and digits[0] == "0" and digits.isdigit()
        return int(text, 8) if octal else int(text, 0)
    except ValueError:
        return float(text)
