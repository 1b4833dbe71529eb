"""Full precision and the same bits in every run, whatever the user has set."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch

_backends: Any = torch.backends

_LOCK = threading.Lock()
_inside = 0
_put_back: list[Callable[[], object]] = []


@contextmanager
def exactly() -> Iterator[None]:
    """TF32, bfloat16 and autotuning off while the block runs; then as it was.

    TF32 rounds to ten bits: maxima change places, and switches name other pixels. The settings
    are the whole process's: of several threads the first one in makes them, the last one out puts
    back what the user had. Where torch has `fp32_precision` (2.9), that is the one way by which
    they are read and written, since torch refuses whoever mixes it with the older flags; where
    there is a GPU, a model that asks for `allow_tf32` while it is recorded may be told so.
    """
    global _inside
    try:
        with _LOCK:
            _inside += 1
            if _inside == 1:
                _make_exact()
        yield
    finally:
        with _LOCK:
            _inside -= 1
            while not _inside and _put_back:
                _put_back.pop()()


def _make_exact() -> None:
    if hasattr(_backends, "fp32_precision"):
        # Without a GPU what nobody has set is exact, and nothing is touched.
        exact = ("ieee",) if torch.cuda.is_available() else ("ieee", "none")
        for setting in _settings():
            # Asked parents first: what says "ieee" by now has it from them, and will have from
            # them what they have afterwards. What a user has set by itself does not follow.
            if setting.fp32_precision not in exact:
                _set(setting, "fp32_precision", "ieee")
    else:
        before = torch.get_float32_matmul_precision()
        if before != "highest":
            torch.set_float32_matmul_precision("highest")
            _put_back.append(partial(torch.set_float32_matmul_precision, before))
        if _backends.cudnn.allow_tf32:
            _set(_backends.cudnn, "allow_tf32", False)
    for flag, value in (("deterministic", True), ("benchmark", False)):
        if getattr(_backends.cudnn, flag) != value:
            _set(_backends.cudnn, flag, value)


def _settings() -> list[Any]:
    """Everything that has a precision, each after what it inherits from."""
    cudnn, mkldnn = _backends.cudnn, _backends.mkldnn
    gpu = [cudnn, cudnn.conv, cudnn.rnn, _backends.cuda.matmul] if torch.cuda.is_available() else []
    return [_backends, *gpu, mkldnn, mkldnn.conv, mkldnn.matmul, mkldnn.rnn]


def _set(owner: Any, name: str, value: object) -> None:
    _put_back.append(partial(setattr, owner, name, getattr(owner, name)))
    setattr(owner, name, value)
