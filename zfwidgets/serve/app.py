"""Gate and engines on Ray Serve (https://docs.ray.io/en/latest/serve).

`build` makes the application, for the command and for Serve's YAML files, where autoscaling stands.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ray import serve
from ray.exceptions import RayActorError
from starlette.requests import Request
from starlette.responses import Response

from zfwidgets.remote.address import TOKEN
from zfwidgets.serve.gate import Gate
from zfwidgets.serve.refusal import Reply, refusal, refused
from zfwidgets.serve.turns import Turns

NETS_AT_ONCE = 3
"""Networks that one replica holds; the one that was asked for longest ago goes."""
_UNDERSTOOD = {"nets", "token", "replicas", "gpus", "cpus", "device", "memory_mb", "threads"}
_TRIES = 4
"""How often a question is asked whose replica dies under it."""


@serve.deployment(name="engine", max_ongoing_requests=32, graceful_shutdown_timeout_s=5)
class EngineReplica:
    """One engine on one device. memory: bytes of recordings; threads: of torch, 0 for its own."""

    def __init__(self, memory: int, device: str, threads: int) -> None:
        import torch

        from zfwidgets.serve.engine import Engine

        if threads:
            torch.set_num_threads(threads)
        self._engine, self._device = Engine(memory), device
        # One thread owns the device: what several ask for at once is joined, not mixed.
        self._thread = ThreadPoolExecutor(1, "zfwidgets-engine")

    async def __call__(self, message: bytes) -> Reply:
        """The reply to a question about the network of the request's model id."""
        try:
            net = await self.net(serve.get_multiplexed_model_id())
        except Exception as error:  # noqa: BLE001 - a network that cannot be loaded: who asked is told
            return refused(error)
        reply: Reply = await self.replies((net, message))
        return reply

    @serve.multiplexed(max_num_models_per_replica=NETS_AT_ONCE)
    async def net(self, name: str) -> Any:
        """A network by name."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._load, name)

    def _load(self, name: str) -> Any:
        from zfwidgets.deconv.load import load

        return load(name, device=self._device)

    @serve.batch(max_batch_size=8, batch_wait_timeout_s=0.0)
    async def replies(self, asked: list[tuple[Any, bytes]]) -> list[Reply]:
        """What came in while the last batch was computed, network by network."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._answer, asked)

    def _answer(self, asked: Sequence[tuple[Any, bytes]]) -> list[Reply]:
        replies: dict[int, Reply] = {}
        for net in {id(net): net for net, _ in asked}.values():
            mine = [index for index, (other, _) in enumerate(asked) if other is net]
            some = self._engine.answer(net, [asked[index][1] for index in mine])
            replies.update(zip(mine, some, strict=True))
        return [replies[index] for index in range(len(asked))]


@serve.deployment(
    name="gate", max_ongoing_requests=4096, ray_actor_options={"num_cpus": 0}, num_replicas=1
)
class GateReplica:
    """The gate: one, for it knows whose turn it is. at_once: questions to all engines."""

    def __init__(self, engine: Any, nets: Sequence[str], token: str, at_once: int) -> None:
        self._engine = engine
        self._gate = Gate(self._ask, nets, token, Turns(at_once, each=8, most=256))

    async def __call__(self, request: Request) -> Response:
        """One HTTP request."""
        if request.method != "POST":
            return _response(refusal(405, "ServerError", "Not a question", "Expected a POST."))
        peer = request.client.host if request.client else ""
        return _response(await self._gate.answer(request.headers, _body(request), peer))

    async def _ask(self, net: str, body: bytes) -> Reply:
        for turn in range(_TRIES):
            try:
                reply: Reply = await self._engine.options(multiplexed_model_id=net).remote(body)
            except RayActorError:
                # The replica died; every answer depends on nothing but its question.
                await asyncio.sleep(0.2 * 2**turn)
                continue
            return reply
        told = "Its replicas ended while they worked on this question."
        return refusal(503, "ServerError", "The engine does not stay alive", told)


async def _body(request: Request) -> AsyncIterator[bytes]:
    async for part in request.stream():
        yield part


def _response(reply: Reply) -> Response:
    status, body = reply
    kind = "application/octet-stream" if status == 200 else "application/json"
    return Response(body, status, media_type=kind)


def build(args: dict[str, Any]) -> Any:
    """The application, as Serve's YAML asks for it (``import_path: zfwidgets.serve.app:build``).

    args: ``nets``, names of the networks that are offered (default: zfnet); ``token`` (default:
    that of ``ZFWIDGETS_TOKEN``, else one is made up); ``replicas``, ``gpus`` and ``cpus`` of each;
    ``device``; ``memory_mb`` of recordings of each; ``threads``. Where a YAML gives the deployment
    ``engine`` an autoscaling_config, that counts.
    """
    if unknown := sorted({*args} - _UNDERSTOOD):
        told = f"build() got {', '.join(unknown)}; it understands {', '.join(sorted(_UNDERSTOOD))}"
        raise TypeError(told)
    nets = list(args.get("nets") or ["zfnet"])
    replicas, gpus = int(args.get("replicas", 1)), float(args.get("gpus", 0))
    token = str(args.get("token") or os.environ.get(TOKEN) or secrets.token_urlsafe(24))
    # Types know nothing of what the decorator makes of a class.
    engines: Any = EngineReplica
    gates: Any = GateReplica
    engine = engines.options(
        num_replicas=replicas,
        ray_actor_options={"num_cpus": float(args.get("cpus", 1)), "num_gpus": gpus},
    ).bind(
        int(args.get("memory_mb", 256)) * 2**20,
        str(args.get("device", "auto")),
        int(args.get("threads", 0)),
    )
    # One is computed, the next ones wait at the replica: enough that it is never idle, and as few
    # as leave the order to the gate. On a GPU several are joined.
    at_once = replicas * (8 if gpus else 3)
    return gates.bind(engine, nets, token, at_once)
