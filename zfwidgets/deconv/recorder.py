"""Recording: the user's own model runs, and every operation that it executes is written down.

`Recorder` is a dispatch mode of torch: it sees the operations below modules, functions and methods,
whatever Python does between them. A value that depends on the picture is told by its tensor object;
changes in place by the memory they go to (`aliases.py`). Nothing is traced, copied or registered on
the model; two hooks for all modules tell, for the time of the call, in which one we are.
"""

from __future__ import annotations

import functools
import sys
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from types import FrameType
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules import module as hooks
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree
from torch.utils._python_dispatch import TorchDispatchMode

from zfwidgets.deconv import models
from zfwidgets.deconv.aliases import Memory, Place
from zfwidgets.deconv.changes import Added, Change
from zfwidgets.deconv.graph import Call, Grid, Record, UnsupportedModel
from zfwidgets.deconv.operations import OPERATIONS, SHAPES_ALONE, Operation
from zfwidgets.deconv.outputs import tensors_in
from zfwidgets.deconv.resumed import READERS, Resumed, shape_alone
from zfwidgets.deconv.rules import (
    Concatenate,
    Derivative,
    Kept,
    LocalResponseNorm,
    MaxPoolWithIndices,
    NotExact,
    Operand,
    Permute,
    Reshape,
    Rule,
    Slice,
    Written,
)

_MADE_OF_OTHERS = torch._C.DispatchKey.CompositeImplicitAutograd  # noqa: SLF001


_RANDOM = (
    "random numbers meet the picture, in evaluation too; expected a forward pass that gives the "
    "same twice. Switch them off, as in F.dropout(x, training=self.training)"
)
"""What is said of models that draw lots."""


class _Stop(BaseException):
    """The last layer that was asked for is recorded. No model catches a BaseException."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What is to be known of an operation, found out once.

    operation: its entry in the table, if it has one. composite: it is made of other operations.
    written: positions of the arguments that it changes in place; outs: names of those it fills.
    plain: the same operation, not in place. shape_only: only sizes and strides change in place.
    random: it draws lots.
    """

    name: str
    operation: Operation | None
    composite: bool
    written: tuple[int, ...]
    outs: tuple[str, ...]
    plain: Callable[..., Any]
    shape_only: bool
    random: bool


@functools.cache
def _known(function: Any) -> _Known:
    schema = function._schema  # noqa: SLF001 - torch offers it nowhere else
    space, _, name = schema.name.partition("::")
    writes = [
        (i, argument)
        for i, argument in enumerate(schema.arguments)
        if argument.alias_info is not None and argument.alias_info.is_write
    ]
    base = name.removesuffix("_") if writes and not name.startswith("__") else name
    plain: Any = function
    if writes and base != name:
        packet = getattr(getattr(torch.ops, space), base, None)
        overload = schema.overload_name or "default"
        plain = getattr(packet, overload, packet) if packet is not None else function
    return _Known(
        name=base.strip("_") if name.startswith("__i") else base,
        operation=OPERATIONS.get(base) if space == "aten" else None,
        composite=torch._C._dispatch_has_kernel_for_dispatch_key(  # noqa: SLF001
            function.name(), _MADE_OF_OTHERS
        ),
        written=tuple(i for i, argument in writes if not argument.is_out),
        outs=tuple(argument.name for _, argument in writes if argument.is_out),
        plain=plain,
        shape_only=torch.Tag.inplace_view in function.tags,
        random=torch.Tag.nondeterministic_seeded in function.tags,
    )


def _draws_lots(function: Any, args: tuple[Any, ...], options: dict[str, Any]) -> bool:
    """True if a call of an operation that may draw lots does: not a dropout that is off."""
    arguments = function._schema.arguments  # noqa: SLF001 - as above
    given = {a.name: a.default_value for a in arguments}
    given |= dict(zip((a.name for a in arguments), args, strict=False)) | options
    if given.get("train", given.get("training")) is False:
        return False
    shares = [given[name] for name in ("dropout_p", "dropout", "p") if name in given]
    return not shares or shares[0] is None or bool(shares[0] > 0)


@dataclass(slots=True)
class _Entry:
    """What a tensor object holds: the call it came from, and how many changes that includes."""

    tensor: weakref.ref[Tensor]
    call: int | None
    changes: int


