"""A trained network judged in one call: `review`, and the page that someone decides by.

`run` goes from pictures to a `Review` (`result`). `anatomy` counts what the network is, `labels`
and `decisions` tell right from wrong, `shelf` finds pictures again, `cases` looks into single
decisions, `robustness` changes pictures and draws weights anew. `findings` makes ten lines of it,
in the `words` of people, and `pages` what `zfwidgets.analysis.plot.review_page` writes down.
"""

from zfwidgets.analysis.review.findings import Finding, Limits
from zfwidgets.analysis.review.result import Review
from zfwidgets.analysis.review.run import review

__all__ = ["Finding", "Limits", "Review", "review"]
