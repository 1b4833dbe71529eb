"""zfwidgets: look inside convolutional networks, in a notebook.

    import zfwidgets as zf

    zf.Inspector("zfnet")

Record one forward pass with its pooling switches, project any neurons back to pixels
(Zeiler & Fergus 2013), show hundreds of them at once. Names are imported when they are first used:
`import zfwidgets` alone loads neither torch nor Jupyter.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.2.0"

if TYPE_CHECKING:
    from zfwidgets.analysis import Exemplars as Exemplars
    from zfwidgets.analysis import Scan as Scan
    from zfwidgets.analysis import assert_healthy as assert_healthy
    from zfwidgets.analysis import exemplars as exemplars
    from zfwidgets.analysis import faithfulness as faithfulness
    from zfwidgets.analysis import filters as filters
    from zfwidgets.analysis import invariance as invariance
    from zfwidgets.analysis import occlusion as occlusion
    from zfwidgets.analysis import scan as scan
    from zfwidgets.analysis import usage as usage
    from zfwidgets.analysis.ablate import AblationStudy as AblationStudy
    from zfwidgets.analysis.ablate import ablate as ablate
    from zfwidgets.analysis.architecture import architecture_report as architecture_report
    from zfwidgets.analysis.clusters import clusters as clusters
    from zfwidgets.analysis.comparison import compare_channels as compare_channels
    from zfwidgets.analysis.concepts import concepts as concepts
    from zfwidgets.analysis.confusion import confusion as confusion
    from zfwidgets.analysis.correspondence import correspondence as correspondence
    from zfwidgets.analysis.difference import Difference as Difference
    from zfwidgets.analysis.difference import difference as difference
    from zfwidgets.analysis.equivariance import equivariance as equivariance
    from zfwidgets.analysis.evidence import evidence as evidence
    from zfwidgets.analysis.evolution import evolution as evolution
    from zfwidgets.analysis.figure import figure as figure
    from zfwidgets.analysis.layer_table import layer_table as layer_table
    from zfwidgets.analysis.predictability import predictability as predictability
    from zfwidgets.analysis.probe import linear_probe as linear_probe
    from zfwidgets.analysis.recorder import EvolutionRecorder as EvolutionRecorder
    from zfwidgets.analysis.review import Review as Review
    from zfwidgets.analysis.review import review as review
    from zfwidgets.analysis.similarity import best_match as best_match
    from zfwidgets.analysis.similarity import cka as cka
    from zfwidgets.analysis.similarity import similarity as similarity
    from zfwidgets.analysis.synthesize import synthesize as synthesize
    from zfwidgets.analysis.synthesized import synthesized as synthesized
    from zfwidgets.analysis.tuning import tuning as tuning
    from zfwidgets.deconv import Ablation as Ablation
    from zfwidgets.deconv import DeconvNet as DeconvNet
    from zfwidgets.deconv import Method as Method
    from zfwidgets.deconv import Projections as Projections
    from zfwidgets.deconv import Recording as Recording
    from zfwidgets.deconv import UnsupportedModel as UnsupportedModel
    from zfwidgets.deconv.checkpoints import Checkpoints as Checkpoints
    from zfwidgets.deconv.checkpoints import checkpoints as checkpoints
    from zfwidgets.deconv.load import load as load
    from zfwidgets.images import ImageError as ImageError
    from zfwidgets.images import Preprocess as Preprocess
    from zfwidgets.images.gallery import Gallery as Gallery
    from zfwidgets.images.gallery import gallery as gallery
    from zfwidgets.images.samples import sample as sample
    from zfwidgets.images.samples import samples as samples
    from zfwidgets.images.sheet import contact_sheet as contact_sheet
    from zfwidgets.nets import list_nets as list_nets
    from zfwidgets.remote import connect as connect
    from zfwidgets.widgets.channel_browser import ChannelBrowser as ChannelBrowser
    from zfwidgets.widgets.charts import Charts as Charts
    from zfwidgets.widgets.compare import Compare as Compare
    from zfwidgets.widgets.evolution_view import EvolutionView as EvolutionView
    from zfwidgets.widgets.exemplar_browser import ExemplarBrowser as ExemplarBrowser
    from zfwidgets.widgets.export import PageTooLarge as PageTooLarge
    from zfwidgets.widgets.export import SavedPage as SavedPage
    from zfwidgets.widgets.export import to_html as to_html
    from zfwidgets.widgets.image_picker import ImagePicker as ImagePicker
    from zfwidgets.widgets.inspector import Inspector as Inspector
    from zfwidgets.widgets.invariance_view import InvarianceView as InvarianceView
    from zfwidgets.widgets.layer_selector import LayerSelector as LayerSelector
    from zfwidgets.widgets.live_view import LiveView as LiveView
    from zfwidgets.widgets.mask_picker import MaskPicker as MaskPicker
    from zfwidgets.widgets.occlusion_view import OcclusionView as OcclusionView
    from zfwidgets.widgets.projection_view import ProjectionView as ProjectionView
    from zfwidgets.widgets.quiz import Quiz as Quiz
    from zfwidgets.widgets.site import SavedSite as SavedSite
    from zfwidgets.widgets.site import site as site
    from zfwidgets.widgets.steps_view import StepsView as StepsView

_HOME = {
    "Exemplars": "analysis",
    "Scan": "analysis",
    "assert_healthy": "analysis",
    "exemplars": "analysis",
    "faithfulness": "analysis",
    "filters": "analysis",
    "invariance": "analysis",
    "occlusion": "analysis",
    "scan": "analysis",
    "usage": "analysis",
    "AblationStudy": "analysis.ablate",
    "ablate": "analysis.ablate",
    "architecture_report": "analysis.architecture",
    "clusters": "analysis.clusters",
    "compare_channels": "analysis.comparison",
    "concepts": "analysis.concepts",
    "confusion": "analysis.confusion",
    "correspondence": "analysis.correspondence",
    "Difference": "analysis.difference",
    "difference": "analysis.difference",
    "equivariance": "analysis.equivariance",
    "evidence": "analysis.evidence",
    "evolution": "analysis.evolution",
    "figure": "analysis.figure",
    "layer_table": "analysis.layer_table",
    "predictability": "analysis.predictability",
    "linear_probe": "analysis.probe",
    "EvolutionRecorder": "analysis.recorder",
    "Review": "analysis.review",
    "review": "analysis.review",
    "best_match": "analysis.similarity",
    "cka": "analysis.similarity",
    "similarity": "analysis.similarity",
    "synthesize": "analysis.synthesize",
    "synthesized": "analysis.synthesized",
    "tuning": "analysis.tuning",
    "Ablation": "deconv",
    "DeconvNet": "deconv",
    "Method": "deconv",
    "Projections": "deconv",
    "Recording": "deconv",
    "UnsupportedModel": "deconv",
    "Checkpoints": "deconv.checkpoints",
    "checkpoints": "deconv.checkpoints",
    "load": "deconv.load",
    "ImageError": "images",
    "Preprocess": "images",
    "Gallery": "images.gallery",
    "gallery": "images.gallery",
    "sample": "images.samples",
    "samples": "images.samples",
    "contact_sheet": "images.sheet",
    "list_nets": "nets",
    "connect": "remote",
    "ChannelBrowser": "widgets.channel_browser",
    "Charts": "widgets.charts",
    "Compare": "widgets.compare",
    "EvolutionView": "widgets.evolution_view",
    "ExemplarBrowser": "widgets.exemplar_browser",
    "PageTooLarge": "widgets.export",
    "SavedPage": "widgets.export",
    "to_html": "widgets.export",
    "ImagePicker": "widgets.image_picker",
    "Inspector": "widgets.inspector",
    "InvarianceView": "widgets.invariance_view",
    "LayerSelector": "widgets.layer_selector",
    "LiveView": "widgets.live_view",
    "MaskPicker": "widgets.mask_picker",
    "OcclusionView": "widgets.occlusion_view",
    "ProjectionView": "widgets.projection_view",
    "Quiz": "widgets.quiz",
    "SavedSite": "widgets.site",
    "site": "widgets.site",
    "StepsView": "widgets.steps_view",
}

__all__ = [*sorted(_HOME), "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'zfwidgets' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"zfwidgets.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*globals(), *_HOME]
