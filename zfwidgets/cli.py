"""The command line: ``zfwidgets demo | lab | serve | scan | review | export | site …``."""

from __future__ import annotations

import argparse
import io
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

LOOPBACK = "127.0.0.1"
TEMPLATE = "zfwidgets"
"""The dashboard's page, in `jupyter/voila/templates`: Voila's, without its CDN."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A pipe may know fewer signs than we write: on Korean Windows no em dash, in the C locale
        # only ASCII.
        sys.stdout.reconfigure(errors="replace")
    options = _parser().parse_args(argv)
    try:
        return int(options.run(options))
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="zfwidgets", description="Look inside convolutional networks, in a notebook."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    demo = commands.add_parser("demo", help="open the dashboard in a browser (Voila)")
    demo.add_argument("--theme", choices=("light", "dark"), default="light")
    demo.add_argument("--engine", metavar="URL", help="of a `zfwidgets serve` to compute on")
    demo.add_argument("--token", help="of that server (default: that of ZFWIDGETS_TOKEN)")
    demo.add_argument(
        "--compute",
        choices=("kernel", "page"),
        help="where pictures are computed: by this machine (default), or by each visitor's browser",
    )
    demo.set_defaults(run=_demo)
    _add_server_options(demo, port=8866)

    lab = commands.add_parser("lab", help="open the quickstart, or NOTEBOOK, in JupyterLab")
    lab.add_argument(
        "notebook",
        nargs="?",
        default="quickstart.ipynb",
        metavar="NOTEBOOK",
        help="a file, or one that comes along, such as steps.ipynb: it is copied here",
    )
    lab.set_defaults(run=_lab)
    _add_server_options(lab, port=8888)

    _add_engine(commands.add_parser("serve", help="one engine for many kernels (Ray Serve)"))

    _add_scan(commands.add_parser("scan", help="find what excites each channel of a network most"))

    _add_review(commands.add_parser("review", help="judge a network by pictures: one report"))

    told = "write one HTML file that opens offline and can be explored"
    _add_export(commands.add_parser("export", help=told))

    told = "write a folder of pages that compute in the browser, for a web server or a stick"
    _add_site(commands.add_parser("site", help=told))

    doctor = commands.add_parser("doctor", help="say what this installation lacks; 1 if something")
    doctor.set_defaults(run=_doctor)

    nets = commands.add_parser("nets", help="list the networks that can be loaded by name")
    nets.set_defaults(run=_nets)
    return parser


def _add_server_options(parser: argparse.ArgumentParser, port: int) -> None:
    parser.add_argument(
        "--ip", default=LOOPBACK, help="address to listen on (default: %(default)s, this machine)"
    )
    parser.add_argument("--port", type=int, default=port, help="default: %(default)s")
    parser.add_argument("--no-browser", action="store_true", help="only say the address")


def _add_engine(parser: argparse.ArgumentParser) -> None:
    from zfwidgets.serve.command import add_options, run

    add_options(parser)
    parser.set_defaults(run=run)


def _add_export(parser: argparse.ArgumentParser) -> None:
    def add(name: str, told: str, **options: Any) -> None:
        parser.add_argument(name, help=told, **options)

    add("--net", "name of the network (default: %(default)s)", default="zfnet")
    add("--image", "samples or files (default: cat)", nargs="+", metavar="PHOTO")
    add("--layer", "default: all convolutions", nargs="+", metavar="LAYER")
    add("--channels", "large projections of each layer, strongest first; or all (default: 48)")
    add("--engine", "the page computes, on photos of whoever opens it, too", action="store_true")
    add("--rule", "default: deconvnet", nargs="+", default=["deconvnet"], metavar="RULE")
    add("--max-mb", "megabytes allowed (default: %(default)g)", type=float, default=40.0)
    add("--locale", "language of the page", choices=("en", "ko"))
    add("--out", "the file to write (default: %(default)s)", type=Path, default=Path("page.html"))
    parser.set_defaults(run=_export)


def _add_site(site: argparse.ArgumentParser) -> None:
    site.add_argument("folder", type=Path, metavar="DIR", help="new, empty, or an older site")
    told = "names of networks, the first one's page is the index (default: zfnet)"
    site.add_argument("--net", nargs="+", default=["zfnet"], metavar="NET", help=told)
    told = "samples or files (default: all samples)"
    site.add_argument("--image", nargs="+", metavar="PHOTO", help=told)
    told = "languages, the first one's pages are in DIR itself (default: en ko)"
    site.add_argument("--locale", nargs="+", choices=("en", "ko"), default=["en", "ko"], help=told)
    site.set_defaults(run=_site)


def _add_scan(scan: argparse.ArgumentParser) -> None:
    scan.add_argument("dataset", type=Path, metavar="DATASET", help="a folder of pictures")
    scan.add_argument("--net", default="zfnet", help="name of a network (default: %(default)s)")
    scan.add_argument(
        "--layers", nargs="+", metavar="LAYER", help="default: all but the output layer"
    )
    scan.add_argument("--k", type=int, default=9, help="pictures per channel (default: 9)")
    scan.add_argument("--batch", type=int, default=32, help="pictures at once (default: 32)")
    scan.add_argument("--device", default="auto", help="cpu, cuda, mps (default: the fastest)")
    scan.add_argument("--out", type=Path, required=True, metavar="FILE.safetensors")
    scan.add_argument(
        "--ray",
        nargs="?",
        type=int,
        const=True,
        default=False,
        metavar="N",
        help="share the pictures out to N processes with Ray Data",
    )
    scan.add_argument(
        "--resume",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="go on where the same command stopped before",
    )
    scan.set_defaults(run=_scan)


def _add_review(parser: argparse.ArgumentParser) -> None:
    def add(name: str, told: str, **options: Any) -> None:
        parser.add_argument(name, help=told, **options)

    add("net", "name of a network, or a file of weights of one that has a name", metavar="MODEL")
    told = "a folder of pictures, with a subfolder for each class or without; or gallery"
    add("data", told, metavar="DATA")
    parser.add_argument(
        "-o",
        "--out",
        type=Path,
        default=Path("report.html"),
        metavar="FILE.html",
        help="the report (default: %(default)s)",
    )
    add("--json", "its numbers, for machines", type=Path, metavar="FILE.json")
    add("--layers", "default: all but the output layer", nargs="+", metavar="LAYER")
    add("--scan", "a finished scan of the same pictures", type=Path, metavar="FILE.safetensors")
    add("--max-dead", "of a layer (default: %(default)g)", type=_share, default=0.05)
    add("--max-duplicates", "largest share of a layer's channels", type=_share)
    add("--max-gini", "of a layer's energy", type=_share)
    add("--min-accuracy", "smallest share of right decisions", type=_share)
    add("--max-aliasing", "of the first layer", type=_share)
    add("--batch", "pictures at once (default: 32)", type=int, default=32)
    add("--device", "cpu, cuda, mps (default: the fastest)", default="auto")
    parser.add_argument(
        "--resume",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="go on where the same command stopped before",
    )
    parser.set_defaults(run=_review)


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text}: expected a share from 0 to 1, such as 0.05")
    return value


def _demo(options: argparse.Namespace) -> int:
    notebook = find_notebook("dashboard.ipynb")
    voila = ["voila", str(notebook), f"--Voila.ip={options.ip}", f"--theme={options.theme}"]
    # The kernels of the dashboard find the server there.
    told = {
        "ZFWIDGETS_ENGINE": options.engine,
        "ZFWIDGETS_TOKEN": options.token,
        "ZFWIDGETS_COMPUTE": options.compute,
    }
    known = {name: given for name, given in told.items() if given}
    return _serve([*voila, f"--template={TEMPLATE}"], options, known)


def _lab(options: argparse.Namespace) -> int:
    notebook = Path(options.notebook)
    if not notebook.is_file() and options.notebook in (known := notebooks()):
        shutil.copyfile(known[options.notebook], notebook)
        print(f"Copied {notebook} to {notebook.resolve()}.")
    if not notebook.is_file():
        print(
            f"zfwidgets lab: {notebook} is not a file; expected a notebook, or one of those that "
            f"come along: {', '.join(known)}.",
            file=sys.stderr,
        )
        return 2
    server = ["jupyterlab", str(notebook), f"--ServerApp.ip={options.ip}"]
    # The address that is said is the notebook's; without, it is that of an empty Lab.
    server.append(f"--LabApp.default_url=/lab/tree/{quote(notebook.name)}")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        # Jupyter refuses root by default; in containers there is often nobody else.
        server.append("--allow-root")
    return _serve(server, options)


def _serve(
    module: list[str], options: argparse.Namespace, kernels: Mapping[str, str] | None = None
) -> int:
    """Run a server with this interpreter, so that server and kernel are one environment.

    kernels: what their environment has beside that.
    """
    command = [sys.executable, "-m", *module, f"--port={options.port}"]
    if options.no_browser:
        command.append("--no-browser")
    return _run(command, {**os.environ, **jupyter_environment(), **(kernels or {})})


_ENDS_WITHIN = 10.0
"""Seconds for a server to end its kernels and itself."""


def _run(command: list[str], environment: Mapping[str, str]) -> int:
    """What `subprocess.call` does; but whoever ends us (a container, a service) ends the server."""
    with subprocess.Popen(command, env=environment) as server:

        def end(*_: object) -> None:
            # Jupyter ends its kernels when it is asked to end, and leaves them when it is killed;
            # but one that is just starting it may wait for without end.
            server.terminate()
            late = threading.Timer(_ENDS_WITHIN, server.kill)
            late.daemon = True
            late.start()

        before = signal.signal(signal.SIGTERM, end)
        try:
            return server.wait()
        except BaseException:
            server.kill()
            raise
        finally:
            signal.signal(signal.SIGTERM, before)


def jupyter_environment() -> dict[str, str]:
    """What a server that we start must know: its own environment first, and our folders."""
    ours = Path(__file__).resolve().parent / "jupyter"
    folders = {"JUPYTER_PATH": ours, "JUPYTER_CONFIG_PATH": ours / "config"}
    return {
        # A kernel registered in the user's home must not stand in for this environment's.
        "JUPYTER_PREFER_ENV_PATH": "1",
        # The dashboard's page; and that JupyterLab asks nobody about news.
        **{
            name: os.pathsep.join(filter(None, (os.environ.get(name, ""), str(folder))))
            for name, folder in folders.items()
        },
    }


_PACKAGE = Path(__file__).resolve().parent
_NOTEBOOKS = (_PACKAGE / "notebooks", _PACKAGE.parent / "notebooks")
"""Of an installation, and of a checkout."""


def notebooks() -> dict[str, Path]:
    """The notebooks that come with the package, by name."""
    return {path.name: path for folder in _NOTEBOOKS for path in sorted(folder.glob("*.ipynb"))}


def find_notebook(name: str) -> Path:
    """One of them.

    Raises:
        FileNotFoundError: it is not there; the installation is incomplete.
    """
    known = notebooks()
    if name not in known:
        installed, beside = _NOTEBOOKS
        raise FileNotFoundError(
            f"{name} is neither in {installed} nor in {beside}; install zfwidgets again"
        )
    return known[name]


def _scan(options: argparse.Namespace) -> int:
    from zfwidgets.analysis import scan
    from zfwidgets.deconv.load import load

    part = options.out.with_name(f"{options.out.name}.part")
    if not options.resume:
        part.unlink(missing_ok=True)
    try:
        found = scan(
            load(options.net, device=options.device),
            options.dataset,
            options.layers,
            options.k,
            batch=options.batch,
            checkpoint=part,
            ray=options.ray,
        )
    except (KeyError, ValueError, OSError, ImportError) as error:
        # KeyError's str() is the repr of its key.
        text = error.args[0] if isinstance(error, KeyError) else error
        print(f"zfwidgets scan: {text}", file=sys.stderr)
        return 2
    if not found.complete:
        print(f"Stopped after {found.scanned} pictures; the same command goes on.", file=sys.stderr)
        return 130
    found.save(options.out)
    part.unlink(missing_ok=True)
    print(found.usage.report())
    print(f"\nWritten to {options.out}; look at it with\n")
    print(f"    zf.ExemplarBrowser({str(options.out)!r}, {str(options.dataset)!r})")
    return 0


def _review(options: argparse.Namespace) -> int:
    from zfwidgets.analysis.review import review
    from zfwidgets.deconv.load import load
    from zfwidgets.images.gallery import gallery

    part = options.out.with_name(f"{options.out.name}.part")
    parts = (part, Path(f"{part}.decisions"))
    if not options.resume:
        for one in parts:
            one.unlink(missing_ok=True)
    shown = options.data == "gallery" and not Path("gallery").exists()
    try:
        found = review(
            load(options.net, device=options.device),
            gallery() if shown else options.data,
            layers=options.layers,
            scan=options.scan,
            max_dead=options.max_dead,
            max_duplicates=options.max_duplicates,
            max_gini=options.max_gini,
            min_accuracy=options.min_accuracy,
            max_aliasing=options.max_aliasing,
            batch=options.batch,
            checkpoint=part,
        )
        found.to_html(options.out)
        if options.json is not None:
            found.to_json(options.json)
    except (KeyError, ValueError, OSError, ImportError) as error:
        # KeyError's str() is the repr of its key.
        text = error.args[0] if isinstance(error, KeyError) else error
        print(f"zfwidgets review: {text}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Stopped; the same command goes on.", file=sys.stderr)
        return 130
    for one in parts:
        one.unlink(missing_ok=True)
    print(found)
    print(f"\nThe report is in {options.out}.")
    return int(bool(found.missed))


def _export(options: argparse.Namespace) -> int:
    from zfwidgets.widgets.export import to_html

    channels: Any = options.channels
    if channels is not None and channels.isdecimal():
        channels = int(channels)
    try:
        saved = to_html(
            options.net,
            options.out,
            photos=options.image,
            layers=options.layer,
            channels=channels,
            rules=options.rule,
            engine=options.engine,
            max_mb=options.max_mb,
            locale=options.locale,
        )
    except (ValueError, LookupError, OSError) as error:
        told = error.args[0] if isinstance(error, KeyError) and error.args else error
        print(f"zfwidgets export: {told}", file=sys.stderr)
        return 2
    print(saved)
    return 0


def _site(options: argparse.Namespace) -> int:
    from zfwidgets.widgets.site import site

    try:
        saved = site(options.folder, options.net, photos=options.image, locales=options.locale)
    except (ValueError, LookupError, OSError) as error:
        told = error.args[0] if isinstance(error, KeyError) and error.args else error
        print(f"zfwidgets site: {told}", file=sys.stderr)
        return 2
    print(saved)
    return 0


def _doctor(_: argparse.Namespace) -> int:
    from zfwidgets.doctor import report

    return int(report() > 0)


def _nets(_: argparse.Namespace) -> int:
    from zfwidgets.nets import list_nets

    print(list_nets())
    return 0
