"""The quickstart without a screen: run it, keep the executed notebook and the pictures it made.

    python scripts/run_quickstart.py build/demo

writes quickstart.ipynb with its outputs, and contact-sheet.png, the largest picture among them.
"""

from __future__ import annotations

import base64
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
CELL_LIMIT = 600  # seconds


def execute(notebook: Path, kernel: Any = None) -> Any:
    """The notebook with the outputs of all its cells; an error in a cell is raised.

    kernel: the manager of a kernel that runs in the notebook's folder, and goes on afterwards; a
    new one if it is not given.
    """
    content = nbformat.read(notebook, as_version=4)
    place = {"metadata": {"path": str(notebook.parent)}}
    client = NotebookClient(content, km=kernel, timeout=CELL_LIMIT, resources=place)
    try:
        return client.execute()
    finally:
        if client.kc is not None:
            client.kc.stop_channels()


def pictures(notebook: Any) -> Iterator[bytes]:
    """The PNG pictures among the outputs of an executed notebook, in order."""
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            if png := output.get("data", {}).get("image/png"):
                yield base64.b64decode(png)


def main(folder: Path) -> int:
    """Execute the quickstart into a folder and say what is there."""
    folder.mkdir(parents=True, exist_ok=True)
    executed = execute(NOTEBOOKS / "quickstart.ipynb")
    nbformat.write(executed, folder / "quickstart.ipynb")
    sheet = max(pictures(executed), key=len)
    (folder / "contact-sheet.png").write_bytes(sheet)
    for name in ("quickstart.ipynb", "contact-sheet.png"):
        print(f"{folder / name}: {(folder / name).stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
