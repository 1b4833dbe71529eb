"""A scan shared out to two processes by Ray Data gives the bits of the single pass."""

from __future__ import annotations

import gc
from typing import Any

import pytest
import ray

from tests.unit.analysis.test_scan import bits, labels, network, pictures
from zfwidgets.analysis import scan

# Ray's own: threads and sockets that end with the interpreter, and what pandas says to it.
pytestmark = pytest.mark.filterwarnings("ignore")


def test_two_workers_give_the_bits_of_the_single_pass() -> None:
    net, photos = network(), pictures()
    how: dict[str, Any] = {"k": 4, "batch": 2, "labels": labels(), "progress": False}
    assert bits(scan(net, photos, ray=2, **how)) == bits(scan(net, photos, **how))
    assert not ray.is_initialized()
    gc.collect()  # here, where its sockets may complain
