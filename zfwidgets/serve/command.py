"""``zfwidgets serve``: the application on Ray Serve, on this machine or a cluster, until Ctrl-C."""

from __future__ import annotations

import logging
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
    parser.add_argument("--memory", type=int, default=256, help=told)
    parser.add_argument("--cluster", metavar="ADDRESS", help="of a Ray cluster, or auto")


def run(options: Namespace) -> int:
    """Start, say the address, and serve until interrupted; returns the exit code."""
    # Nothing is told to anybody outside.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Each thread of Ray's many processes would have glibc keep memory of its own.
    os.environ.setdefault("MALLOC_ARENA_MAX", "2")
    from zfwidgets.remote.address import ENGINE, TOKEN

    try:
        import ray
        from ray import serve

        from zfwidgets.serve.app import NETS_AT_ONCE, build
    except ImportError as error:
        print(
            f"zfwidgets serve: {error}. It needs Ray Serve: pip install 'zfwidgets[serve]'",
            file=sys.stderr,
        )
        return 2
    token = options.token or os.environ.get(TOKEN) or secrets.token_urlsafe(24)
    cores = os.cpu_count() or 1
    _start_ray(options, cores)
    args = arguments(options, token, cores, int(ray.cluster_resources().get("GPU", 0)))
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    try:
        serve.start(http_options={"host": options.ip, "port": options.port})
        serve.run(build(args))
        for name in options.net[:NETS_AT_ONCE]:
            _begin(options, name, token)
        address, count = f"http://{options.ip}:{options.port}", args["replicas"]
        engines = "1 engine" if count == 1 else f"{count} engines"
        print(f"Serving {', '.join(options.net)} at {address}, with {engines}.\n")
        print(f"    {ENGINE}={address}\n    {TOKEN}={token}\n")
        print(f"    zf.connect({address!r}, token={token!r})", flush=True)
        while not ended.wait(1.0):
            pass
    except (RuntimeError, ValueError, LookupError) as error:
        told = error.args[0] if isinstance(error, KeyError) and error.args else error
        print(f"zfwidgets serve: {told}", file=sys.stderr)
        return 2
    finally:
        serve.shutdown()
        ray.shutdown()
    return 0


def _start_ray(options: Namespace, cores: int) -> None:
    """Ray on this machine, for as long as the command runs; or the cluster that there is."""
    import ray

    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.WARNING}
    logging.getLogger("ray.serve").setLevel(logging.WARNING)
    if options.cluster:
        ray.init(address=options.cluster, **quiet)
        return
    ray.init(
        num_cpus=max(cores, options.replicas or 1),
        include_dashboard=False,
        object_store_memory=_STORE_BYTES,
        # Ray's own ports run what they are sent: they are for this machine alone.
        _node_ip_address="127.0.0.1",
        **quiet,
    )


def _begin(options: Namespace, name: str, token: str) -> None:
    """Ask as a client will, so that the first one need not wait for what is loaded once.

    Raises whatever that client would be told, as of a network that does not exist.
    """
    from zfwidgets.images.samples import sample
    from zfwidgets.remote.address import connect
    from zfwidgets.widgets.core.layers import default_layer

    everywhere = options.ip in ("0.0.0.0", "::")  # noqa: S104 - compared, not chosen
    here = "127.0.0.1" if everywhere else options.ip
    net = connect(f"http://{here}:{options.port}", name, token)
    recording = net.record(sample("cat"))
    recording.project(recording.strongest(default_layer(net.layers.values()), [0]))


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
