"""A gallery of pictures: samples, folders, uploads, camera; one of them, or a square of it, chosen.

What can be large is pulled by the page: thumbnails of files when they come into sight, the photo
when its square is chosen, the wall of `zf.gallery()` when it is opened. A picture that cannot be
read is said so, and the chosen one stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import traitlets as t
from PIL import Image, ImageOps

from zfwidgets.images import ImageError, Photo, Preparation, Preprocess, get_limits
from zfwidgets.images.tiles import encode, sprite
from zfwidgets.widgets.core.base import ZFWidget, disposing
from zfwidgets.widgets.core.rpc import Job, Responder
from zfwidgets.widgets.core.spoken import SPOKEN_PHOTOS
from zfwidgets.widgets.core.wire import Answer, WireError, sheet
from zfwidgets.widgets.image_picker import gallery, wall
from zfwidgets.widgets.image_picker.gallery import ACCEPTED, Entry, Files
from zfwidgets.widgets.image_picker.notes import spoken
from zfwidgets.widgets.image_picker.uploads import Uploads

_COLUMNS = 8
_QUALITY = 86  # of thumbnails
_MOST_IN_ATLAS = 64
_MOST_RECENT = 12
_PHOTO_SIDE = 1024  # of the photo that the page shows to choose the square in


class ImagePicker(ZFWidget):
    """Choose a picture, or bring one: upload, drag and drop, paste, camera; crop and remove.

    Parameters:
        images: what the gallery begins with: a mapping of label -> picture, or an iterable of
            pictures, or a folder (``"photos"``) or pattern (``"photos/**/*.jpg"``) on the kernel's
            side. A picture is a path, the bytes of a file, a PIL image, a uint8 array ``[H, W, 3]``
            or a `Photo`. Default: the sample photographs of the package. Files of folders and
            patterns (at most 1000) are decoded when they come into sight; those that cannot be read
            are listed with the reason.
        value: id of the picture to begin with, or the name of a photograph of `zf.gallery()`, which
            joins the pictures then; default: the first that can be read.
        gallery: whether a wall with all photographs of `zf.gallery()` can be opened and searched.
        transforms: the network's preparation, as `DeconvNet.preparation` or `.transforms`; with a
            preparation or a `Preprocess` the crop shows what the network will see.

    Raises:
        ImageError: a single picture cannot be decoded, or a folder or pattern holds none.
        traitlets.TraitError: no picture has the id `value`.

    Examples:
        >>> picker = ImagePicker("photos/*.jpg", transforms=net.transforms)
        >>> picker.observe(lambda change: print(change["new"].size), "image")
        >>> picker.crop = (40, 100, 256)
    """

    bundle_name = "image-picker"

    items = t.List(t.Dict(), read_only=True).tag(sync=True, **SPOKEN_PHOTOS)
    """The gallery in order: ``{id, label, credit}``, plain text; with ``problem`` where a file
    cannot be read, ``note`` where its values had to be guessed, and ``author``, ``source``,
    ``licence``, ``licence_url`` and ``changes`` of photographs that ship."""

    value = t.Unicode(None, allow_none=True).tag(sync=True)
    """Id of the chosen picture; None while the gallery is empty. Set to the name of a photograph of
    `zf.gallery()`, as "jay-1", it puts that photograph behind the others and chooses it."""

    gallery = t.Bool(True).tag(sync=True)
    """Whether photographs of `zf.gallery()` can be chosen as well, from a wall that is searched."""

    crop: Any = t.Tuple(t.Int(), t.Int(), t.Int(), default_value=None, allow_none=True).tag(
        sync=True
    )
    """The square that is used of the chosen picture: top, left and size in its pixels. None: the
    whole picture, of which the network takes the middle. Kept for each picture."""

    image = t.Instance(Image.Image, allow_none=True, read_only=True)
    """The chosen picture, or the square `crop` of it, mode RGB. Python only."""

    transforms = t.Any(None, allow_none=True)
    """The network's preparation, if known. Python only."""

    order = t.Enum(["given", "recent"], "given").tag(sync=True)
    """Whether the gallery shows what was used most recently first."""

    recent = t.List(t.Unicode(), read_only=True).tag(sync=True)
    """Ids of the pictures that were chosen, the most recent first."""

    left_out = t.Int(0, read_only=True).tag(sync=True)
    """How many files of folders and patterns are not listed, being more than 1000."""

    disabled = t.Bool(False).tag(sync=True)
    """Whether choosing and uploading are off for the moment."""

    rows = t.Int(0, min=0, max=1).tag(sync=True)
    """0: the gallery wraps into as many rows as it needs; 1: one row that scrolls sideways."""

    _accept = t.Unicode(ACCEPTED).tag(sync=True)
    _seen_note = t.Unicode().tag(sync=True)  # why what the network sees is shown stretched
    _thumbs = t.Bytes().tag(sync=True)
    _slots = t.Dict().tag(sync=True)  # id -> place on the atlas; others are asked for
    _columns = t.Int(_COLUMNS).tag(sync=True)
    _max_bytes = t.Int().tag(sync=True)
    _share = t.Float(1.0).tag(sync=True)  # of a square's side, what the network sees of it

    def __init__(
        self,
        images: Any = None,
        *,
        value: str | None = None,
        **kwargs: Any,
    ) -> None:
        self._entries: dict[str, Entry] = {}
        self._uploads = Uploads()
        self._photo: tuple[str, Image.Image] | None = None  # the chosen one, whole
        self._ready: tuple[str, Image.Image] | None = None  # decoded, and likely to be chosen
        self._crops: dict[str, tuple[int, int, int]] = {}
        self._removed: tuple[int, str, Entry] | None = None
        handlers = {
            name: getattr(self, f"_answer_{name}")
            for name in (
                *("upload", "thumbs", "photo", "seen", "remove", "restore"),
                *("wall", "tiles", "hang"),
            )
        }
        self._responder = Responder(self.send, handlers)
        super().__init__(**kwargs)
        with disposing([self]):
            for label, source in gallery.sources(images):
                self._enter(label, source)
            self._show_gallery()
            self.value = self._readable(self._entries) if value is None else value
        self.on_msg(self._responder.on_msg)

    @t.default("_max_bytes")
    def _limit(self) -> int:
        return get_limits().max_bytes

    def add(
        self, image: Any, label: str = "", credit: str | Photo = "", *, choose: bool = True
    ) -> str:
        """Put a picture into the gallery and give its id.

        Parameters:
            image: a path, the bytes of a file, a PIL image, a uint8 array ``[H, W, 3]``, a `Photo`.
            label: its name; a path or a `Photo` brings its own.
            credit: author and licence, shown with the label; or the `Photo` that it was made of,
                whose attribution is shown then.
            choose: whether it becomes the chosen one.

        Raises:
            ImageError: it cannot be decoded. Nothing changes then.
        """
        name = self._enter_one(label or gallery.own_label(image) or "picture", image, credit)
        entry = self._entries[name]
        entry.thumb = entry.small()
        with self.hold_sync():
            self._show_gallery()
            if choose:
                self.value = name
        return name

    def remove(self, name: str | None = None) -> None:
        """Take a picture out of the gallery; no file is deleted. The next one is chosen instead.

        Parameters:
            name: its id; default: the chosen one.

        Raises:
            KeyError: there is no such picture.
        """
        name = self.value if name is None else name
        if name is None or name not in self._entries:
            raise KeyError(f"no picture {name!r}; there are {', '.join(self._entries) or 'none'}")
        names = list(self._entries)
        at = names.index(name)
        if name == self.value:
            self.value = self._readable([*names[at + 1 :], *reversed(names[:at])])
        self._removed = at, name, self._entries.pop(name)
        self._crops.pop(name, None)  # another picture may get its id
        with self.hold_sync():
            self.set_trait("recent", [other for other in self.recent if other != name])
            self._show_gallery()

    def restore(self) -> str | None:
        """Put the picture that was removed last back in its place and choose it; gives its id."""
        if self._removed is None:
            return None
        at, name, entry = self._removed
        self._removed = None
        others = list(self._entries.items())
        name = self._new_id(name)
        self._entries = dict([*others[:at], (name, entry), *others[at:]])
        with self.hold_sync():
            self._show_gallery()
            self.value = name
        return name

    def close(self) -> None:
        """Close the widget and let go of its pictures."""
        self._responder.close()
        self.unobserve_all("image")  # nobody waits for the None below
        super().close()
        self._entries.clear()
        self._uploads.clear()
        self._photo = self._ready = self._removed = None
        self.transforms = None
        self.set_trait("image", None)

    def plain_text(self) -> str:
        """One line for terminals."""
        return f"ImagePicker(value={self.value!r}, {len(self.items)} pictures)"

    def contact_sheet(self) -> bytes | None:
        """The first thumbnails, for places without a kernel."""
        thumbs = []
        for entry in list(self._entries.values())[: 2 * _COLUMNS]:
            try:
                thumbs.append(entry.small())
            except ImageError:
                continue
        return encode(sprite(np.stack(thumbs), _COLUMNS), "image/png") if thumbs else None

    # ----------------------------------------------------------------------- gallery

    def _enter(self, label: str, source: Any) -> None:
        if isinstance(source, Files):
            for path in source.paths:
                label = gallery.clean_label(path.name)
                self._entries[self._new_id(label)] = Entry(label, "", path)
            self.set_trait("left_out", self.left_out + source.left_out)
        else:
            self._enter_one(label, source)

    def _enter_one(self, label: str, source: Any, credit: str | Photo = "") -> str:
        """Decode once, keep the thumbnail and the source; the picture is ready to be chosen."""
        entry, image = gallery.entry(source, label, credit)
        name = entry.label
        there = self._entries.get(name)
        if image is None and there is not None and there.source == source:
            return name
        name = self._new_id(name)
        if image is not None:
            self._ready = name, image
        self._entries[name] = entry
        return name

    def _new_id(self, label: str) -> str:
        if label not in self._entries:
            return label
        number = 2
        while (name := f"{label} ({number})") in self._entries:
            number += 1
        return name

    def _readable(self, names: Iterable[str]) -> str | None:
        """The first of the pictures that can be opened; it is then ready to be chosen."""
        for name in list(names):
            if self._ready is not None and self._ready[0] == name:
                return name
            try:
                self._ready = name, self._entries[name].open()
            except ImageError:
                self._list_items()
                continue
            return name
        return None

    def _show_gallery(self) -> None:
        thumbs = {name: entry.thumb for name, entry in self._entries.items()}
        known = [(name, thumb) for name, thumb in thumbs.items() if thumb is not None]
        known = known[:_MOST_IN_ATLAS]
        sheet = sprite(np.stack([thumb for _, thumb in known]), _COLUMNS) if known else None
        atlas = b"" if sheet is None else encode(sheet, "image/webp", quality=_QUALITY)
        with self.hold_sync():
            self._slots = {name: slot for slot, (name, _) in enumerate(known)}
            self._thumbs = atlas
            self._list_items()

    def _list_items(self) -> None:
        listed = []
        for name, entry in self._entries.items():
            listed.append({"id": name, **entry.told(self.locale)})
        self.set_trait("items", listed)

    @t.observe("locale")
    def _tell_anew(self, _change: object) -> None:
        if self._entries:
            self._list_items()
            self._look_at_preparation()

    # ------------------------------------------------------------------------ choice

    @t.validate("value")
    def _check_value(self, proposal: dict[str, Any]) -> str | None:
        value: str | None = proposal["value"]
        if value is None or value in self._entries or (self.gallery and wall.known(value)):
            return value
        known = ", ".join(self._entries) or "none, the gallery is empty"
        more = ", or a name of zf.gallery()" if self.gallery else ""
        raise t.TraitError(f"value got {value!r:.80}; expected one of {known:.400}{more}")

    @t.observe("value")
    def _open_value(self, change: dict[str, Any]) -> None:
        name = change["new"]
        if name is None:
            self._photo = None
            self.crop = None
            self.set_trait("image", None)
            return
        if self._photo is not None and self._photo[0] == name:
            return  # back from one that could not be opened
        if name not in self._entries:
            self.add(wall.known(name), choose=False)
        told = self._entries[name].note
        try:
            ready = self._ready is not None and self._ready[0] == name
            photo = self._ready[1] if ready and self._ready else self._entries[name].open()
        except ImageError as error:
            self.fail(error)
            self._list_items()
            self.value = change["old"]
            return
        self._ready = None
        self.clear_error()
        with self.hold_sync():
            self._photo = name, photo
            recent = [name, *(other for other in self.recent if other != name)]
            self.set_trait("recent", recent[:_MOST_RECENT])
            self.set_trait("crop", self._crops.get(name))
            if self._entries[name].note != told:
                self._list_items()
        self._show_image()

    @t.validate("crop")
    def _check_crop(self, proposal: dict[str, Any]) -> tuple[int, int, int] | None:
        crop: tuple[int, int, int] | None = proposal["value"]
        if crop is None or self._photo is None:
            return None
        if problem := gallery.misplaced(crop, self._photo[1].size):
            raise t.TraitError(problem)
        return crop

    @t.observe("crop")
    def _keep_crop(self, change: dict[str, Any]) -> None:
        if self.value is None or self._photo is None or self._photo[0] != self.value:
            return
        if self._crops.get(self.value) == change["new"]:
            return  # the picture has changed, and brought its own
        self._crops.pop(self.value, None)
        if change["new"] is not None:
            self._crops[self.value] = change["new"]
        self._show_image()

    def _show_image(self) -> None:
        if self._photo is not None:
            self.set_trait("image", gallery.square(self._photo[1], self.crop))

    @t.observe("transforms")
    def _measure_share(self, _change: object) -> None:
        how = self._preprocess()
        self._share = how.size / how.resize if how is not None and how.mode == "crop" else 1.0
        self._look_at_preparation()

    def _preprocess(self) -> Preprocess | None:
        given = self.transforms
        how = given.transforms if isinstance(given, Preparation) else given
        return how if isinstance(how, Preprocess) else None

    def _look_at_preparation(self) -> None:
        """Find out whether inputs can be shown as they are: a preparation is asked for that."""
        how = self.transforms
        if not isinstance(how, Preparation) or self._preprocess() is not None:
            self._seen_note = ""
        else:
            self._responder.submit(lambda _job: self._tell_preparation(how))

    def _tell_preparation(self, how: Preparation) -> None:
        """On the worker thread."""
        note = spoken(how.note, self.locale)
        if self.transforms is how:
            self._seen_note = note

    # ------------------------------------------------- questions, on the worker thread

    def _answer_upload(self, job: Job) -> Answer:
        """One piece of a file. The last one is answered by the id of the new picture."""
        got = self._uploads.take(job.request)
        if isinstance(got, int):
            return Answer({"received": got}, last=True)
        name, data = got
        job.check()
        return Answer({"item": self.add(data, name)}, last=True)

    def _answer_thumbs(self, job: Job) -> Iterator[Answer]:
        """Thumbnails of {ids}, an answer each; what cannot be read is told in `items`."""
        for name in self._known(job, "ids"):
            job.check()
            entry = self._entries[name]
            try:
                thumb = entry.small()
            except ImageError:
                self._list_items()
                continue
            yield Answer({"item": name}, [encode(thumb, "image/webp", quality=_QUALITY)])

    def _answer_photo(self, job: Job) -> Answer:
        """The photo {picture}, whole, as large as is needed to choose a square in it."""
        photo = self._whole(job)
        large = max(photo.size) > _PHOTO_SIDE
        small = ImageOps.contain(photo, (_PHOTO_SIDE, _PHOTO_SIDE)) if large else photo
        data = encode(np.asarray(small), "image/jpeg", quality=88)
        return Answer({"size": [photo.height, photo.width]}, [data], last=True)

    def _answer_seen(self, job: Job) -> Answer:
        """What the network will see of {picture, crop}, pixel for pixel."""
        how = self.transforms
        if not isinstance(how, Preparation | Preprocess):
            return Answer({"known": False}, last=True)
        photo, crop = self._whole(job), job.request.body.get("crop")
        if crop is not None and gallery.misplaced(crop, photo.size):
            raise WireError("Unreadable question", f"expected a square, got {crop!r:.80}")
        square, own = gallery.square(photo, crop), self._preprocess()
        seen = how(square)[None] if own is None else own.array(square)[None]
        return Answer({"known": True}, [encode(how.undo(seen)[0])], last=True)

    def _whole(self, job: Job) -> Image.Image:
        """The photo {picture}. The page may have chosen it before this side has heard of it."""
        (name,) = self._known(job, "picture")
        chosen = self._photo
        return chosen[1] if chosen and chosen[0] == name else self._entries[name].open()

    def _answer_remove(self, job: Job) -> Answer:
        """Take {picture} out of the gallery."""
        (name,) = self._known(job, "picture")
        self.remove(name)
        return Answer({"value": self.value}, last=True)

    def _answer_restore(self, _job: Job) -> Answer:
        """Put the picture that was removed last back."""
        return Answer({"item": self.restore()}, last=True)

    def _answer_wall(self, _job: Job) -> Answer:
        """What hangs on the wall: names and classes, no pictures."""
        return Answer(wall.facts(self.locale), last=True)

    def _answer_tiles(self, job: Job) -> Answer:
        """Thumbnails of the photographs {ids} of the wall, {px} wide, all on one sheet."""
        photos = wall.photographs()
        ids = job.request.ids("ids", len(photos))
        px = job.request.integer("px", 16, wall.SIDE)
        tiles = wall.thumbnails([photos[number] for number in ids], px, job.check)
        made = sheet(ids, tiles, quality=_QUALITY)
        return Answer(made.head(), [made.data], last=True)

    def _answer_hang(self, job: Job) -> Answer:
        """Choose the photograph {number} of the wall."""
        photos = wall.photographs()
        number = job.request.integer("number", 0, len(photos) - 1)
        return Answer({"item": self.add(photos[number])}, last=True)

    def _known(self, job: Job, key: str) -> list[str]:
        """The id, or the list of ids, in the question's field `key`."""
        asked = job.request.body.get(key)
        ids = [asked] if isinstance(asked, str) else asked
        if not isinstance(ids, list) or not all(isinstance(one, str) for one in ids):
            raise WireError("Unreadable question", f"expected {key} of pictures, got {asked!r:.80}")
        found = [one for one in ids[:_MOST_IN_ATLAS] if one in self._entries]
        if isinstance(asked, str) and not found:
            raise WireError("The picture is gone", f"There is no {asked!r:.80} any more.")
        return found
