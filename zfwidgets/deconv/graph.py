"""A model as a list of steps, traced with torch.fx, and one record of every call.

Nothing of the user's model changes: the trace works on a copy of the module tree that shares the
parameters and buffers, so no hooks are set, no flags flipped and no memory doubled.
"""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn.utils import parametrize
from torch.utils import _pytree

from zfwidgets.deconv.rules import Parts, Rule
from zfwidgets.deconv.tables import FUNCTIONS, METHODS, MODULES
from zfwidgets.deconv.windows import Pair, Window


class UnsupportedModel(ValueError):  # noqa: N818
    """The model cannot be traced, or an operation in it has no rule for the way back."""


@dataclass(slots=True)
class Call:
    """One call of one operation, as recorded.

    name: unique name of the step; path: the module it calls, or the module it stands in and the
    function's name; sources: for every argument the call it came from, or None if it does not
    depend on the picture; value: the output, if it is kept.
    """

    name: str
    path: str
    rule: Rule
    sources: tuple[int | None, ...]
    shape: tuple[int, ...]
    axes: Pair | None
    value: Any

    @property
    def size(self) -> Pair | None:
        """Rows and columns, if the output is a map."""
        return None if self.axes is None else (self.shape[self.axes[0]], self.shape[self.axes[1]])


@dataclass(frozen=True, slots=True)
class Record:
    """All calls of one forward pass; the first is the input itself, `output` the model's result."""

    calls: list[Call]
    output: Any


def windows_back(
    calls: list[Call], step: int, window: Window | None, *, bounded: bool = False
) -> Iterator[tuple[int, Window | None]]:
    """Every call that feeds `step`, last to first, and the window of its output that is seen.

    window: of the output of `step`; None is the whole map. bounded: a window as large as its map
    counts as the whole map, which is how signals are sent back.
    """
    windows = {step: window}
    for index in range(step, -1, -1):
        if index not in windows:
            continue
        call, window = calls[index], windows.pop(index)
        if bounded and window is not None and (call.size is None or window.covers(call.size)):
            window = None
        yield index, window
        seen = call.rule.window(window)
        for source in call.sources:
            if source is None:
                continue
            other = windows.get(source, seen)
            windows[source] = None if seen is None or other is None else seen.union(other)


