"""Before and after: classes with all channels and without some, channels of two photos."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from zfwidgets.analysis.plot.style import BLUE, INK, VERMILLION, grid, headline, key, plain


def plot_ablation(
    names: Sequence[str], before: Sequence[float], after: Sequence[float], title: str
) -> Figure:
    """A line for each class from its probability before to that after, the first above."""
    return plot_before_after(
        names,
        before,
        after,
        "probability of the first decision",
        title.replace(": ", ":\n", 1),
        ("all channels", "without"),
    )


def plot_before_after(
    names: Sequence[str],
    before: Sequence[float],
    after: Sequence[float],
    what: str,
    title: str,
    called: tuple[str, str] = ("before", "after"),
) -> Figure:
    """A line for each name from its value before to that after, the first above."""
    figure, (axes,) = grid(1, 1, width=6.4, height=1.2 + 0.22 * len(names))
    plain(axes, x=what)
    rows = list(range(len(names)))
    axes.hlines(rows, before, after, color=INK, linewidth=1)
    axes.plot(before, rows, "o", color=BLUE, label=called[0], markersize=5)
    axes.plot(after, rows, "s", color=VERMILLION, label=called[1], markersize=5)
    axes.set_yticks(rows, names)
    axes.invert_yaxis()
    axes.set_xlim(0, min(1.0, 1.1 * max(*before, *after)))
    key(axes, loc="lower right")
    headline(figure, title)
    return figure
