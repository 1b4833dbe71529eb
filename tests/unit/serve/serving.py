"""What the tests of the server share: a small network, and a server of it without Ray."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
import uvicorn
from PIL import Image
from starlette.requests import Request
from starlette.responses import Response
from torch import nn

from zfwidgets.deconv import DeconvNet
from zfwidgets.images import Preprocess
from zfwidgets.serve.engine import Engine
from zfwidgets.serve.gate import Gate
from zfwidgets.serve.refusal import Reply
from zfwidgets.serve.turns import Turns

TOKEN = "open sesame"


class Small(nn.Module):
    """Two convolutions and a classifier of five, for 32 x 32 pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 5, stride=2, padding=2)
        self.pool1 = nn.MaxPool2d(3, 2)
        self.conv2 = nn.Conv2d(6, 8, 3, padding=1)
        self.fc3 = nn.Linear(8 * 7 * 7, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.pool1(torch.relu(self.conv1(x)))
        return self.fc3(torch.relu(self.conv2(x)).flatten(1))


def small() -> DeconvNet:
    torch.manual_seed(5)
    how = Preprocess(size=32, resize=36)
    return DeconvNet(Small().eval(), how, list("abcde"), device="cpu", name="small")


def picture(seed: int = 0, size: tuple[int, int] = (50, 40)) -> Image.Image:
    """Coloured noise."""
    torch.manual_seed(seed)
    pixels = torch.randint(0, 256, (size[1], size[0], 3), dtype=torch.uint8)
    return Image.fromarray(pixels.numpy())


class Served:
    """A gate and an engine behind HTTP in a thread of this process; can be stopped and started."""

    def __init__(self, net: DeconvNet, turns: Callable[[], Turns] | None = None) -> None:
        self.net, self.engine = net, Engine()
        self._turns = turns or (lambda: Turns(at_once=2, each=8, most=64))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.asked: list[bytes] = []
        self._one = ThreadPoolExecutor(1)  # as a replica has
        self.start()

    def start(self) -> None:
        self.gate = Gate(self._ask, [self.net.name], TOKEN, self._turns())
        config = uvicorn.Config(
            self._app,
            port=self.port,
            interface="asgi3",
            log_level="critical",
            ws="none",
            lifespan="off",
        )
        self._server = uvicorn.Server(config)
        ready = threading.Event()
        real = self._server.startup

        async def startup(*args: Any, **options: Any) -> None:
            await real(*args, **options)
            ready.set()

        self._server.startup = startup  # type: ignore[method-assign]
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        assert ready.wait(30)

    def stop(self) -> None:
        self._server.should_exit = self._server.force_exit = True
        self._thread.join(30)

    async def _ask(self, _net: str, body: bytes) -> Reply:
        self.asked.append(body)
        loop = asyncio.get_running_loop()
        return (await loop.run_in_executor(self._one, self.engine.answer, self.net, [body]))[0]

    async def _app(self, scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        reply = await self.gate.answer(request.headers, request.stream(), "nobody")
        await Response(reply[1], reply[0])(scope, receive, send)
