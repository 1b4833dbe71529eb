"""A download ends with the right file or with a message that helps; never with half a file."""

from __future__ import annotations

import hashlib
import io
import shutil
import socket
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from zfwidgets.nets.download import DownloadError, RemoteFile, cache_dir, fetch

from .conftest import Hub

CONTENT = bytes(range(256)) * 4000  # 1 MB, every position its own neighbourhood
DIGEST = "sha256:" + hashlib.sha256(CONTENT).hexdigest()


def remote(folder: Path, *urls: str, digest: str = DIGEST, size: int | None = None) -> RemoteFile:
    return RemoteFile("net.bin", urls, folder, digest, size)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.suffix != ".lock"}


def test_a_whole_download_leaves_only_the_file(hub: Hub, tmp_path: Path) -> None:
    file = remote(tmp_path / "new" / "folder", hub.put("/a/net.bin", CONTENT), size=len(CONTENT))
    assert fetch(file, progress=False).read_bytes() == CONTENT
    assert names(file.folder) == {"net.bin"}
    assert hub.asked == [("/a/net.bin", None)]


def test_a_file_that_is_here_is_not_fetched_again(hub: Hub, tmp_path: Path) -> None:
    file = remote(tmp_path, hub.put("/net.bin", CONTENT))
    file.path.write_bytes(CONTENT)
    assert fetch(file, progress=False) == file.path
    assert hub.asked == []


def test_a_file_put_there_by_hand_serves_without_a_network(tmp_path: Path) -> None:
    file = remote(tmp_path, "http://127.0.0.1:9/net.bin")
    file.path.write_bytes(CONTENT)
    assert fetch(file, progress=False) == file.path


def test_a_broken_line_is_taken_up_where_it_broke(hub: Hub, tmp_path: Path) -> None:
    file = remote(tmp_path, hub.put("/net.bin", CONTENT))
    hub.cuts = [300_000, 200_000]
    assert fetch(file, progress=False).read_bytes() == CONTENT
    assert [wanted for _, wanted in hub.asked] == [None, "bytes=300000-", "bytes=500000-"]


def test_a_download_given_up_yesterday_is_continued_today(hub: Hub, tmp_path: Path) -> None:
    file = remote(tmp_path, hub.put("/net.bin", CONTENT))
    hub.cuts = [400_000, 0, 0, 0]
    with pytest.raises(DownloadError, match=r"broke off(.|\n)*0\.4 MB are kept"):
        fetch(file, progress=False)
    assert names(tmp_path) == {"net.bin.part"}
    hub.asked.clear()
    assert fetch(file, progress=False).read_bytes() == CONTENT
    assert hub.asked == [("/net.bin", "bytes=400000-")]


def test_a_part_that_was_complete_already_is_only_checked(hub: Hub, tmp_path: Path) -> None:
    file = remote(tmp_path, hub.put("/net.bin", CONTENT))
    (tmp_path / "net.bin.part").write_bytes(CONTENT)
    assert fetch(file, progress=False).read_bytes() == CONTENT
    assert names(tmp_path) == {"net.bin"}


def test_a_server_without_ranges_is_asked_from_the_start(hub: Hub, tmp_path: Path) -> None:
    file = remote(tmp_path, hub.put("/net.bin", CONTENT))
    hub.ranges, hub.cuts = False, [600_000]
    assert fetch(file, progress=False).read_bytes() == CONTENT


def test_the_part_of_another_file_is_thrown_away_and_fetched_afresh(
    hub: Hub, tmp_path: Path
) -> None:
    file = remote(tmp_path, hub.put("/net.bin", CONTENT))
    (tmp_path / "net.bin.part").write_bytes(b"an older release" * 100)
    assert fetch(file, progress=False).read_bytes() == CONTENT


def test_another_file_under_the_address_is_refused(hub: Hub, tmp_path: Path) -> None:
    file = remote(tmp_path, hub.put("/net.bin", CONTENT[:-1] + b"!"))
    with pytest.raises(DownloadError, match=f"does not have the expected {DIGEST}"):
        fetch(file, progress=False)
    assert names(tmp_path) == set()


def test_a_damaged_copy_is_replaced_with_a_warning(hub: Hub, tmp_path: Path) -> None:
    file = remote(tmp_path, hub.put("/net.bin", CONTENT))
    file.path.write_bytes(CONTENT[:1000])
    with pytest.warns(UserWarning, match="not the expected file"):
        assert fetch(file, progress=False).read_bytes() == CONTENT


def test_a_wrong_length_is_noticed_before_the_download(hub: Hub, tmp_path: Path) -> None:
    file = remote(tmp_path, hub.put("/net.bin", CONTENT), size=len(CONTENT) - 1)
    with pytest.raises(DownloadError, match=r"offers 1,024,000 bytes; expected 1,023,999"):
        fetch(file, progress=False)
    assert names(tmp_path) == set()


def test_the_next_address_is_tried_when_one_has_nothing(hub: Hub, tmp_path: Path) -> None:
    file = remote(tmp_path, f"{hub.address}/gone", hub.put("/net.bin", CONTENT))
    assert fetch(file, progress=False).read_bytes() == CONTENT
    assert [path for path, _ in hub.asked] == ["/gone", "/net.bin"]