class Graph:
    """The steps of a model, in the order of its forward pass."""

    def __init__(self, model: nn.Module) -> None:
        """Trace a model; raises UnsupportedModel naming what stands in the way."""
        self.model = shared_copy(model)
        self._untouched = shared_copy(model)
        tracer = fx.Tracer()
        try:
            graph = tracer.trace(self.model)
        except Exception as error:
            raise UnsupportedModel(
                f"{type(model).__name__} cannot be traced by torch.fx: {error}. Expected a "
                "model whose forward pass does not branch on the picture's values. Wrap the "
                "convolutional part in a module of its own and pass that."
            ) from error
        _input_put_first(graph)
        self.nodes = _in_place_made_plain(graph, self.model)
        self._entries = {node: self._entry(node) for node in self.nodes}
        self._refuse_unknown()
        self._last_use = {
            argument: node for node in self.nodes for argument in node.all_input_nodes
        }

    def modules(self) -> Iterator[nn.Module]:
        """The modules in the order in which the forward pass calls them."""
        for node in self.nodes:
            if node.op == "call_module":
                yield self.model.get_submodule(str(node.target))

    def _entry(self, node: fx.Node) -> Callable[..., Rule] | None:
        """The rule's constructor for a node, from the tables; None if there is none."""
        if node.op == "call_module":
            module = self.model.get_submodule(str(node.target))
            entry = MODULES.get(parametrize.type_before_parametrizations(module))
            return None if entry is None else functools.partial(entry, module)
        if node.op == "call_method":
            return METHODS.get(str(node.target))
        if node.op != "call_function":
            return None
        return FUNCTIONS.get(node.target)

    def _refuse_unknown(self) -> None:
        """No operation between the picture and the output may be without a rule."""
        alive: set[fx.Node] = set()
        inputs = [node for node in self.nodes if node.op == "placeholder"]
        if any(not node.args for node in inputs[1:]):
            names = ", ".join(node.name for node in inputs)
            raise UnsupportedModel(
                f"The model takes {names}; expected one picture. Wrap it in a module that fills in "
                "the rest."
            )
        for node in self.nodes:
            if node in inputs[:1]:
                alive.add(node)
            elif any(a in alive for a in node.all_input_nodes) and not _is_question(node):
                alive.add(node)
                if node.op.startswith("call") and self._entries[node] is None:
                    raise UnsupportedModel(
                        f"Node {node.name!r} ({_describe(self.model, node)}) has no rule for the "
                        "way back. Look at a part of the model without it, replace it by an "
                        "operation that has a rule, or add one to "
                        "zfwidgets.deconv.tables (MODULES, FUNCTIONS or METHODS)."
                    )

    def check(self, x: Tensor, record: Record) -> None:
        """Raise UnsupportedModel unless the steps gave what the model itself makes of x."""
        wanted = _pytree.tree_leaves(self._untouched(x.clone()))
        for one, other in zip(_pytree.tree_leaves(record.output), wanted, strict=True):
            if isinstance(other, Tensor) and _norm(one - other) > 1e-3 * _norm(other):
                raise UnsupportedModel(
                    f"The steps that torch.fx traced in {type(self.model).__name__} give another "
                    "output than the model does. It either changes a tensor in place that is also "
                    "read under another name (a view, or y = x; y += 1), or draws random numbers "
                    "in evaluation. Write such steps without changing in place (y = x + 1); switch "
                    "randomness off, as in F.dropout(x, training=self.training)."
                )

    def run(self, x: Tensor, keep: frozenset[int] | None = None, last: int | None = None) -> Record:
        """The forward pass of a batch [B, C, H, W], recorded.

        keep: the steps whose outputs are kept; None keeps all. last: the step to stop after; the
        record has no output then.
        """
        values: dict[fx.Node, Any] = {}
        index: dict[fx.Node, int] = {}
        calls: list[Call] = []
        output: Any = None
        for node in self.nodes:
            if node.op == "output":
                output = fx.map_arg(node.args[0], values.__getitem__)
            elif node.op == "get_attr":
                values[node] = _attribute(self.model, str(node.target))
            elif node.op == "placeholder" and calls:
                values[node] = node.args[0]  # a further argument: its default
            elif node.op == "placeholder":
                index[node], values[node] = 0, x
                calls.append(Call(node.name, "input", Rule(), (None,), tuple(x.shape), (2, 3), x))
            else:
                call = self._call(node, values, index, calls)
                if isinstance(call, Call):
                    index[node], values[node] = len(calls), call.value
                    if keep is not None and len(calls) not in keep:
                        call.value = None
                    calls.append(call)
                else:
                    values[node] = call
            for argument in node.all_input_nodes:
                if self._last_use[argument] is node:
                    values.pop(argument, None)
            if last is not None and len(calls) > last:
                break
        return Record(calls, output)

    def _call(
        self,
        node: fx.Node,
        values: dict[fx.Node, Any],
        index: dict[fx.Node, int],
        calls: list[Call],
    ) -> Call | Any:
        """Execute one operation; if it depends on the picture, its record, else its plain value."""
        args, kwargs = fx.map_arg((node.args, node.kwargs), values.__getitem__)
        forward = self._forward(node, args, kwargs)
        sources = tuple(index.get(o) if isinstance(o, fx.Node) else None for o in _operands(node))
        first = next((calls[s] for s in sources if s is not None), None)
        if first is None or _is_question(node):
            return forward()
        entry = self._entries[node]
        assert entry is not None
        try:
            rule = entry(*args, **kwargs)
            rule.size, rule.axes = first.size, first.axes
            rule.live = tuple(s is not None for s in sources)
            value = rule.run(forward)
        except (ValueError, TypeError) as error:
            raise UnsupportedModel(
                f"Node {node.name!r} ({_describe(self.model, node)}): {error}."
            ) from error
        shape = first.shape if isinstance(value, Parts) else tuple(value.shape)
        axes = first.axes if isinstance(value, Parts) else rule.out_axes(value.ndim)
        return Call(node.name, _path(node), rule, sources, shape, axes, value)

    def _forward(
        self, node: fx.Node, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Callable[[], Any]:
        """The operation itself, not yet executed."""
        if node.op == "call_module":
            forward = self.model.get_submodule(str(node.target)).forward
            return lambda: forward(*args, **kwargs)
        if node.op == "call_method":
            method = getattr(args[0], str(node.target))
            return lambda: method(*args[1:], **kwargs)
        function: Any = node.target
        return lambda: function(*args, **kwargs)


def shared_copy(model: nn.Module) -> nn.Module:
    """A copy in evaluation mode that holds the very same parameters, buffers and tensors.

    It has none of the user's hooks: they stay silent. Those of torch that derive a weight from
    others before each call (weight_norm, spectral_norm, pruning) have derived it.
    """
    memo: dict[int, Any] = {}
    for module in model.modules():
        state = [*module.parameters(False), *module.buffers(False), *vars(module).values()]
        memo |= {id(value): value for value in state if isinstance(value, Tensor)}
    copied = copy.deepcopy(model, memo).eval()
    for module in copied.modules():
        module._forward_hooks.clear()  # noqa: SLF001
        before = module._forward_pre_hooks  # noqa: SLF001
        for key, hook in list(before.items()):
            if type(hook).__module__.startswith("torch.nn.utils"):
                with torch.no_grad():
                    hook(module, ())
            else:
                del before[key]
    return copied


def _norm(tensor: Tensor) -> float:
    return float(torch.linalg.vector_norm(tensor.float()))


def _input_put_first(graph: fx.Graph) -> None:
    """`F.relu(input=x)` becomes `F.relu(x)`, so that the picture comes first everywhere."""
    for node in graph.nodes:
        for name in ("input", "tensors"):
            if name in node.kwargs and node.op != "placeholder":
                first = node.kwargs[name]
                node.kwargs = {k: v for k, v in node.kwargs.items() if k != name}
                node.args = (first, *node.args)


def _in_place_made_plain(graph: fx.Graph, model: nn.Module) -> list[fx.Node]:
    """Operations in place become plain ones, and whoever reads the changed tensor reads their
    output. The model is our copy: its flags are ours to flip.
    """
    nodes = list(graph.nodes)
    place = {node: i for i, node in enumerate(nodes)}
    for node in nodes:
        if not _in_place(node, model):
            continue
        changed = node.all_input_nodes[0]
        for user in list(changed.users):
            if place[user] > place[node]:
                user.replace_input_with(changed, node)
        if node.op == "call_method":
            node.target = str(node.target).rstrip("_")
        if "inplace" in node.kwargs:
            node.update_kwarg("inplace", False)
    for module in model.modules():
        if getattr(module, "inplace", False) is True:
            setattr(module, "inplace", False)  # noqa: B010
    return nodes


def _in_place(node: fx.Node, model: nn.Module) -> bool:
    if node.op == "call_method":
        return str(node.target).endswith("_") and not str(node.target).endswith("__")
    if node.op == "call_module":
        return getattr(model.get_submodule(str(node.target)), "inplace", False) is True
    if node.op != "call_function":
        return False
    function: Any = node.target
    name = getattr(function, "__name__", "")
    if name.endswith("_") and not name.startswith("_"):
        return True
    try:
        given = inspect.signature(function).bind(*node.args, **node.kwargs).arguments
    except (TypeError, ValueError):
        return False
    return given.get("inplace") is True


_QUESTIONS = {"size", "dim", "ndimension", "numel"}


def _is_question(node: fx.Node) -> bool:
    """True for operations that ask for a shape: no signal goes through their answer."""
    if node.op == "call_method":
        return str(node.target) in _QUESTIONS
    return node.op == "call_function" and node.target is getattr


def _operands(node: fx.Node) -> Iterator[Any]:
    """The arguments in order, with lists of tensors laid open."""
    for argument in (*node.args, *node.kwargs.values()):
        if isinstance(argument, list | tuple):
            yield from argument
        else:
            yield argument


def _attribute(model: nn.Module, path: str) -> Any:
    return functools.reduce(getattr, path.split("."), model)


def _path(node: fx.Node) -> str:
    """Where in the model a step stands: the module's path, or its parent's and the function."""
    if node.op == "call_module":
        return str(node.target)
    stack = list((node.meta.get("nn_module_stack") or {}).keys())
    return f"{stack[-1]}.{node.name}" if stack and stack[-1] else node.name


def _describe(model: nn.Module, node: fx.Node) -> str:
    if node.op == "call_module":
        return f"module {node.target}: {type(model.get_submodule(str(node.target))).__name__}"
    if node.op == "call_method":
        return f"method Tensor.{node.target}"
    return f"function {getattr(node.target, '__name__', node.target)}"
