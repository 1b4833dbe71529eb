"""The deconvnet engine: pure torch. Record a forward pass, send neurons back to pixels."""

from zfwidgets.deconv.ablation import Ablation
from zfwidgets.deconv.deconvnet import DeconvNet
from zfwidgets.deconv.graph import UnsupportedModel
from zfwidgets.deconv.layers import Layer, Layers
from zfwidgets.deconv.neurons import Neurons
from zfwidgets.deconv.projections import Projections
from zfwidgets.deconv.recording import Recording
from zfwidgets.deconv.signals import Method

__all__ = [
    "Ablation",
    "DeconvNet",
    "Layer",
    "Layers",
    "Method",
    "Neurons",
    "Projections",
    "Recording",
    "UnsupportedModel",
]