def test_a_missing_file_says_what_was_tried_and_where_to_put_it(hub: Hub, tmp_path: Path) -> None:
    file = remote(tmp_path, f"{hub.address}/gone", size=2_500_000)
    with pytest.raises(DownloadError) as caught:
        fetch(file, progress=False)
    message = str(caught.value)
    for expected in ("2.5 MB", f"{hub.address}/gone", "404", str(file.path), DIGEST):
        assert expected in message


def test_without_a_network_the_message_says_where_to_put_the_file(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]  # bound, not listening: connections are refused
        file = remote(tmp_path, f"http://127.0.0.1:{port}/net.bin")
        with pytest.raises(DownloadError, match="refused") as caught:
            fetch(file, progress=False)
    assert f"put the file at\n  {file.path}\n" in str(caught.value)


def test_a_silent_server_is_given_up(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, never answers
        file = remote(tmp_path, f"http://127.0.0.1:{silent.getsockname()[1]}/net.bin")
        with pytest.raises(DownloadError, match="timed out"):
            fetch(file, progress=False, timeout=0.05)


@pytest.mark.parametrize("url", ["http://example.org/net.bin", "file:///etc/passwd", "ftp://x/y"])
def test_only_https_is_fetched_from_elsewhere(url: str, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="only https"):
        fetch(remote(tmp_path, url), progress=False)


def test_a_redirect_is_followed(hub: Hub, tmp_path: Path) -> None:
    hub.redirects["/here"] = hub.put("/there", CONTENT)
    assert fetch(remote(tmp_path, f"{hub.address}/here"), progress=False).read_bytes() == CONTENT


def test_a_redirect_to_plain_http_is_not_followed(hub: Hub, tmp_path: Path) -> None:
    hub.redirects["/here"] = "http://example.org/net.bin"
    with pytest.raises(DownloadError, match="only https"):
        fetch(remote(tmp_path, f"{hub.address}/here"), progress=False)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file where the folder should be")
    file = remote(tmp_path / "taken" / "sub", "https://example.org/net.bin")
    with pytest.raises(DownloadError, match=r"taken(.|\n)*ZFWIDGETS_CACHE"):
        fetch(file, progress=False)


def archive(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in members.items():
            opened.writestr(name.replace("__", "."), content)
    return buffer.getvalue()


def zipped(folder: Path, url: str) -> RemoteFile:
    digest = "sha1:" + hashlib.sha1(CONTENT).hexdigest()
    return RemoteFile("net.bin", (url,), folder, digest, zipped=True)


def test_the_file_in_an_archive_is_what_counts(hub: Hub, tmp_path: Path) -> None:
    file = zipped(tmp_path, hub.put("/net.bin.zip", archive(net__bin=CONTENT, other=b"x")))
    hub.cuts = [1000]
    assert fetch(file, progress=False).read_bytes() == CONTENT
    assert names(tmp_path) == {"net.bin"}


def test_the_part_of_another_archive_is_thrown_away_too(hub: Hub, tmp_path: Path) -> None:
    file = zipped(tmp_path, hub.put("/net.bin.zip", archive(net__bin=CONTENT)))
    (tmp_path / "net.bin.zip.part").write_bytes(b"an older release" * 10)
    assert fetch(file, progress=False).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"not an archive", "damaged"),
        (archive(another=CONTENT), "holds no net.bin"),
        (archive(net__bin=CONTENT[::-1]), "does not have the expected sha1"),
    ],
)
def test_a_bad_archive_leaves_nothing_behind(
    content: bytes, message: str, hub: Hub, tmp_path: Path
) -> None:
    with pytest.raises(DownloadError, match=message):
        fetch(zipped(tmp_path, hub.put("/net.bin.zip", content)), progress=False)
    assert names(tmp_path) == set()


def test_progress_is_shown_in_bytes(
    hub: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fetch(remote(tmp_path, hub.put("/net.bin", CONTENT)))
    assert "1.02M/1.02M" in capsys.readouterr().err


def test_no_bar_is_drawn_where_nothing_comes(
    hub: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(DownloadError):
        fetch(remote(tmp_path, f"{hub.address}/gone"))
    assert capsys.readouterr().err == ""


def test_a_full_disk_is_noticed_before_the_download(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=500_000))
    with pytest.raises(DownloadError, match=r"1\.0 MB needed, 0\.5 MB free"):
        fetch(remote(tmp_path, hub.put("/net.bin", CONTENT)), progress=False)


def test_the_cache_can_be_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.delenv("ZFWIDGETS_CACHE", raising=False)
    assert cache_dir() == tmp_path / "xdg" / "zfwidgets"
    monkeypatch.setenv("ZFWIDGETS_CACHE", str(tmp_path / "mine"))
    assert cache_dir() == tmp_path / "mine"


def test_a_mirror_holds_copies_by_host_and_path(mirror: Hub, tmp_path: Path) -> None:
    mirror.put("/example.org/some/net.bin", CONTENT)
    file = remote(tmp_path, "https://example.org/some/net.bin")
    assert fetch(file, progress=False).read_bytes() == CONTENT


def test_a_file_needs_a_digest() -> None:
    with pytest.raises(ValueError, match="sha256:HEX"):
        RemoteFile("net.bin", ("https://example.org",), Path(), "md5:0123456789abcdef")
