"""Show docstrings, which are written in reStructuredText, as Markdown: roles, literal blocks and tables."""

from __future__ import annotations

import copy
import re
from typing import Any

import griffe

_ROLE = re.compile(r":(?:class|func|meth|data|attr|mod):`~?([\w.]+)`")
_RULE = re.compile(r"^ *=+(?:  ?=+)+ *$")

_METHOD = re.compile(r"sync_method(?:_into\((?P<into>\w+)\.of\))?\((?P<cls>\w+)\.(?P<verb>\w+)\)$")
_FUNCTION = re.compile(r"(?:sync_and_async\.)?sync_function(?:_from|_into\((?P<into>\w+)\.of\))?$")


class Markdown(griffe.Extension):
    """Rewrite every docstring of the package once it is loaded."""

    def on_package(self, *, pkg: griffe.Module, **_: Any) -> None:
        """Rewrite the docstrings of a package and of all that is in it; say of verbs that wait that they do."""
        _let_wait(pkg)
        _rewrite(pkg)


def _let_wait(room: griffe.Object) -> None:
    """Show what is made from an awaited verb as the function that it is, with the result that it has."""
    for name, member in list(room.members.items()):
        if member.is_alias:
            continue
        if member.is_attribute and (made := _METHOD.match(str(member.value))):
            source = room.module[f"{made['cls']}.{made['verb']}"]
            verb = copy.copy(source.final_target if source.is_alias else source)
            room.set_member(name, verb)
            _wait(verb, made["into"])
        elif member.is_function:
            for decorator in member.decorators:
                if made := _FUNCTION.match(str(decorator.value)):
                    _wait(member, made["into"])
        elif member.is_module or member.is_class:
            _let_wait(member)


def _wait(function: griffe.Function, into: str | None) -> None:
    function.labels = function.labels - {"async"}
    function.decorators = []
    if into:
        function.returns = into


def _rewrite(obj: griffe.Object) -> None:
    if obj.docstring:
        obj.docstring.value = to_markdown(obj.docstring.value, obj.path)
    for member in obj.members.values():
        if not member.is_alias:
            _rewrite(member)  # type: ignore[arg-type]  # what is no alias is an object


def to_markdown(text: str, path: str) -> str:
    """Return a docstring of the object at ``path`` as Markdown."""
    text = _ROLE.sub(lambda role: _reference(role[1], path), text)
    text = re.sub(r"^( *)::\n", "", text, flags=re.MULTILINE)
    return _tables(re.sub(r"::$", ":", text, flags=re.MULTILINE))


def _reference(name: str, path: str) -> str:
    """Link to another object where it is documented; else show its name."""
    words = name.split(".")
    if words[0] == "clio_nb":
        target = name
    elif words[0] == "errors":
        target = f"clio_nb.{name}"
    else:
        target = f"{path.rpartition('.')[0]}.{name}"
    return f'<autoref optional identifier="{target}"><code>{words[-1]}</code></autoref>'


def _tables(text: str) -> str:
    """Turn simple tables into Markdown's: a rule, the heads, a rule, the rows, a rule."""
    lines, out, rules = text.splitlines(), [], []
    for number, line in enumerate(lines):
        if _RULE.match(line):
            rules.append(number)
            if len(rules) == 3:
                starts = [found.start() for found in re.finditer(r"=+", line)]
                rows = [*_rows(lines[rules[0] + 1 : rules[1]], starts), ["---"] * len(starts)]
                rows += _rows(lines[rules[1] + 1 : rules[2]], starts)
                out += ["", *(f"| {' | '.join(row)} |" for row in rows), ""]
                rules = []
        elif not rules:
            out.append(line)
    return "\n".join(out)


def _rows(lines: list[str], starts: list[int]) -> list[list[str]]:
    """Split lines into cells; a line without a first cell goes on with the row above."""
    rows: list[list[str]] = []
    for line in lines:
        cells = [line[start:end].strip() for start, end in zip(starts, [*starts[1:], None], strict=True)]
        if cells[0] or not rows:
            rows.append(cells)
        else:
            rows[-1] = [f"{above} {cell}".strip() for above, cell in zip(rows[-1], cells, strict=True)]
    return rows
