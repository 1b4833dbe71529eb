"""The picker of one row with which composed widgets begin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zfwidgets.images import gallery, samples
from zfwidgets.widgets.image_picker import ImagePicker
from zfwidgets.widgets.image_picker.gallery import is_several


def one_row(image: Any, **traits: Any) -> ImagePicker:
    """A picker of one row that begins with `image`: a photograph's name, a picture, or several."""
    if isinstance(image, str) and (image in samples() or image in gallery()):
        return ImagePicker(value=image, rows=1, **traits)
    if isinstance(image, (Mapping, list, tuple)) or is_several(image):
        return ImagePicker(image, rows=1, **traits)
    picker = ImagePicker(rows=1, **traits)
    if image is not None:
        picker.add(image)
    return picker
