"""What one learns: functions of a DeconvNet and pictures that return small results."""

from zfwidgets.analysis.faithfulness import Faithfulness, faithfulness

__all__ = ["Faithfulness", "faithfulness"]
