"""The signatures of an installed framework, by introspection.

Runs inside a framework's interpreter: standard library only.  Python functions tell their own
signature.  Functions compiled from C++, and functions that dispatch over overloads, tell it only
in the first lines of their docstring and in its ``.. function::`` directives.  Classes may hide
their constructor behind a decorator, or hand everything to a base class.
"""

from __future__ import annotations

import ast
import inspect
import itertools
import re
import textwrap
from collections.abc import Callable, Iterator
from typing import Any

from conformance.worker.whereabouts import elsewhere, obsolete

Message = dict[str, Any]
Parameters = list[dict[str, Any]]

POSITIONAL_ONLY, POSITIONAL = "positional-only", "positional-or-keyword"
VAR_POSITIONAL, KEYWORD_ONLY, VAR_KEYWORD = "var-positional", "keyword-only", "var-keyword"
KINDS = {
    inspect.Parameter.POSITIONAL_ONLY: POSITIONAL_ONLY,
    inspect.Parameter.POSITIONAL_OR_KEYWORD: POSITIONAL,
    inspect.Parameter.VAR_POSITIONAL: VAR_POSITIONAL,
    inspect.Parameter.KEYWORD_ONLY: KEYWORD_ONLY,
    inspect.Parameter.VAR_KEYWORD: VAR_KEYWORD,
}
BASES = ("Module", "Cell")
"""The frameworks' base classes, whose constructor a layer without parameters inherits."""
CALLS = ("forward", "construct", "__call__")
REST = {"name": "kwargs", "kind": VAR_KEYWORD, "default": None}
OPEN, CLOSE = "([{", ")]}"
_OPTIONAL = re.compile(r"\[((?:, *\w+)+)\]")
"""``subok=True[, signature, extobj]``: what may be left out, in the way of old documentation."""


def describe(resolve: Callable[[str], Any], api: str) -> Message:
    """Return what is known of the signature of `api`, in builtin types only.

    `resolve` returns the object an API names or raises AttributeError.  The message::

        api, exists, error   error: why it does not exist
        source               signature | docstring | none
        text                 "(input, *, out=None) -> Tensor"; a method without its self
        parameters           [{name, kind, default}, …]; default: its repr, None for no default
        overloads            [{text, parameters}, …]: further ones the docstring gives
        call_text, call_parameters    of forward, construct or __call__; None unless a class
        deprecated           names of the parameters whose description starts with "Deprecated"
        deprecated_api       what the API says of its own deprecation; empty when it is not
        elsewhere            of an API that does not exist: where its name is found instead
    """
    message = blank(api)
    try:
        target = resolve(api)
    except AttributeError as error:
        return {**message, "error": str(error), "elsewhere": elsewhere(resolve, api)}
    message |= {"exists": True, "deprecated_api": obsolete(target)}
    source, forms = _forms(target, api, _is_class(resolve, api.rpartition(".")[0]))
    if forms:
        (text, parameters), *rest = forms
        overloads = [{"text": t, "parameters": p} for t, p in rest]
        message |= {"source": source, "text": text, "parameters": parameters}
        message["overloads"] = overloads
    called = _call(target) if inspect.isclass(target) else None
    if called is not None:
        message |= {"call_text": render(called), "call_parameters": called}
    lists = [message["parameters"], called, *(o["parameters"] for o in message["overloads"])]
    names = {p["name"] for parameters in lists for p in parameters or []}
    message["deprecated"] = [name for name in _deprecated(_doc(target)) if name in names]
    return message


def blank(api: str) -> Message:
    """Return the message of an API that is not there."""
    message: Message = {"api": api, "exists": False, "error": "", "source": "none", "text": ""}
    message |= {"parameters": [], "overloads": [], "deprecated": []}
    message |= {"deprecated_api": "", "elsewhere": []}
    return {**message, "call_text": None, "call_parameters": None}


def parse(text: str) -> Parameters:
    """Return the parameters in the printed list `text`, with or without its parentheses.

    Reads what documentation prints, which is not always Python: ``start=0, end`` and ``\\*`` pass.
    Annotations are dropped; ``out``, and what is annotated ``Optional``, default to None where
    PyTorch's documentation leaves the default out.
    Raises ValueError when `text` is not a parameter list.
    """
    text = text.strip()
    if text.startswith("("):
        text = text[1 : _closing(text)]
    found: Parameters = []
    kind = POSITIONAL
    for item in filter(None, _split(text)):
        if item == "/":
            found = [{**p, "kind": POSITIONAL_ONLY} for p in found]
            continue
        match = re.fullmatch(
            r"(\*{0,2})\s*([A-Za-z_]\w*)?\s*(:[^=]*)?(?:=\s*(.+))?", item, re.DOTALL
        )
        if match is None or not (match[1] or match[2]):
            raise ValueError(f"not a parameter: {item!r}")
        stars, name, annotation, default = match.groups()
        unsaid = default is None and not stars
        if unsaid and (
            (name == "out" and kind == KEYWORD_ONLY) or "Optional" in (annotation or "")
        ):
            default = "None"
        if name:
            own = {"": kind, "*": VAR_POSITIONAL, "**": VAR_KEYWORD}[stars]
            found.append({"name": name, "kind": own, "default": default and default.strip()})
        kind = KEYWORD_ONLY if stars == "*" else kind
    return found


