"""Files from far away: resumable, checked against a known digest, explained when they fail.

A download grows in ``NAME.part``. Only a file whose digest is the expected one is renamed to
``NAME``, in one step, so that what stands under its name can be trusted.
"""

from __future__ import annotations

import hashlib
import http.client
import ipaddress
import os
import shutil
import urllib.error
import urllib.request
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from ssl import SSLError
from typing import IO
from urllib.parse import urlsplit

from filelock import FileLock
from tqdm.auto import tqdm

CHUNK = 1 << 20
MAX_BYTES = 8 << 30
"""No file of which the size is not known beforehand may be larger than this."""
STALLS = 3
"""So many connections in a row may end without a new byte before an address is given up."""


class DownloadError(RuntimeError):
    """A file could not be had; the message says why and where to put it by hand."""


class _FailedError(Exception):
    """One address did not give the file; the message is the reason."""


@dataclass(frozen=True)
class RemoteFile:
    """A file that lives elsewhere, and how to know that it is the right one.

    Args:
        name: file name, also of the copy here.
        urls: addresses to try in turn, https only (http is allowed to this very machine).
        folder: where the copy belongs.
        digest: ``"sha256:HEX"`` or ``"sha1:HEX"``; HEX may be the first digits only (eight or
            more), as in the file names of the torch hub.
        size: bytes, if known.
        zipped: the addresses give a zip archive that holds ``name``; digest and size are those
            of the file in it.
    """

    name: str
    urls: tuple[str, ...]
    folder: Path
    digest: str
    size: int | None = None
    zipped: bool = False

    def __post_init__(self) -> None:
        kind, _, digits = self.digest.partition(":")
        if kind not in ("sha256", "sha1") or len(digits) < 8 or not self.urls:
            raise ValueError(
                f"RemoteFile({self.name!r}) has digest {self.digest!r} and {len(self.urls)} "
                "addresses; expected 'sha256:HEX' or 'sha1:HEX' and at least one address."
            )

    @property
    def path(self) -> Path:
        """Where the file is, or will be."""
        return self.folder / self.name

    def matches(self, path: Path) -> bool:
        """Whether the file at ``path`` has the expected digest."""
        kind, _, digits = self.digest.partition(":")
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, kind).hexdigest().startswith(digits)


