"""The Inspector pages of a site: a network each, its weights and pictures in files of their own."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from zfwidgets.widgets.core.strings import table
from zfwidgets.widgets.export import facts
from zfwidgets.widgets.export.engine import InPage, in_page
from zfwidgets.widgets.export.offstage import Blobs
from zfwidgets.widgets.export.plan import Plan, plan_for
from zfwidgets.widgets.export.stage import Stage
from zfwidgets.widgets.site.content import Content
from zfwidgets.widgets.site.folder import Folder
from zfwidgets.widgets.site.markup import blobs_script, weights_script


def inspectors(
    nets: Sequence[Any], photos: Any, locales: Sequence[str], target: Folder, *, progress: bool
) -> dict[str, list[Content]]:
    """A page for every network, by language; the first one is the site's ``index.html``.

    Raises:
        ValueError: two networks have one name.
        UnsupportedInPage: the page cannot compute a network.
    """
    called = [slug(net.name) for net in nets]
    if len({*called}) < len(called):
        raise ValueError(f"site(): two networks are called {max(called, key=called.count)}")
    pages: dict[str, list[Content]] = {locale: [] for locale in locales}
    for net, name in zip(nets, called, strict=True):
        path = f"{name}.html" if any(pages.values()) else "index.html"
        plan = plan_for(net, None, photos, None, locales[0], every_sample=True)
        plan, inside = in_page(plan, layers=False)
        for content in _of_one(plan, inside, name, locales, target, progress):
            pages[content.locale].append(replace(content, path=path))
    return pages


def _of_one(
    plan: Plan, inside: InPage, name: str, locales: Sequence[str], target: Folder, progress: bool
) -> list[Content]:
    blobs = Blobs()
    # The same numbers in the pages of all networks: the photos are a file of their own.
    for photo in inside.files.values():
        blobs.number(photo)
    photographs = len(blobs.texts)
    weights = target.add(f"{name}-weights", "js", weights_script(inside.weights))
    made: list[Content] = []
    stage: Stage | None = None
    for locale in locales:
        stage = Stage(replace(plan, locale=locale), 1, math.inf, blobs, inside=inside, told=stage)
        made.append(_page(stage, weights, progress))
    shared = blobs_script(blobs.texts[:photographs])
    recorded = blobs_script(blobs.texts[photographs:])
    scripts = [target.add("photos", "js", shared), target.add(f"{name}-pictures", "js", recorded)]
    return [replace(content, scripts=scripts) for content in made]


def _page(stage: Stage, weights: str, progress: bool) -> Content:
    plan = stage.plan
    texts, net = table("export", plan.locale), plan.net.name
    try:
        stage.record(progress)
        payload = stage.payload(texts)
    finally:
        stage.close()
    payload["engine"]["weights"] = weights
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
