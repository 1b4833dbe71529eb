"""What one learns: functions of a DeconvNet and pictures that return small results."""

from zfwidgets.analysis.concepts import Concepts, concepts
from zfwidgets.analysis.exemplars import exemplars
from zfwidgets.analysis.faithfulness import Faithfulness, faithfulness
from zfwidgets.analysis.filters import FilterComparison, Filters, compare_filters, filters
from zfwidgets.analysis.invariance import Invariance, invariance
from zfwidgets.analysis.occlusion import Occlusion, occlusion
from zfwidgets.analysis.scan import Scan, scan
from zfwidgets.analysis.strongest import Exemplars, Panel
from zfwidgets.analysis.usage import LayerUsage, Usage, assert_healthy, usage

__all__ = [
    "Concepts",
    "Exemplars",
    "Faithfulness",
    "FilterComparison",
    "Filters",
    "Invariance",
    "LayerUsage",
    "Occlusion",
    "Panel",
    "Scan",
    "Usage",
    "assert_healthy",
    "compare_filters",
    "concepts",
    "exemplars",
    "faithfulness",
    "filters",
    "invariance",
    "occlusion",
    "scan",
    "usage",
]
