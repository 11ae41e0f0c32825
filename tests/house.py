"""The size rules of docs/architecture.md as functions: source text in, one line for each breach out."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache

FILE_LINES = 400
FUNCTION_LINES = 50
PARAMETERS = 6
POSITIONAL = 2
BROAD_EXCEPTS = 5

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_COMMAND_DECORATORS = {"command", "group"}


def long_file(text: str) -> Iterator[str]:
    lines = text.count("\n")
    if lines > FILE_LINES:
        yield f"{lines} lines; the ceiling is {FILE_LINES}"


def long_functions(text: str) -> Iterator[str]:
    for function in _functions(text):
        lines = (function.end_lineno or function.lineno) - function.lineno + 1
        if lines > FUNCTION_LINES:
            yield f"{function.name} has {lines} lines; the ceiling is {FUNCTION_LINES}"


def crowded_signatures(text: str) -> Iterator[str]:
    """Too many parameters, or, in what other modules call, too many by position.

    Methods like __exit__, click commands and methods of a library's class (`class X(library.Base)`) are
    exempt: others wrote their signatures.
    """
    inherited = set(_inherited(text))
    for function in _functions(text):
        if _is_dunder(function.name) or _is_command(function) or function.lineno in inherited:
            continue
        positional = [arg.arg for arg in function.args.posonlyargs + function.args.args]
        if positional[:1] in (["self"], ["cls"]):
            positional.pop(0)
        count = len(positional) + len(function.args.kwonlyargs)
        if count > PARAMETERS:
            yield f"{function.name} takes {count} parameters; the ceiling is {PARAMETERS}"
        if len(positional) > POSITIONAL and (
            function.name == "__init__" or not function.name.startswith("_")
        ):
            yield f"{function.name} takes {len(positional)} by position; from the third on, by keyword only"


def globals_used(text: str) -> Iterator[str]:
    for node in _nodes(text):
        if isinstance(node, ast.Global):
            yield f"line {node.lineno}: global {', '.join(node.names)}"


def broad_excepts(text: str) -> Iterator[str]:
    """Every handler that catches all errors, whether it says why or raises again."""
    for node in _broad_handlers(text):
        yield f"line {node.lineno}"


def unexplained_broad_excepts(text: str) -> Iterator[str]:
    """Broad handlers without a comment of at least three words on their line or the next."""
    lines = text.splitlines()
    for node in _broad_handlers(text):
        nearby = " ".join(line.partition("#")[2] for line in lines[node.lineno - 1 : node.lineno + 1])
        reason = re.sub(r"noqa:? ?[A-Z0-9, ]*", "", nearby)
        if len(re.findall(r"[a-z]{2,}", reason)) < 3:
            yield f"line {node.lineno}: a broad except says why, in a comment beside it"


def foreign_imports(text: str, *, package: str) -> Iterator[str]:
    """Imports of anything but the standard library and the package itself."""
    for node in _nodes(text):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or "." * node.level]
        else:
            continue
        for name in names:
            own = name == package or name.startswith(f"{package}.")
            if not own and name.partition(".")[0] not in sys.stdlib_module_names:
                yield f"line {node.lineno}: import {name}"


@cache
def _nodes(text: str) -> tuple[ast.AST, ...]:
    """Every node of the text; each file is read by many rules, and parsing takes longest."""
    return tuple(ast.walk(ast.parse(text)))


def _functions(text: str) -> Iterator[_Function]:
    for node in _nodes(text):
        if isinstance(node, _Function):
            yield node


def _broad_handlers(text: str) -> Iterator[ast.ExceptHandler]:
    for node in _nodes(text):
        if isinstance(node, ast.ExceptHandler) and _is_broad(node.type):
            yield node


def _is_broad(caught: ast.expr | None) -> bool:
    if isinstance(caught, ast.Tuple):
        return any(_is_broad(item) for item in caught.elts)
    return caught is None or (isinstance(caught, ast.Name) and caught.id in {"Exception", "BaseException"})


def _is_dunder(name: str) -> bool:
    return name != "__init__" and name.startswith("__") and name.endswith("__")


def _inherited(text: str) -> Iterator[int]:
    """Lines of the methods of classes whose base belongs to a library."""
    for node in _nodes(text):
        if isinstance(node, ast.ClassDef) and any(_is_library(base) for base in node.bases):
            yield from (each.lineno for each in node.body if isinstance(each, _Function))


def _is_library(base: ast.expr) -> bool:
    return isinstance(base.value if isinstance(base, ast.Subscript) else base, ast.Attribute)


def _is_command(function: _Function) -> bool:
    for decorator in function.decorator_list:
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
        if name in _COMMAND_DECORATORS:
            return True
    return False


def imported_packages(text: str) -> Iterator[str]:
    """Top-level names of everything a file imports, wherever in it."""
    for node in _nodes(text):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]
