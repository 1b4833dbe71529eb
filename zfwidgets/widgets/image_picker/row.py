"""The picker of one row with which composed widgets begin."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zfwidgets.images import gallery, samples
from zfwidgets.widgets.core.base import disposing
from zfwidgets.widgets.image_picker import ImagePicker
from zfwidgets.widgets.image_picker.gallery import is_several


def one_row(image: Any, **traits: Any) -> ImagePicker:
    """A picker of one row that begins with `image`: a photograph's name, a picture, or several."""
    if isinstance(image, str) and (image in samples() or image in gallery()):
        return ImagePicker(value=image, rows=1, **traits)
    if isinstance(image, Mapping):
        image = {label: _named(one) for label, one in image.items()}
    elif isinstance(image, (list, tuple)):
        image = [_named(one) for one in image]
    elif not is_several(image):
        picker = ImagePicker(rows=1, **traits)
        if image is not None:
            with disposing([picker]):
                picker.add(image)
        return picker
    return ImagePicker(image, rows=1, **traits)


def _named(source: Any) -> Any:
    """The photograph of that name; a file or folder of several that is called so goes first."""
    if not isinstance(source, str):
        return source
    photo = samples().get(source) or gallery().get(source)
    return source if photo is None or Path(source).exists() else photo
