"""The README's picture: the browser test's screenshot of the Inspector.

Run by `make picture`.
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
SCREENSHOT = ROOT / "build" / "screenshots" / "lab-light-1400.png"
PICTURE = ROOT / "docs" / "inspector.png"


def main() -> None:
    """Write docs/inspector.png and say how large it is."""
    PICTURE.parent.mkdir(exist_ok=True)
    with Image.open(SCREENSHOT) as shot:
        shot.convert("RGB").save(PICTURE, optimize=True)
    print(f"{PICTURE}: {PICTURE.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