def cache_dir() -> Path:
    """``$ZFWIDGETS_CACHE``, else ``zfwidgets`` in the user's cache folder (~/.cache)."""
    chosen = os.environ.get("ZFWIDGETS_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "zfwidgets"


def mirrored(url: str) -> str:
    """``https://HOST/PATH``, or ``$ZFWIDGETS_MIRROR/HOST/PATH`` where a mirror is set."""
    mirror = os.environ.get("ZFWIDGETS_MIRROR")
    return f"{mirror.rstrip('/')}/{url.split('://', 1)[1]}" if mirror else url


def fetch(file: RemoteFile, *, progress: bool = True, timeout: float = 30.0) -> Path:
    """The path of ``file`` on this machine, downloaded if it is not here yet.

    An interrupted download goes on where it stopped, in this call if the connection breaks, in
    the next one if the program was stopped.

    Args:
        file: what to fetch.
        progress: show a progress bar (a widget in notebooks, text elsewhere).
        timeout: seconds without a byte after which a connection counts as broken.

    Raises:
        DownloadError: no address gave a file with the expected digest, or the disk refused it.
    """
    try:
        file.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{file.path}.lock"):  # two kernels may want the same file
            if file.path.exists():
                if file.matches(file.path):
                    return file.path
                warnings.warn(
                    f"{file.path} is not the expected file ({file.digest} does not match); "
                    "fetching it afresh.",
                    stacklevel=2,
                )
            return _fetch(file, progress, timeout)
    except OSError as error:
        reason = f"{error.strerror or error} ({error.filename or file.folder})"
        raise DownloadError(_advice(file, [reason])) from error


def _fetch(file: RemoteFile, progress: bool, timeout: float) -> Path:
    part = file.path.with_name(file.name + (".zip.part" if file.zipped else ".part"))
    reasons = []
    for url in map(mirrored, file.urls):
        resumed = part.exists()
        try:
            _download(url, part, file, progress, timeout)
            try:
                _accept(part, file)
            except _FailedError:
                if not resumed:
                    raise
                # What was resumed may have been the beginning of another file: once afresh.
                _download(url, part, file, progress, timeout)
                _accept(part, file)
            return file.path
        except _FailedError as failure:
            reasons.append(f"{url}: {failure}")
    raise DownloadError(_advice(file, reasons, part))


def _accept(part: Path, file: RemoteFile) -> None:
    """Move a complete download to its final name; drop it if it is not the expected file."""
    if file.zipped:
        member = part.with_name(file.name + ".part")
        try:
            _extract(part, file.name, member)
        except (zipfile.BadZipFile, KeyError) as error:
            raise _FailedError(f"the archive there is damaged or holds no {file.name}") from error
        finally:
            part.unlink()
        part = member
    if not file.matches(part):
        part.unlink()
        raise _FailedError(f"the file there does not have the expected {file.digest}")
    part.replace(file.path)


def _extract(archive: Path, name: str, target: Path) -> None:
    with zipfile.ZipFile(archive) as opened:
        if opened.getinfo(name).file_size > MAX_BYTES:
            raise _FailedError(f"the file in the archive is larger than {_megabytes(MAX_BYTES)}")
        with opened.open(name) as source, target.open("wb") as sink:
            shutil.copyfileobj(source, sink, CHUNK)


def _download(url: str, part: Path, file: RemoteFile, progress: bool, timeout: float) -> None:
    """Bring ``part`` to its full length, over as many connections as it takes."""
    stalls = 0
    while True:
        before = part.stat().st_size if part.exists() else 0
        try:
            if _continue(url, part, file, progress, timeout):
                return
            reason = "the connection broke off"
        except (TimeoutError, ConnectionError, SSLError, http.client.HTTPException) as error:
            reason = f"the connection broke off ({str(error) or type(error).__name__})"
        now = part.stat().st_size if part.exists() else 0
        stalls = 0 if now > before else stalls + 1
        if stalls == STALLS:
            raise _FailedError(reason)


def _continue(url: str, part: Path, file: RemoteFile, progress: bool, timeout: float) -> bool:
    """Append what one connection gives to ``part``; True once the file is complete."""
    have = part.stat().st_size if part.exists() else 0
    with _open(url, have, timeout) as response:
        if response is None:  # nothing beyond what is here: complete, or not this file at all
            return True
        have, total = _extent(response, have)
        limit = _limit(file, part, have, total)
        with (
            part.open("ab" if have else "wb") as sink,
            tqdm(
                desc=file.name,
                initial=have,
                total=total,
                unit="B",
                unit_scale=True,
                disable=not progress,
            ) as bar,
        ):
            while chunk := response.read(CHUNK):
                sink.write(chunk)
                bar.update(len(chunk))
                have += len(chunk)
                if have > limit:
                    raise _FailedError(f"it sends more than the {limit:,} bytes it should")
    return total is None or have == total


def _limit(file: RemoteFile, part: Path, have: int, total: int | None) -> int:
    """How long the file may become, after a look at what is offered and what the disk holds."""
    limit = total if total is not None else MAX_BYTES
    if limit > MAX_BYTES or (file.size and not file.zipped and total not in (None, file.size)):
        raise _FailedError(f"it offers {total:,} bytes; expected {file.size or MAX_BYTES:,}")
    free = shutil.disk_usage(part.parent).free
    if total is not None and total - have > free:
        raise _FailedError(f"{_megabytes(total - have)} needed, {_megabytes(free)} free here")
    return limit


def _extent(response: http.client.HTTPResponse, have: int) -> tuple[int, int | None]:
    """Where in the file the answer starts, and how long the whole file is, if it says so."""
    length = response.headers.get("Content-Length")
    if response.status != 206:  # no Range support: from the start
        return 0, int(length) if length else None
    unit, _, extent = response.headers.get("Content-Range", "").partition(" ")
    span, _, total = extent.partition("/")
    if unit != "bytes" or not span.startswith(f"{have}-") or not total.isdigit():
        raise _FailedError(f"it answered a request for bytes {have}- with {unit} {extent}")
    return have, int(total)


@contextmanager
def _open(url: str, have: int, timeout: float) -> Iterator[http.client.HTTPResponse | None]:
    """One GET from byte ``have`` on; None if the server says there is nothing from there on."""
    _check_scheme(url)
    headers = {"User-Agent": "zfwidgets", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    try:
        request = urllib.request.Request(url, headers=headers)  # noqa: S310 - checked above
        response = urllib.request.build_opener(_Redirects).open(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416 and have:
            yield None
            return
        raise _FailedError(f"the server says {error.code} {error.reason}") from error
    except urllib.error.URLError as error:
        raise _FailedError(str(error.reason)) from error
    with response:
        yield response


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but never from https to something less."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        """See `urllib.request.HTTPRedirectHandler`."""
        _check_scheme(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _check_scheme(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname)):
        return
    raise _FailedError("only https addresses are fetched")


def _is_loopback(host: str | None) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def _advice(file: RemoteFile, reasons: list[str], part: Path | None = None) -> str:
    size = f", {_megabytes(file.size)}" if file.size else ""
    lines = [f"Could not download {file.name}{size}.", *(f"  {reason}" for reason in reasons)]
    kept = part.stat().st_size if part and part.exists() else 0
    again = f" ({_megabytes(kept)} are kept and not fetched again)" if kept else ""
    unzip = ", unzip it" if file.zipped else ""
    lines += [
        f"With a network, run the same line again{again}.",
        f"Without one, fetch {file.urls[0]} on another machine{unzip} and put the file at",
        f"  {file.path}",
        f"({file.digest}). $ZFWIDGETS_CACHE moves the folder of zfwidgets' own downloads,",
        "$ZFWIDGETS_MIRROR names a server that holds copies.",
    ]
    return "\n".join(lines)


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count < 10**9 else f"{count / 1e9:.2f} GB"
