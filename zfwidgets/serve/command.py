"""``zfwidgets serve``: the application on Ray Serve, on this machine or a cluster, until Ctrl-C."""

from __future__ import annotations

import os
import secrets
import signal
import sys
import threading
from argparse import ArgumentParser, Namespace
from typing import Any

PORT = 8900
_STORE_BYTES = 256 * 2**20
"""Of the object store, through which questions and answers go."""


def add_options(parser: ArgumentParser) -> None:
    """What the command understands."""
    parser.add_argument("--net", nargs="+", default=["zfnet", "alexnet"], metavar="NAME")
    parser.add_argument("--ip", default="127.0.0.1", help="default: %(default)s, this machine")
    parser.add_argument("--port", type=int, default=PORT, help="default: %(default)s")
    parser.add_argument("--token", help="default: that of ZFWIDGETS_TOKEN, else a new one")
    parser.add_argument("--replicas", type=int, help="engines; default: one per GPU, else one")
    parser.add_argument("--device", default="auto", help="cpu or cuda (default: the fastest)")
    told = "megabytes of recordings that each engine keeps (default: %(default)s)"
    parser.add_argument("--memory", type=int, default=512, help=told)
    parser.add_argument("--cluster", metavar="ADDRESS", help="of a Ray cluster, or auto")


def run(options: Namespace) -> int:
    """Start, say the address, and serve until interrupted; returns the exit code."""
    # Nothing is told to anybody outside.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    from zfwidgets.remote.address import ENGINE, TOKEN

    try:
        import ray
        from ray import serve

        from zfwidgets.serve.app import build
    except ImportError as error:
        print(
            f"zfwidgets serve: {error}. It needs Ray Serve: pip install 'zfwidgets[serve]'",
            file=sys.stderr,
        )
        return 2
    token = options.token or os.environ.get(TOKEN) or secrets.token_urlsafe(24)
    cores = os.cpu_count() or 1
    if options.cluster:
        ray.init(address=options.cluster, log_to_driver=False)
    else:
        ray.init(
            num_cpus=max(cores, options.replicas or 1),
            include_dashboard=False,
            object_store_memory=_STORE_BYTES,
            log_to_driver=False,
        )
    args = arguments(options, token, cores, int(ray.cluster_resources().get("GPU", 0)))
    serve.start(http_options={"host": options.ip, "port": options.port})
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    try:
        serve.run(build(args))
        address = f"http://{options.ip}:{options.port}"
        print(f"Serving {', '.join(options.net)} at {address} ({args['replicas']} engines)\n")
        print(f"    {ENGINE}={address}\n    {TOKEN}={token}\n")
        print(f"    zf.connect({address!r}, token={token!r})", flush=True)
        while not ended.wait(1.0):
            pass
    finally:
        serve.shutdown()
        ray.shutdown()
    return 0


def arguments(options: Namespace, token: str, cores: int, gpus: int) -> dict[str, Any]:
    """What `build` is given: one replica per GPU, or the processors shared out."""
    on_gpus = gpus > 0 and options.device != "cpu"
    replicas = options.replicas or (gpus if on_gpus else 1)
    threads = max(1, cores // replicas)
    return {
        "nets": options.net,
        "token": token,
        "replicas": replicas,
        "gpus": min(1.0, gpus / replicas) if on_gpus else 0,
        "cpus": 1,
        "device": options.device,
        "memory_mb": options.memory,
        "threads": 0 if on_gpus else threads,
    }
