"""A trained network judged in one call: `review`, and the page that someone decides by.

`run` goes from pictures to a `Review` (`result`). `anatomy` counts what the network is, `labels`
and `decisions` tell right from wrong, `shelf` finds pictures again, `cases` looks into single
decisions, `robustness` changes pictures and draws weights anew; all that is `facts`. The two of
`verdicts` make ten lines of it, each a `finding` in the `words` of people, and the two of `pages`
with their `tiles` what `zfwidgets.analysis.plot.review_page` writes down.
"""

from zfwidgets.analysis.review.finding import Finding, Limits
from zfwidgets.analysis.review.result import Review
from zfwidgets.analysis.review.run import review

__all__ = ["Finding", "Limits", "Review", "review"]
