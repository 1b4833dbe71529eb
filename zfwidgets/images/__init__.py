"""Picture in (decode, prepare, samples, gallery), picture out (contrast, tiles, sheets)."""

from zfwidgets.images.contrast import Contrast, contrast, heat, heat_colours
from zfwidgets.images.decode import decode
from zfwidgets.images.edits import add_noise, hide
from zfwidgets.images.gallery import Category, Gallery, GalleryPhoto, gallery
from zfwidgets.images.limits import ImageError, Limits, get_limits, set_limits
from zfwidgets.images.medical import read_slice
from zfwidgets.images.photo import Photo
from zfwidgets.images.planes import Planes
from zfwidgets.images.preparation import Preparation
from zfwidgets.images.preprocess import Preprocess
from zfwidgets.images.samples import Sample, sample, samples
from zfwidgets.images.sheet import contact_sheet
from zfwidgets.images.tiles import encode, resize, sprite

__all__ = [
    "Category",
    "Contrast",
    "Gallery",
    "GalleryPhoto",
    "ImageError",
    "Limits",
    "Photo",
    "Planes",
    "Preparation",
    "Preprocess",
    "Sample",
    "add_noise",
    "contact_sheet",
    "contrast",
    "decode",
    "encode",
    "gallery",
    "get_limits",
    "heat",
    "heat_colours",
    "hide",
    "read_slice",
    "resize",
    "sample",
    "samples",
    "set_limits",
    "sprite",
]