class Recorder(TorchDispatchMode):
    """Watches one forward pass of a batch of pictures.

    keep: the steps whose outputs are kept; None keeps all. last: the step to stop after. changes:
    of the outputs of steps. added: layers that the model does not have itself. resumed: what need
    not be computed.
    """

    def __init__(
        self,
        model: nn.Module,
        keep: frozenset[int] | None,
        last: int | None,
        changes: Sequence[Change] = (),
        added: Sequence[Added] = (),
        resumed: Resumed | None = None,
    ) -> None:
        super().__init__()
        self._resumed = resumed
        self._changes, self._added = {change.step: change for change in changes}, added
        self._due: list[tuple[Added, int, Tensor]] = []
        self._adding: Added | None = None
        self.calls: list[Call] = []
        self.faithful = True
        self._model = model
        self._keep, self._last = keep, last
        self._entries: dict[int, _Entry] = {}
        self._memory = Memory()
        self._lots: dict[int, weakref.ref[Tensor]] = {}
        self._batch = 1
        self._silent = False
        self._modules: list[nn.Module] = []
        self._paths = {id(module): path for path, module in models.paths_of(model).items()}
        self._names: dict[str, int] = {}
        self._flat: dict[int, Grid] = {}
        """Maps that were flattened to [B, C, T], by their call."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # Torch would import its compiler at the first operation, to keep it away from the others:
        # as long again as importing torch. Nothing is compiled here, see `models.as_written`.
        return False

    # ------------------------------------------------------------------------------- from outside

    def run(self, forward: Callable[[Tensor], Any], x: Tensor) -> Record:
        """The forward pass of x [B, C, H, W]. With `last` the record has no output."""
        self._batch = len(x)
        self._append(Rule(), "input", "input", "", (None,), x, (2, 3), lead=True)
        self.calls[0].rule.operands = (None,)
        stopped, output = False, None
        with _Watch(self):
            try:
                output = forward(x)
            except _Stop:
                stopped = True
            except Exception:
                # Scripted code turns what is thrown through it into errors of its own.
                if self._last is None or len(self.calls) <= self._last:
                    raise
                stopped = True
            ends = () if stopped else self._outputs(output)
        return Record(self.calls, output, ends, self.faithful)

    def _outputs(self, output: Any) -> tuple[int | None, ...]:
        return tuple(self._find(tensor) for tensor in tensors_in(output))

    @property
    def model(self) -> nn.Module:
        """The model that runs."""
        return self._model

    def entered(self, module: nn.Module) -> None:
        """The forward pass has entered a module."""
        self._modules.append(module)

    def left(self, module: nn.Module) -> None:
        """The forward pass has left a module."""
        while self._modules and self._modules.pop() is not module:
            pass

    # ----------------------------------------------------------------------------- what torch calls

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """One operation, executed and written down, and the layers that look at its output."""
        options = kwargs or {}
        if self._silent:
            return func(*args, **options)
        result = self._executed(func, args, options)
        self._look_along()
        return result

    def _executed(self, func: Any, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """One operation, executed and written down."""
        known = _known(func)
        operands = list(_operands(args, options))
        sources = [self._find(o) if isinstance(o, Tensor) else None for o in operands]
        made_of_others = known.operation is None and known.composite
        if not made_of_others:
            self._check_values(known, operands, sources)
        if known.name in SHAPES_ALONE or all(source is None for source in sources):
            if not shape_alone(known.name):
                self._outside(sources)
            return self._constant(func, known, operands, args, options)
        draws = known.random and not made_of_others and _draws_lots(func, args, options)
        if draws or self._drawn(operands):
            raise self._refused(known, _RANDOM)
        if known.outs:
            return self._filled(func, known, args, options)
        if known.written:
            return self._changed(func, known, operands, sources, args, options)
        if made_of_others:
            with self:
                return func._op_dk(_MADE_OF_OTHERS, *args, **options)  # noqa: SLF001
        return self._recorded(
            known, operands, sources, args, options, lambda: func(*args, **options)
        )

    def whole(
        self, rule: Callable[..., Rule], function: Callable[..., Any], args: Any, options: Any
    ) -> Any:
        """A function of torch's that is one operation to us, though it is made of many."""
        operands = list(_operands(args, options))
        sources = [self._find(o) if isinstance(o, Tensor) else None for o in operands]
        if all(source is None for source in sources):
            return function(*args, **options)
        operation = Operation(rule)
        known = _Known(function.__name__, operation, False, (), (), function, False, False)
        self._check_values(known, operands, sources)

        def forward() -> Any:
            self._silent = True
            try:
                return function(*args, **options)
            finally:
                self._silent = False

        result = self._recorded(known, operands, sources, args, options, forward)
        self._look_along()
        return result

    def _look_along(self) -> None:
        """Layers of directions whose base has just been written down."""
        while self._due:
            added, index, value = self._due.pop(0)
            base = self.calls[index]
            self._adding = added
            try:
                with self:
                    added.of(value, last=base.channel_axis == len(base.shape) - 1)
            finally:
                self._adding = None

    def read(self, operands: Iterable[Any]) -> None:
        """Values are read behind the dispatcher's back."""
        if self._resumed is not None:
            self._resumed.check(operands)
            self._outside([self._find(o) for o in operands if isinstance(o, Tensor)])

    def _outside(self, sources: Iterable[int | None]) -> None:
        """Values go on where no call follows them."""
        if self._resumed is not None:
            self._resumed.check_outside(sources)

    def same(self, tensor: Tensor, other: Tensor) -> None:
        """Another tensor object over the same memory, made behind the dispatcher's back."""
        self.faithful = False
        call = self._find(tensor)
        if call is not None:
            self._register(other, call)

    # ------------------------------------------------------------------------------------ constants

    def _constant(
        self, func: Any, known: _Known, operands: list[Any], args: Any, options: Any
    ) -> Any:
        """An operation that no picture reaches; what it changes may still be needed."""
        for position in known.written:
            if isinstance(args[position], Tensor):
                self._memory.before_change(args[position], [])
        for name in known.outs:
            if isinstance(options.get(name), Tensor):
                self._memory.before_change(options[name], [])
        result = func(*args, **options)
        if self._drawn(operands) or (known.random and _draws_lots(func, args, options)):
            for tensor in _pytree.tree_leaves(result):
                if isinstance(tensor, Tensor):
                    self._lots[id(tensor)] = weakref.ref(tensor)
        return result

    def _drawn(self, operands: list[Any]) -> bool:
        """True if one of them was drawn by lot."""
        if not self._lots:
            return False
        refs = ((o, self._lots.get(id(o))) for o in operands if isinstance(o, Tensor))
        return any(ref is not None and ref() is o for o, ref in refs)

    # -------------------------------------------------------------------------------- what is known

    def _find(self, tensor: Tensor) -> int | None:
        """The call whose value the tensor holds now; None for one that no picture reaches."""
        entry = self._entries.get(id(tensor))
        if entry is not None and entry.tensor() is not tensor:
            entry = None
        if not self._memory:
            return None if entry is None else entry.call
        changes = self._memory.since(tensor, 0 if entry is None else entry.changes)
        call = None if entry is None else entry.call
        if not changes:
            return call
        for write in changes:
            call = self._overwritten(tensor, call, write.place, write.call)
        if call is None and entry is None:
            return None
        self._register(tensor, call)
        return call

    def _overwritten(
        self, tensor: Tensor, call: int | None, place: Place, written: int | None
    ) -> int | None:
        """The call that holds the tensor's values once some of them were written."""
        if call is None and written is None:
            return None
        own = Place.of(tensor)
        if own == place:
            return written
        lead = self._batch > 1 and all(
            p.size[:1] == (self._batch,) and p.stride[0] == own.stride[0] for p in (own, place)
        )
        if self._batch == 1 or not lead:
            places = own.taken_from(place)
        else:
            places = own.picture().taken_from(place.picture())
        if not bool((places >= 0).any()):
            return call
        if call is None and bool((places >= 0).all()) and written is None:
            return None
        new = self.calls[written] if written is not None else None
        rule = Written(places, place.size)
        rule.operands = (self._operand(call), self._operand(written))
        before = self.calls[call] if call is not None else None
        model = before if before is not None else new
        assert model is not None
        axes = before.axes if before is not None else ((2, 3) if tensor.ndim == 4 else None)
        single = self._batch == 1 and tensor.shape[:1] == (1,)
        alike = all(o is None or o.lead for o in rule.operands)
        self._append(
            rule,
            "write",
            model.path,
            "",
            (call, written),
            tensor,
            axes,
            lead=single or (lead and alike),
        )
        return len(self.calls) - 1

    def _operand(self, call: int | None) -> Operand | None:
        if call is None:
            return None
        found = self.calls[call]
        return Operand(found.shape, found.axes, found.lead)

    def _register(self, tensor: Tensor, call: int | None) -> None:
        self._entries[id(tensor)] = _Entry(weakref.ref(tensor), call, self._memory.count(tensor))

    # -------------------------------------------------------------------------------- what is new

    def _recorded(
        self,
        known: _Known,
        operands: list[Any],
        sources: list[int | None],
        args: Any,
        options: Any,
        forward: Callable[[], Any],
    ) -> Any:
        """Execute an operation and append its calls, one for every output that has a signal."""
        if (call := self._taken(known, sources)) is not None:
            assert self._resumed is not None
            like = next(o for o in operands if isinstance(o, Tensor))
            value = self._resumed.value(len(self.calls), like)
            self._take(known, call, value)
            return value
        given = tuple(map(self._operand, sources))
        rules = self._exact(known, args, options, given)
        if isinstance(rules, list):
            outputs = forward()
            if len(rules) == len(outputs) and all(rule.applies() for rule in rules):
                for rule, output in zip(rules, outputs, strict=True):
                    self._result(known, rule, sources, output, lead=True)
                return outputs
            self._by_derivative(known, args, options, given, sources, outputs)
            return outputs
        outputs = forward() if rules is None else rules.run(forward)
        if not isinstance(outputs, Tensor | list | tuple):
            self._outside(sources)
            return outputs  # a number, read out to Python
        value = outputs if isinstance(outputs, Tensor) else outputs[0]
        if isinstance(rules, MaxPoolWithIndices):
            self._outside(sources)
        if not known.written and any(value is operand for operand in operands):
            return outputs  # as contiguous() does where there is nothing to do
        free = all(o is None or not o.lead for o in given)
        lead = not free and value.shape[:1] == (self._batch,)
        if rules is not None and rules.applies() and (lead or rules.elementwise):
            self._result(known, rules, sources, value, lead=lead)
        else:
            self._by_derivative(known, args, options, given, sources, outputs)
        return outputs

    def _taken(self, known: _Known, sources: Sequence[int | None]) -> Call | None:
        """The call of an operation that a recording has already, and nothing has changed."""
        if self._resumed is None:
            return None
        return self._resumed.call(len(self.calls), known.name, sources)

    def _check_values(
        self, known: _Known, operands: list[Any], sources: Sequence[int | None]
    ) -> None:
        """Raises NotResumed if an operation is to read values that were not computed."""
        if self._resumed is None or shape_alone(known.name):
            return
        if self._taken(known, sources) is None:
            self._resumed.check(operands)

    def _take(self, known: _Known, call: Call, value: Tensor) -> None:
        """Append a call of the recording."""
        path, name = self._place(known.name)
        self._append(
            call.rule,
            name,
            path,
            "",
            call.sources,
            value,
            call.axes,
            lead=call.lead,
            kept=call.kept,
        )
        self._register(value, len(self.calls) - 1)
        if self._last is not None and len(self.calls) > self._last:
            raise _Stop

    def _exact(
        self, known: _Known, args: Any, options: Any, operands: tuple[Operand | None, ...]
    ) -> Rule | list[Rule] | None:
        """The exact rule of a call, if there is one that holds."""
        operation = known.operation
        if operation is None or operation.rule is None:
            return None
        try:
            made = operation.rule(*args, **options)
        except NotExact:
            return None
        except ValueError as error:
            raise self._refused(known, str(error)) from error
        rules = made if isinstance(made, list) else [made]
        if any(o is not None for o in operands[slice(*operation.weights)]):
            return None  # weights that were made from the picture: the signal goes to them, too
        if len({o.axes for o in operands if o is not None and o.axes is not None}) > 1:
            return None  # rows and columns stand elsewhere in the one than in the other
        for rule in rules:
            rule.operands, rule.operation = operands, known.name
        alike = all(o is None or o.lead for o in operands)
        return made if alike or all(rule.elementwise for rule in rules) else None

    def _by_derivative(
        self,
        known: _Known,
        args: Any,
        options: Any,
        operands: tuple[Operand | None, ...],
        sources: list[int | None],
        outputs: Any,
    ) -> None:
        """Append the calls of an operation that goes back by its derivative."""
        operation = known.operation or Operation(None, known.name.replace("_", " "))
        by_picture = known.operation is not None and operation.by_picture(*args, **options)
        alike = all(o is None or o.lead for o in operands)
        single = isinstance(outputs, Tensor)
        for i, output in enumerate([outputs] if single else outputs):
            if not isinstance(output, Tensor):
                continue
            rule = Derivative(
                known.plain,
                args,
                options,
                output=None if single else i,
                extension=operation.extension or known.name.replace("_", " "),
                by_picture=by_picture,
                kind=operation.kind,
            )
            rule.operands = operands
            one = self._batch == 1 and output.shape[:1] == (1,)
            lead = one or (by_picture and alike and output.shape[:1] == (self._batch,))
            self._result(known, rule, sources, output, lead=lead)

    def _result(
        self, known: _Known, rule: Rule, sources: Sequence[int | None], value: Tensor, *, lead: bool
    ) -> None:
        """Append one call, if its value can carry a signal."""
        if value.is_quantized:
            raise self._refused(
                known, "a quantised tensor; expected floats. Give the model before quantisation"
            )
        if not (value.is_floating_point() or value.is_complex()):
            self._outside(sources)
            return
        path, name = self._place(known.name)
        where = _line() if isinstance(rule, Derivative) else ""
        mapped = lead or value.shape[:1] == (self._batch,)
        axes = rule.out_axes(tuple(value.shape)) if mapped else None
        self._append(rule, name, path, where, tuple(sources), value, axes, lead=lead)
        self._register(value, len(self.calls) - 1)
        if self._last is not None and len(self.calls) > self._last:
            raise _Stop

    def _append(
        self,
        rule: Rule,
        name: str,
        path: str,
        where: str,
        sources: tuple[int | None, ...],
        value: Tensor,
        axes: Any,
        *,
        lead: bool,
        kept: Kept | None = None,
    ) -> None:
        index = len(self.calls)
        if change := self._changes.get(index):
            self._apply(change, value, rule)
        if kept is None or change:
            kept = Kept(value) if self._keep is None or index in self._keep else None
        self._memory.keep(rule.boxes if kept is None else [*rule.boxes, kept])
        shape = tuple(value.shape)
        if isinstance(rule, Derivative | Written):
            rule.out = Operand(shape, axes, lead)
        mapped = len(shape) == 3 and shape[0] == self._batch
        grid = self._grid(rule, sources, shape) if mapped else None
        count = self._names[name] = self._names.get(name, -1) + 1
        name = f"{name}_{count}" if count else name
        call = Call(name, path, where, rule, sources, shape, axes, lead, kept, grid)
        call.added = self._adding is not None
        self.calls.append(call)
        self._due += [(each, index, value) for each in self._added if each.after == name]
        if index == 0:
            self._register(value, 0)

    def _apply(self, change: Change, value: Tensor, rule: Rule) -> None:
        """Change a value in place; what rules have kept of it stays as it was."""
        self._memory.before_change(value, rule.boxes)
        self._silent, before = True, self._silent
        try:
            change.apply(value)
        finally:
            self._silent = before

    def _grid(
        self, rule: Rule, sources: tuple[int | None, ...], shape: tuple[int, ...]
    ) -> Grid | None:
        """Where the tokens [B, T, C] of a call stand on the map that they were cut from."""
        source = next((s for s in sources if s is not None), None)
        if source is None:
            return None
        before = self.calls[source]
        if isinstance(rule, Reshape) and before.size is not None and len(before.shape) == 4:
            height, width = before.size
            if before.axes == (2, 3) and shape[2] == height * width:
                self._flat[len(self.calls)] = Grid(0, height, width)
            return Grid(0, height, width) if before.axes == (1, 2) else None
        if isinstance(rule, Permute):
            return self._flat.get(source) if rule.dims == [0, 2, 1] else None
        if isinstance(rule, Concatenate):
            for i, part in enumerate(sources):
                grid = None if part is None else self.calls[part].grid
                if grid is not None and rule.dim == 1:
                    return replace(grid, first=grid.first + sum(rule.widths[:i]))
            return None
        grids = [self.calls[s].grid for s in sources if s is not None]
        grid = next((g for g in grids if g is not None), None)
        if grid is None:
            return None
        if isinstance(rule, Slice) and rule.dim == 1:
            last = grid.first + grid.height * grid.width
            fits = rule.every == 1 and rule.start <= grid.first and last <= rule.start + shape[1]
            return replace(grid, first=grid.first - rule.start) if fits else None
        return grid if shape[1] == before.shape[1] else None

    # ----------------------------------------------------------------------------------- in place

    def _filled(self, func: Any, known: _Known, args: Any, options: dict[str, Any]) -> Any:
        """`torch.add(x, y, out=z)`: the sum, then copied to z."""
        filled = [options[name] for name in known.outs]
        rest = {key: value for key, value in options.items() if key not in known.outs}
        with self:
            made = func.overloadpacket(*args, **rest)
            for target, value in zip(filled, _pytree.tree_leaves(made), strict=True):
                if target.shape != value.shape:
                    raise self._refused(known, "out= of another shape; expected the result's")
                target.copy_(value)
        return filled[0] if len(filled) == 1 else tuple(filled)

    def _changed(
        self,
        func: Any,
        known: _Known,
        operands: list[Any],
        sources: list[int | None],
        args: Any,
        options: Any,
    ) -> Any:
        """An operation in place: it goes back as the plain one, its value is the changed tensor."""
        if known.written != (0,) or not isinstance(args[0], Tensor):
            raise self._refused(
                known, "it changes several tensors in place; expected one. Write it as y = f(x)"
            )
        target: Tensor = args[0]
        if known.shape_only:
            result = self._recorded(
                known, operands, sources, args, options, lambda: func(*args, **options)
            )
            self._register(target, len(self.calls) - 1)
            return result
        if known.operation is None and known.composite:
            with self:
                return func._op_dk(_MADE_OF_OTHERS, *args, **options)  # noqa: SLF001
        before = len(self.calls)
        if known.name in ("copy", "fill", "zero"):
            self._copied(func, sources, args, options)
        else:
            self._in_place(known, sources, args, options, func)
        made = len(self.calls) - 1 if len(self.calls) > before else None
        changes = self._memory.written(target, made)
        self._entries[id(target)] = _Entry(weakref.ref(target), made, changes)
        if self._last is not None and len(self.calls) > self._last:
            raise _Stop
        return target

    def _in_place(
        self,
        known: _Known,
        sources: list[int | None],
        args: Any,
        options: Any,
        func: Any,
    ) -> None:
        """As `_recorded`; what the rule needs of the operands is copied before they change."""
        last, self._last = self._last, None  # the change is to be written down before we stop
        if (call := self._taken(known, sources)) is not None:
            assert self._resumed is not None
            self._resumed.fill(len(self.calls), args[0])
            self._take(known, call, args[0])
            self._last = last
            return
        given = tuple(map(self._operand, sources))
        rule = self._exact(known, args, options, given)
        target: Tensor = args[0]
        lead = all(o is None or o.lead for o in given) and target.shape[:1] == (self._batch,)
        alike = all(o is None or len(o.shape) == target.ndim for o in given)
        try:
            if isinstance(rule, Rule) and alike and (lead or rule.elementwise):
                self._memory.before_change(target, rule.boxes)
                rule.run(lambda: func(*args, **options))
                self._result(known, rule, sources, target, lead=lead)
            else:
                self._memory.before_change(target, [])
                copies = [a.clone() if a is target else a for a in args]
                func(*args, **options)
                self._by_derivative(known, copies, options, given, sources, target)
        finally:
            self._last = last

    def _copied(
        self,
        func: Any,
        sources: list[int | None],
        args: Any,
        options: Any,
    ) -> None:
        """`copy_`, `fill_`, `zero_`: what the target held before is gone."""
        last, self._last = self._last, None
        target: Tensor = args[0]
        self._memory.before_change(target, [])
        func(*args, **options)
        source = sources[1] if len(sources) > 1 else None
        try:
            if source is not None:
                value: Tensor = args[1]
                given = (self._operand(source),)
                shape = list(target.shape)
                if tuple(shape) == tuple(value.shape):
                    rule = Rule()
                    rule.operands = given
                    lead = self.calls[source].lead
                    known = _known(torch.ops.aten.clone.default)
                    self._append_copy(known, rule, source, target, lead=lead)
                else:
                    known = _known(torch.ops.aten.expand.default)
                    self._by_derivative(known, [value, shape], {}, given, [source], target)
        finally:
            self._last = last

    def _append_copy(
        self, known: _Known, rule: Rule, source: int, target: Tensor, *, lead: bool
    ) -> None:
        if not target.is_floating_point():
            return
        path, name = self._place(known.name)
        axes = self.calls[source].axes if lead else None
        self._append(rule, name, path, "", (source,), target, axes, lead=lead)

    # --------------------------------------------------------------------------------------- words

    def _place(self, operation: str) -> tuple[str, str]:
        """Where in the model an operation stands, and a name for its step."""
        if self._adding is not None:
            return self._adding.name, self._adding.name
        module = self._modules[-1] if self._modules else None
        path = "" if module is None else self._paths.get(id(module), type(module).__name__)
        if module is not None and path and _is_leaf(module, operation):
            return path, path.replace(".", "_")
        return f"{path}.{operation}" if path else operation, operation

    def _refused(self, known: _Known, why: str) -> UnsupportedModel:
        path, _ = self._place(known.name)
        return UnsupportedModel(f"{path} ({known.name}, {_line() or 'scripted code'}): {why}.")


