"""The pages of a site, a few for each network; weights and pictures in files of their own."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from zfwidgets.images import gallery
from zfwidgets.widgets.core.nets import as_net
from zfwidgets.widgets.core.strings import table
from zfwidgets.widgets.export import facts
from zfwidgets.widgets.export.engine import InPage, in_page
from zfwidgets.widgets.export.offstage import Blobs
from zfwidgets.widgets.export.plan import Plan, plan_for
from zfwidgets.widgets.export.stage import Stage
from zfwidgets.widgets.site.compare import ComparePage
from zfwidgets.widgets.site.content import Content
from zfwidgets.widgets.site.exemplars import ExemplarsPage, exemplars_known
from zfwidgets.widgets.site.folder import Folder
from zfwidgets.widgets.site.markup import blobs_script, gallery_script, weights_script
from zfwidgets.widgets.site.quiz import QuizPages
from zfwidgets.widgets.site.views import VIEWS, view_of_part

_WITHOUT_PHOTOS = ("live", "exemplars", "quiz")
_BUNDLED = ("zfnet", "alexnet")
"""A site of the first alone compares it with the second, whose weights only that page reads."""

Page = Callable[[Plan, Blobs], Content]
"""A page in the language of its plan; its pictures go to the blobs."""


def contents(
    nets: Sequence[Any], photos: Any, locales: Sequence[str], target: Folder, *, progress: bool
) -> dict[str, list[Content]]:
    """The pages of every network, by language; the first one's Inspector is ``index.html``.

    Raises:
        ValueError: two networks have one name.
        UnsupportedInPage: the page cannot compute a network.
    """
    called = [slug(net.name) for net in nets]
    if len({*called}) < len(called):
        raise ValueError(f"site(): two networks are called {max(called, key=called.count)}")
    pages: dict[str, list[Content]] = {locale: [] for locale in locales}
    known: list[tuple[Plan, InPage, str]] = []
    for number, (net, name) in enumerate(zip(nets, called, strict=True)):
        plan = plan_for(net, None, photos, None, locales[0], every_sample=True)
        plan, inside = in_page(plan, layers=False)
        plans = [replace(plan, locale=locale) for locale in locales]
        weights = target.add(f"{name}-weights", "js", weights_script(inside.weights))
        known.append((plan, inside, weights))
        first = f"{name}.html" if number else "index.html"
        made = _pages(inside, progress) | _exemplars(net, inside, target, first, progress=progress)
        for part, page in made.items():
            path = "-".join([name] * (number > 0) + [part] * (part != "inspector")) or "index"
            for content in _written(part, page, plans, inside, name, target):
                if engine := content.payload.get("engine"):
                    engine["weights"] = weights
                pages[content.locale].append(replace(content, path=f"{path}.html"))
    if len(known) == 1 and known[0][0].net.name == _BUNDLED[0]:
        known.append(_other(photos, target))
    if len(known) > 1:
        for content in _compared(known[:2], locales, target, progress=progress):
            pages[content.locale].append(content)
    return pages


def _other(photos: Any, target: Folder) -> tuple[Plan, InPage, str]:
    """AlexNet to be compared with ZFNet, where the site has ZFNet alone."""
    net = as_net(_BUNDLED[1])
    plan, inside = in_page(plan_for(net, None, photos, None, None, every_sample=True), layers=False)
    script = weights_script(inside.weights)
    return plan, inside, target.add(f"{net.name}-weights", "js", script, later=True)


def _compared(
    known: Sequence[tuple[Plan, InPage, str]],
    locales: Sequence[str],
    target: Folder,
    *,
    progress: bool,
) -> list[Content]:
    """The page on which the first two networks are compared, in all languages."""
    made = ComparePage(progress=progress)

    def page(plan: Plan, blobs: Blobs) -> Content:
        sides = [(replace(one, locale=plan.locale), engine) for one, engine, _ in known]
        content = made(sides, blobs)
        engines = content.payload["engines"]
        for engine, (_, _, weights) in zip(engines.values(), known, strict=True):
            engine["weights"] = weights
        return content

    first, inside, _ = known[0]
    plans = [replace(first, locale=locale) for locale in locales]
    return _written("compare", page, plans, inside, "two", target)


def _pages(inside: InPage, progress: bool) -> dict[str, Page]:
    """How each page of a network is made; without classes there is nothing to take away."""
    pages: dict[str, Page] = {"inspector": _Inspector(inside, progress)}
    for part in VIEWS:
        if part != "occlusion" or inside.graph["logits"] is not None:
            pages[part] = lambda plan, to, part=part: view_of_part(plan, inside, part, to)  # type: ignore[misc]
    return pages


def _exemplars(
    net: Any, inside: InPage, target: Folder, inspector: str, *, progress: bool
) -> dict[str, Page]:
    """The pages of exemplars, and the quiz about them, of a network whose scan ships.

    The photographs are a file for all.
    """
    found = exemplars_known(net)
    if not found:
        return {}
    shown = gallery()
    script = gallery_script(shown[name] for name in sorted(shown))
    address = target.add("gallery", "js", script, later=True)
    return {
        "exemplars": ExemplarsPage(inside, found, address, len(script), inspector),
        "quiz": QuizPages(tuple(found), progress=progress),
    }


def _written(
    part: str, page: Page, plans: Sequence[Plan], inside: InPage, name: str, target: Folder
) -> list[Content]:
    """The page in all languages, and its pictures as files."""
    blobs = Blobs()
    # The same numbers in all pages that have them: the photos are a file of their own.
    for photo in inside.files.values() if part not in _WITHOUT_PHOTOS else ():
        blobs.number(photo)
    photographs = len(blobs)
    made = [page(plan, blobs) for plan in plans]
    texts = blobs.texts
    shared, own = texts[:photographs], texts[photographs:]
    scripts = [target.add("photos", "js", blobs_script(shared))] if shared else []
    later = part in ("exemplars", "quiz", "compare")
    scripts.append(target.add(f"{name}-{part}", "js", blobs_script(own), later=later))
    return [replace(content, scripts=scripts) for content in made]


class _Inspector:
    """The Inspector's page. Its tiles are recorded in the first language that is asked for."""

    def __init__(self, inside: InPage, progress: bool) -> None:
        self._inside, self._progress = inside, progress
        self._told: Stage | None = None

    def __call__(self, plan: Plan, blobs: Blobs) -> Content:
        texts, net = table("export", plan.locale), plan.net.name
        stage = Stage(plan, 1, math.inf, blobs, inside=self._inside, told=self._told)
        try:
            stage.record(self._progress)
            payload = stage.payload(texts)
        finally:
            stage.close()
        self._told = stage
        return Content(
            locale=plan.locale,
            path="",
            name=net,
            title=texts["page_title"].format(net=net),
            lead=texts["page_lead_engine"],
            payload=payload,
            parts=tuple(stage.parts),
            rules=len(plan.rules),
            facts=facts(plan, stage, texts),
            scripts=(),
        )


def slug(name: str) -> str:
    """A network's name as that of a file."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "net"
