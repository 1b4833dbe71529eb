"""What one learns: functions of a DeconvNet and pictures that return small results."""

from zfwidgets.analysis.exemplars import Exemplars, Panel, exemplars
from zfwidgets.analysis.faithfulness import Faithfulness, faithfulness
from zfwidgets.analysis.usage import LayerUsage, Usage, assert_healthy, usage

__all__ = [
    "Exemplars",
    "Faithfulness",
    "LayerUsage",
    "Panel",
    "Usage",
    "assert_healthy",
    "exemplars",
    "faithfulness",
    "usage",
]