class _Watch:
    """Everything that is switched on for the time of one forward pass, and off again."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def __enter__(self) -> None:
        recorder = self._recorder
        mine = threading.get_ident()  # hooks for all modules are called in every thread

        def entered(module: nn.Module, _: Any) -> None:
            if threading.get_ident() == mine:
                recorder.entered(module)

        def left(module: nn.Module, *_: Any) -> None:
            if threading.get_ident() == mine:
                recorder.left(module)

        before = hooks.register_module_forward_pre_hook(entered)
        after = hooks.register_module_forward_hook(left, always_call=True)
        self._off = [before.remove, after.remove]
        self._guards: list[Any] = [
            models.as_written(),
            torch.no_grad(),
            # So that operations arrive as they were called, not as what autograd makes of them.
            torch._C._AutoDispatchBelowAutograd(),  # noqa: SLF001
            _Functions(recorder),
            recorder,
        ]
        fast = torch.backends.mha.get_fastpath_enabled()
        torch.backends.mha.set_fastpath_enabled(False)  # one operation without a derivative
        self._off.append(lambda: torch.backends.mha.set_fastpath_enabled(fast))
        for guard in self._guards:
            guard.__enter__()

    def __exit__(self, *error: Any) -> None:
        for guard in reversed(self._guards):
            guard.__exit__(None, None, None)
        for off in self._off:
            off()


class _Functions(TorchFunctionMode):
    """Sees what does not reach the dispatcher as one operation, or at all."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self._recorder = recorder

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Local response normalisation is made of many operations; `.data` is none."""
        options = kwargs or {}
        if func is F.local_response_norm:
            return self._recorder.whole(LocalResponseNorm, func, args, options)
        if func in READERS:
            self._recorder.read(args)
        result = func(*args, **options)
        if func is _DATA and isinstance(result, Tensor):
            self._recorder.same(args[0], result)
        elif func is Tensor.detach or func is torch._C._set_grad_enabled:  # noqa: SLF001
            self._recorder.faithful = False
        return result


_DATA = Tensor.data.__get__  # type: ignore[attr-defined]


def _operands(args: Sequence[Any], options: dict[str, Any]) -> Iterator[Any]:
    """The arguments in order, with lists laid open, as `torch.utils._pytree` does."""
    for argument in (*args, *options.values()):
        if isinstance(argument, list | tuple):
            yield from argument
        else:
            yield argument


def _is_leaf(module: nn.Module, operation: str) -> bool:
    """True for modules that stand for their one operation."""
    if isinstance(module, nn.modules.conv._ConvNd):  # noqa: SLF001
        return operation.startswith("conv")
    if isinstance(module, nn.Linear):
        return operation == "linear"
    return all(name == "parametrizations" for name, _ in module.named_children())


def _line() -> str:
    """File and line of the model's code that is running."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001
    while frame is not None:
        file = frame.f_code.co_filename
        if not ("/torch/" in file or "\\torch\\" in file or file == __file__):
            return f"{file}:{frame.f_lineno}"
        frame = frame.f_back
    return ""
