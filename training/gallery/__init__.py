"""Makes the gallery that ships: one archive of photographs, and the table of their authors.

`gallery.tar` and `gallery.csv` lie in the folder of photographs (see training/README.md). What is
in this folder is the project's own: `left-out.tsv` names the photographs that do not ship and why,
after all were looked at; `classes.tsv` names their classes in Korean and sorts them into families.

Reasons for leaving out: ``face``, a private person's face is large or a child can be recognised;
``brand``, a trade mark or merchandise is the subject; ``lettering``, something was written over the
photograph; ``reproduction``, it shows a printed page, a painting or a screen and little else.
"""

from __future__ import annotations

import csv
import hashlib
import html
import io
import json
import re
import tarfile
from collections import Counter
from pathlib import Path
from typing import Any
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from PIL import Image

HERE = Path(__file__).parent
QUALITY = 80
"""Of the WebP. The largest that keeps the archive below 12 MB; 34 to 36 dB from the JPEG."""
CHANGES = (
    "cut to a square and scaled to 256 x 256 pixels by those who chose it for a competition "
    "(NIPS 2017, adversarial attacks and defences); saved as WebP"
)
REASONS = ("face", "brand", "lettering", "reproduction")


def rows_of(name: str, folder: Path = HERE) -> list[dict[str, str]]:
    """The rows of one of the tables beside this file."""
    with (folder / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def named(listed: list[dict[str, str]], classes: dict[int, dict[str, str]]) -> dict[str, str]:
    """A name for every file: its class and a number, which leaving out others does not change."""
    count: Counter[str] = Counter()
    names = {}
    for row in sorted(listed, key=lambda row: (int(row["class_index"]), row["file"])):
        english = classes[int(row["class_index"])]["english"].lower()
        slug = re.sub(r"[^a-z0-9]+", "-", english.replace("'", "")).strip("-")
        count[slug] += 1
        names[row["file"]] = f"{slug}-{count[slug]}"
    return names


def make(photos: Path, target: Path) -> int:
    """Write `gallery.zip` and `README.md` into the folder `target`; return how many photographs.

    Raises:
        ValueError: a file is not the one that `gallery.csv` lists, or one to be left out is not
            there at all.
    """
    with (photos / "gallery.csv").open(encoding="utf-8", newline="") as file:
        listed = list(csv.DictReader(file))
    classes = {int(row["index"]): row for row in rows_of("classes.tsv")}
    left_out = {row["file"] for row in rows_of("left-out.tsv")}
    if unknown := left_out - {row["file"] for row in listed}:
        raise ValueError(f"gallery.csv lists no {min(unknown)}, which left-out.tsv leaves out.")
    names = named(listed, classes)
    shown = [row for row in listed if row["file"] not in left_out]
    shown.sort(key=lambda row: (int(row["class_index"]), int(names[row["file"]].split("-")[-1])))

    pictures, entries = {}, []
    with tarfile.open(photos / "gallery.tar") as tar:
        for row in shown:
            name = names[row["file"]]
            data = pictures[name] = webp(checked(tar, row))
            entries.append(
                {
                    "name": name,
                    "category": int(row["class_index"]),
                    "author": author_of(row["author"]),
                    "author_page": row["author_page"],
                    "source": page_of(row["page"]),
                    "sha256": hashlib.sha256(data).hexdigest(),
                }
            )
    used = {int(row["class_index"]) for row in shown}
    table = {
        "licence": "CC-BY-2.0",
        "licence_url": "https://creativecommons.org/licenses/by/2.0/",
        "changes": CHANGES,
        "categories": [
            {
                "index": index,
                "name": row["english"],
                "korean": row["korean"],
                "families": row["families"].split(", "),
            }
            for index, row in classes.items()
            if index in used
        ],
        "photos": entries,
    }
    target.mkdir(parents=True, exist_ok=True)
    write_archive(target / "gallery.zip", table, pictures)
    (target / "README.md").write_text(readme(table, len(left_out)), encoding="utf-8")
    return len(entries)


def author_of(listed: str) -> str:
    """An author's name, which the list writes as HTML and in octal: ``Fr\\303\\251d`` is Fréd."""
    octal = re.compile(r"(?:\\[0-3][0-7]{2})+")
    text = octal.sub(
        lambda found: bytes(int(code, 8) for code in found[0].split("\\")[1:]).decode(), listed
    )
    return html.unescape(text)


def page_of(address: str) -> str:
    """The page of a photograph on Flickr, in the one form that it answers to.

    Raises:
        ValueError: the address is no such page.
    """
    found = re.match(r"https?://(?:www\.)?flickr\.com/(?:photos/)?([^/]+)/(\d+)", address)
    if not found:
        raise ValueError(f"{address} is not the page of a photograph on flickr.com.")
    return f"https://www.flickr.com/photos/{found[1]}/{found[2]}"


def checked(tar: tarfile.TarFile, row: dict[str, str]) -> bytes:
    """A file out of the archive, if it is the one that was listed."""
    member = tar.extractfile(row["file"])
    data = b"" if member is None else member.read()
    found = hashlib.sha256(data).hexdigest()
    if found != row["sha256"]:
        raise ValueError(
            f"{row['file']} in gallery.tar has the SHA-256 {found}; gallery.csv lists "
            f"{row['sha256']}. Take both from the same place."
        )
    return data


def webp(jpeg: bytes) -> bytes:
    """The picture alone, without metadata, as WebP."""
    out = io.BytesIO()
    with Image.open(io.BytesIO(jpeg), formats=["JPEG"]) as image:
        image.convert("RGB").save(out, "WEBP", quality=QUALITY, method=6)
    return out.getvalue()


def write_archive(path: Path, table: dict[str, Any], pictures: dict[str, bytes]) -> None:
    """A zip that is the same to the last byte whenever its contents are."""
    text = json.dumps(table, ensure_ascii=False, separators=(",", ":")).encode()
    part = path.with_suffix(".part")
    with ZipFile(part, "w", ZIP_STORED) as archive:
        archive.writestr(ZipInfo("gallery.json"), text)
        for name, data in pictures.items():
            archive.writestr(ZipInfo(f"{name}.webp"), data)
    part.rename(path)


def readme(table: dict[str, Any], left_out: int) -> str:
    """The table of authors, for people."""
    kinds = {row["index"]: row for row in table["categories"]}
    rows = [
        f"| `{row['name']}` | {kinds[row['category']]['name']} | "
        f"[{_plain(row['author'])}]({row['author_page']}) | {row['source']} |"
        for row in table["photos"]
    ]
    return f"""# The gallery

`gallery.zip` holds {len(rows)} photographs of {len(kinds)} of ImageNet's 1000 classes, all from
Flickr, all under [CC BY 2.0]({table["licence_url"]}): whoever passes them on
keeps the author named. Each was {table["changes"].replace("; saved", ", and saved")}.
`zf.gallery()` reads them. None of them was used to train the bundled networks.

They are the development set of that competition. Classes are those that the set states; a few are
plainly wrong (`prayer-rug-3` shows a window). The archive was made by `python -m training gallery`.
{left_out} photographs of the set were left out, since a private person's face is large in them, a
trade mark is their subject, something was written over them, or they reproduce somebody else's
work; `training/gallery/left-out.tsv` in the source repository names each with its reason.

| name | class | author | page |
|---|---|---|---|
{chr(10).join(rows)}
"""


def _plain(text: str) -> str:
    """Text that Markdown shows as it is, in a cell of a table."""
    return re.sub(r"([\\`*_\[\]<>|])", r"\\\1", text)