def groups(text: str) -> tuple[list[str], str]:
    """Return the parenthesised groups `text` starts with, and what follows them.

    ``"(reduction='mean')(logits) -> Tensor"`` gives two groups and ``-> Tensor``.  Raises
    ValueError when a parenthesis is not closed.
    """
    found = []
    while (text := text.lstrip()).startswith("("):
        end = _closing(text) + 1
        found.append(text[:end])
        text = text[end:]
    return found, text.strip()


def render(parameters: Parameters) -> str:
    """Return `parameters` as Python writes them, in parentheses."""
    parts: list[str] = []
    kinds = [p["kind"] for p in parameters]
    for i, parameter in enumerate(parameters):
        stars = {VAR_POSITIONAL: "*", VAR_KEYWORD: "**"}.get(kinds[i], "")
        if kinds[i] == KEYWORD_ONLY and not {VAR_POSITIONAL, KEYWORD_ONLY} & set(kinds[:i]):
            parts.append("*")
        default = "" if parameter["default"] is None else f"={parameter['default']}"
        parts.append(f"{stars}{parameter['name']}{default}")
        if kinds[i] == POSITIONAL_ONLY and kinds[i + 1 : i + 2] != [POSITIONAL_ONLY]:
            parts.append("/")
    return f"({', '.join(parts)})"


def _is_class(resolve: Callable[[str], Any], api: str) -> bool:
    try:
        return inspect.isclass(resolve(api))
    except AttributeError:
        return False


def _forms(target: Any, api: str, method: bool) -> tuple[str, list[tuple[str, Parameters]]]:
    """Return (source, [(text, parameters), …]) by the best way there is."""
    if inspect.isdatadescriptor(target):
        return "signature", [("", [])]
    bound = method and inspect.isfunction(target)
    own = _constructor(target) if inspect.isclass(target) else _own(target, bound)
    if own is not None and not _opaque(own):
        return "signature", [(render(own), own)]
    # NumPy's aliases of ufuncs, such as np.abs, are documented by the ufunc's own name.
    name = target.__name__ if type(target).__name__ == "ufunc" else api.rpartition(".")[2]
    if documented := list(_documented(_doc(target), name)):
        return "docstring", documented
    if inspect.isclass(target) and (handed_on := _forwarded(target)) is not None:
        own = handed_on
    return ("none", []) if own is None else ("signature", [(render(own), own)])


def _own(function: Any, bound: bool) -> Parameters | None:
    try:
        found = list(inspect.signature(function).parameters.values())
    except (ValueError, TypeError):
        return None
    if (
        bound
        and found
        and found[0].kind in (found[0].POSITIONAL_ONLY, found[0].POSITIONAL_OR_KEYWORD)
    ):
        found = found[1:]
    return [{"name": p.name, "kind": KINDS[p.kind], "default": _default(p)} for p in found]


def _constructor(cls: type) -> Parameters | None:
    owner = next(c for c in cls.__mro__ if "__init__" in vars(c))
    if owner.__name__ in BASES and owner is not cls:
        return []
    own = _own(cls, bound=False)
    return _undecorated(vars(owner)["__init__"]) or own if own is None or _opaque(own) else own


def _call(cls: type) -> Parameters | None:
    for name in CALLS:
        function = getattr(cls, name, None)
        called = _own(function, bound=True) if inspect.isfunction(function) else None
        if called is not None and not _opaque(called):
            return called
    return None


def _undecorated(function: Any) -> Parameters | None:
    """Return the signature of the function that the closure of a decorator's wrapper holds."""
    function = inspect.unwrap(function)
    for cell in getattr(function, "__closure__", None) or ():
        inner = cell.cell_contents
        if inspect.isfunction(inner):
            own = _own(inner, bound=True)
            if own is None or _opaque(own):
                own = _undecorated(inner)
            if own is not None:
                return own
    return None


