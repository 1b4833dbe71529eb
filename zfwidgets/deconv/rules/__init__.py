"""How a signal goes back through each operation: one class per rule.

Sources: Zeiler & Fergus 2013, section 2.1, for unpooling, rectification and transposed filters;
everything that the paper does not define carries a text in `extension`.
"""

from zfwidgets.deconv.rules.base import (
    Kept,
    Kind,
    NotExact,
    Operand,
    Rule,
    StepKind,
)
from zfwidgets.deconv.rules.derivative import Derivative, Pointwise, Written
from zfwidgets.deconv.rules.filtering import Conv, Linear
from zfwidgets.deconv.rules.joining import Add, Concatenate, Product, Slice
from zfwidgets.deconv.rules.normalising import BatchNorm, LocalResponseNorm
from zfwidgets.deconv.rules.pooling import AdaptiveAvgPool, AvgPool, MaxPool, MaxPoolWithIndices
from zfwidgets.deconv.rules.rectifying import Rectifier
from zfwidgets.deconv.rules.shapes import Expand, Pad, Permute, Reshape, Same

__all__ = [
    "AdaptiveAvgPool",
    "Add",
    "AvgPool",
    "BatchNorm",
    "Concatenate",
    "Conv",
    "Derivative",
    "Expand",
    "Kept",
    "Kind",
    "Linear",
    "LocalResponseNorm",
    "MaxPool",
    "MaxPoolWithIndices",
    "NotExact",
    "Operand",
    "Pad",
    "Permute",
    "Pointwise",
    "Product",
    "Rectifier",
    "Reshape",
    "Rule",
    "Same",
    "Slice",
    "StepKind",
    "Written",
]
