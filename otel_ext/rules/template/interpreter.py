"""Executes a parsed Go template: dot, variables, pipelines, control structures, included templates.

Each execution owns its variable stack. Imports the nodes and builtins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from inspect import CO_VARARGS
from types import CodeType

from otel_ext.rules.template import nodes
from otel_ext.rules.template.builtins import SHORT_CIRCUIT, StringMap, Struct, truth
from otel_ext.rules.template.gofmt import format_value, go_type
from otel_ext.rules.template.nodes import TemplateError
from otel_ext.rules.template.parser import Template

__all__ = ["execute"]

Functions = Mapping[str, Callable[..., object]]
_MAX_DEPTH = 100
_ABSENT = object()


class _LoopExit(Exception):  # noqa: N818 - control flow, never seen outside
    def __init__(self, *, again: bool) -> None:
        self.again = again


def execute(
    template: Template, dot: object, functions: Functions, variables: Mapping[str, object] | None = None
) -> str:
    """Render ``template`` with ``dot``, the functions it may call and the variables it was parsed with.

    Raises:
        TemplateError: a function failed, a field does not exist, types do not fit.
    """
    run = _Execution(template, functions)
    run.variables = [["$", dot], *([name, value] for name, value in (variables or {}).items())]
    run.render(template.body, dot)
    return "".join(run.output)


class _Execution:
    def __init__(self, template: Template, functions: Functions) -> None:
        self._template = template
        self._functions = functions
        self._depth = 0
        self.output: list[str] = []
        self.variables: list[list[object]] = []

    def render(self, body: Sequence[nodes.Node], dot: object) -> None:
        for node in body:
            match node:
                case nodes.Text(text):
                    self.output.append(text)
                case nodes.Action(pipeline):
                    self.output.append(format_value(self._pipeline(pipeline, dot)))
                case nodes.Assign(name, declare, pipeline):
                    self._set(name, self._pipeline(pipeline, dot), declare=declare)
                case nodes.Include():
                    self._include(node, dot)
                case nodes.Leave(again):
                    raise _LoopExit(again=again)
                case nodes.Range():
                    self._range(node, dot)
                case nodes.If() | nodes.With():
                    self._choose(node, dot)

    def _set(self, name: str, value: object, *, declare: bool) -> None:
        if declare:
            self.variables.append([name, value])
            return
        for slot in reversed(self.variables):
            if slot[0] == name:
                slot[1] = value
                return

    def _choose(self, node: nodes.If | nodes.With, dot: object) -> None:
        mark = len(self.variables)
        value = self._pipeline(node.pipeline, dot)
        for name in node.names:
            self._set(name, value, declare=node.declare)
        if truth(value):
            self.render(node.body, value if isinstance(node, nodes.With) else dot)
        else:
            self.render(node.otherwise, dot)
        del self.variables[mark:]

    def _range(self, node: nodes.Range, dot: object) -> None:
        mark = len(self.variables)
        empty = True
        for key, value in _elements(self._pipeline(node.pipeline, dot)):
            empty = False
            pair = (value,) if len(node.names) == 1 else (key, value)
            for name, item in zip(node.names, pair, strict=False):
                self._set(name, item, declare=node.declare)
            try:
                self.render(node.body, value)
            except _LoopExit as stop:
                if not stop.again:
                    break
            finally:
                del self.variables[mark:]
        if empty:
            self.render(node.otherwise, dot)
            del self.variables[mark:]

    def _include(self, node: nodes.Include, dot: object) -> None:
        body = self._template.defined.get(node.name)
        if body is None:
            raise TemplateError(f"template {node.name!r} not defined")
        if self._depth >= _MAX_DEPTH:
            raise TemplateError(f"exceeded maximum template depth ({_MAX_DEPTH})")
        value = self._pipeline(node.pipeline, dot) if node.pipeline else None
        outer, self.variables = self.variables, [["$", value]]
        self._depth += 1
        self.render(body, value)
        self._depth -= 1
        self.variables = outer

    def _pipeline(self, pipeline: nodes.Pipeline, dot: object) -> object:
        value: object = _ABSENT
        for command in pipeline.commands:
            value = self._command(command, dot, value)
        return value

    def _command(self, command: nodes.Command, dot: object, final: object) -> object:
        head, *rest = command.words
        if isinstance(head, nodes.Function):
            return self._call(head.name, rest, dot, final)
        if rest or final is not _ABSENT:
            raise TemplateError("can't give argument to non-function")
        if isinstance(head, nodes.Literal) and head.value is None:
            raise TemplateError("nil is not a command")
        return self._value(head, dot)

    def _value(self, node: nodes.Expression, dot: object) -> object:  # noqa: PLR0911 - one case a node type
        match node:
            case nodes.Dot():
                return dot
            case nodes.Literal(value):
                return value
            case nodes.Field(names):
                return _walk(dot, names)
            case nodes.Variable(name, names):
                slot = next(slot for slot in reversed(self.variables) if slot[0] == name)
                return _walk(slot[1], names)
            case nodes.Chain(base, names):
                return _walk(self._value(base, dot), names)
            case nodes.Function(name):
                return self._call(name, [], dot, _ABSENT)
            case nodes.Pipeline():
                return self._pipeline(node, dot)

    def _call(self, name: str, words: Sequence[nodes.Expression], dot: object, final: object) -> object:
        if name in SHORT_CIRCUIT:
            return self._short_circuit(name, words, dot, final)
        arguments = [self._value(word, dot) for word in words]
        if final is not _ABSENT:
            arguments.append(final)
        function = self._functions[name]
        _check_count(name, function, len(arguments))
        try:
            return function(*arguments)
        except (TemplateError, ArithmeticError) as error:
            raise TemplateError(f"error calling {name}: {error}") from error

    def _short_circuit(self, name: str, words: Sequence[nodes.Expression], dot: object, final: object) -> object:
        value: object = _ABSENT
        for word in words:
            value = self._value(word, dot)
            if truth(value) == (name == "or"):
                return value
        value = final if final is not _ABSENT else value
        if value is _ABSENT:
            raise TemplateError(f"wrong number of args for {name}: want at least 1 got 0")
        return value


def _check_count(name: str, function: Callable[..., object], count: int) -> None:
    code: CodeType = function.__code__  # functions of templates are plain ones
    least, variadic = code.co_argcount, bool(code.co_flags & CO_VARARGS)
    if count < least or (count > least and not variadic):
        wanted = f"at least {least}" if variadic else str(least)
        raise TemplateError(f"wrong number of args for {name}: want {wanted} got {count}")


def _walk(value: object, names: Sequence[str]) -> object:
    for name in names:
        if value is None:
            raise TemplateError(f"nil pointer evaluating interface {{}}.{name}")
        if isinstance(value, StringMap):
            value = value.get(name, "")
        elif isinstance(value, Struct):
            if name not in value:
                raise TemplateError(f"can't evaluate field {name}")
            value = value[name]
        elif isinstance(value, Mapping):
            value = value.get(name)
        else:
            raise TemplateError(f"can't evaluate field {name} in type {go_type(value)}")
    return value


def _elements(value: object) -> Iterator[tuple[object, object]]:
    if isinstance(value, Mapping) and not isinstance(value, Struct):
        yield from ((key, value[key]) for key in sorted(value))
    elif isinstance(value, Sequence) and not isinstance(value, str):
        yield from enumerate(value)
    elif isinstance(value, int) and not isinstance(value, bool):
        yield from ((index, index) for index in range(value))
    elif value is not None:
        raise TemplateError(f"range can't iterate over {format_value(value)}")
