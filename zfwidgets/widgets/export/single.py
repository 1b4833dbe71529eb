"""A page of one widget: what it is made of, and its file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zfwidgets.widgets.core.strings import table
from zfwidgets.widgets.export.offstage import Blobs
from zfwidgets.widgets.export.page import MEGABYTE, document, megabytes, with_its_size, write
from zfwidgets.widgets.export.stage import PageTooLarge


@dataclass(frozen=True)
class SinglePage:
    """payload: `Payload` of js/src/page/payload.ts. parts: in the order in which they are seen."""

    payload: dict[str, Any]
    parts: tuple[str, ...]
    title: str
    lead: str
    facts: list[tuple[str, str]]

    def write(
        self,
        path: str | Path,
        blobs: Blobs,
        *,
        max_mb: float,
        leave_out: str,
        locale: str,
        weights: str = "",
    ) -> tuple[Path, int]:
        """Write the file with the pictures in `blobs`; its path, and its size in bytes.

        leave_out: what makes the page smaller, for people whose page is too large.

        Raises:
            PageTooLarge: it would have more than `max_mb` megabytes; nothing is written.
        """
        texts = table("export", locale)
        payload = {**self.payload, "blobs": blobs.texts}
        *facts, last = self.facts

        def check(size: int) -> None:
            if size > max_mb * MEGABYTE:
                raise PageTooLarge(
                    f"the page would have {megabytes(size)} MB; max_mb allows {max_mb:g}. "
                    f"{leave_out}, or raise max_mb."
                )

        def made(size: int) -> str:
            told = texts["size"].format(megabytes=megabytes(size))
            return document(
                payload,
                parts=self.parts,
                title=self.title,
                rules=1,
                texts={**texts, "page_lead": self.lead, "page_lead_engine": self.lead},
                facts=[*facts, (texts["fact_size"], told), last],
                locale=locale,
                weights=weights,
            )

        page, target = with_its_size(made, check), Path(path).expanduser()
        write(target, page)
        return target, len(page)