def _forwarded(cls: type) -> Parameters | None:
    """Follow ``super().__init__(mode, *args, **kwargs)`` to the base class it hands `args` to.

    A constructor that also looks into its ``kwargs`` takes more than its base class does, so its
    signature stays open: it ends in ``**kwargs``.
    """
    owners = [c for c in cls.__mro__ if "__init__" in vars(c)]
    for owner, base in itertools.pairwise(owners):
        handed = _handed_to_super(vars(owner)["__init__"])
        own = _own(vars(base)["__init__"], bound=True)
        if handed is None or own is None:
            return None
        given, looks_inside = handed
        if not _opaque(own := own[given:]):
            more = looks_inside and own[-1:] != [REST]
            return [*own, REST] if more else own
    return None


def _handed_to_super(function: Any) -> tuple[int, bool] | None:
    """Return (arguments before ``*args, **kwargs``, whether kwargs is used elsewhere too)."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return None
    for node in ast.walk(tree):
        match node:
            case ast.Call(
                func=ast.Attribute(attr="__init__"),
                args=[*given, ast.Starred()],
                keywords=[ast.keyword(arg=None, value=ast.Name(id=rest))],
            ):
                uses = sum(isinstance(n, ast.Name) and n.id == rest for n in ast.walk(tree))
                return len(given), uses > 1
    return None


def _opaque(parameters: Parameters) -> bool:
    """Tell whether this is the ``(*args, **kwargs)`` of a wrapper, which says nothing."""
    return [p["kind"] for p in parameters] == [VAR_POSITIONAL, VAR_KEYWORD]


def _default(parameter: inspect.Parameter) -> str | None:
    if parameter.default is parameter.empty:
        return None
    if inspect.isclass(parameter.default) or inspect.isroutine(parameter.default):
        return str(parameter.default.__qualname__)
    return re.sub(r" at 0x[0-9a-fA-F]+", "", str(repr(parameter.default)))


def _doc(target: Any) -> str:
    doc = getattr(target, "__doc__", None)
    return inspect.cleandoc(doc) if isinstance(doc, str) else ""


def _documented(doc: str, name: str) -> Iterator[tuple[str, Parameters]]:
    """Yield the signatures that `doc` prints: its first lines, and its directives.

    The first line of an alias may name what it is an alias of, so there any name followed by an
    arrow will do.
    """
    doc = _OPTIONAL.sub(lambda match: re.sub(r"\w+", r"\g<0>=None", match[1]), doc)
    own = rf"(?:[\w.]+\.)?(?:{re.escape(name)}|__init__)"
    head = re.compile(rf"^(?:{own}|[\w.]+(?=\(.*\) ->)) ?(?=\()", re.MULTILINE)
    directive = re.compile(rf"^\.\. +(?:function|method|class):: *{own} ?(?=\()", re.MULTILINE)
    starts = [m.end() for m in head.finditer(doc.partition("\n\n")[0])]
    starts += [m.end() for m in directive.finditer(doc)]
    seen: list[Parameters] = []
    for start in starts:
        try:
            (group, *_), rest = groups(doc[start:])
            parameters = parse(group)
        except ValueError:
            continue
        if parameters not in seen:
            seen.append(parameters)
            result = re.match(r"-> *[^\n]*[^\n:]", rest)
            yield render(parameters) + (f" {result[0].strip()}" if result else ""), parameters


def _deprecated(doc: str) -> list[str]:
    described = r"^[ \t*-]*`*(\w+)`*\** *(?:\([^\n]*?\))? *[:-] *deprecated\b"
    return list(dict.fromkeys(re.findall(described, doc, re.MULTILINE | re.IGNORECASE)))


def _closing(text: str) -> int:
    """Return the index of the bracket that closes the one `text` starts with."""
    for index, depth in _depths(text):
        if depth == 0 and text[index] in CLOSE:
            return index
    raise ValueError(f"a parenthesis is not closed: {text[:80]!r}")


def _split(text: str) -> list[str]:
    """Split at the commas outside brackets and quotes; ``\\*`` of reStructuredText reads ``*``."""
    cuts = [i for i, depth in _depths(text) if depth == 0 and text[i] == ","]
    bounds = zip([-1, *cuts], [*cuts, len(text)], strict=True)
    return [text[a + 1 : b].replace("\\*", "*").strip() for a, b in bounds]


def _depths(text: str) -> Iterator[tuple[int, int]]:
    """Yield (index, bracket depth after it) of every character outside quotes."""
    depth, quote = 0, ""
    for index, character in enumerate(text):
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        else:
            depth += (character in OPEN) - (character in CLOSE)
            yield index, depth
