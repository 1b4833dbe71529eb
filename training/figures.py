"""The pictures of a model card: first-layer filters, projections of random channels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor, nn

from zfwidgets.deconv import DeconvNet
from zfwidgets.images.samples import samples


def first_filters(net: nn.Module) -> Tensor:
    """The filters of conv1 [N,3,h,w]."""
    return net.get_parameter("conv1.weight").detach()


def filter_sheet(filters: Tensor, zoom: int = 6, columns: int = 16) -> Image.Image:
    """Filters [N,3,h,w] in rows, each scaled around mid-grey by its own largest weight."""
    number, _, h, w = filters.shape
    side_w, side_h = w * zoom + 2, h * zoom + 2
    rows = -(-number // columns)
    sheet = Image.new("RGB", (columns * side_w + 2, rows * side_h + 2), "white")
    scaled = filters / filters.abs().amax((1, 2, 3), keepdim=True).clamp_min(1e-12)
    for i, tile in enumerate((128 + 127 * scaled).round().byte().permute(0, 2, 3, 1).numpy()):
        image = Image.fromarray(tile).resize((w * zoom, h * zoom), Image.Resampling.NEAREST)
        sheet.paste(image, (2 + i % columns * side_w, 2 + i // columns * side_h))
    return sheet


def random_projections(
    net: nn.Module, layer: str, photos: list[str], columns: int = 12, seed: int = 1, side: int = 96
) -> Image.Image:
    """Projections of channels drawn at random, above the patch of photo that each comes from.

    For each channel the photo that drives it most is taken. Dead channels are shown empty.
    """
    deconv = DeconvNet(net, device="cpu")
    record = deconv.record([samples()[name].open() for name in photos])
    channels = torch.randperm(
        deconv.layers[layer].channels, generator=torch.Generator().manual_seed(seed)
    )[:columns].tolist()
    neurons = record.strongest(layer, channels)
    value = neurons.value.view(len(photos), -1) if len(neurons) else neurons.value
    # strongest() lists images one after the other; pick the photo with the largest response.
    best = value.argmax(0) * len(channels) + torch.arange(len(channels))
    chosen = record.project(neurons[best])
    seen = record.seen()
    sheet = Image.new("RGB", (columns * (side + 4) + 4, 2 * side + 26), "white")
    draw = ImageDraw.Draw(sheet)
    tiles = chosen.to_images()
    for i, (tile, box) in enumerate(zip(tiles, chosen.boxes.tolist(), strict=True)):
        x = 4 + i * (side + 4)
        sheet.paste(_fit(tile, side), (x, 4))
        sheet.paste(_fit(_patch(seen[int(chosen.neurons.image[i])], box), side), (x, side + 8))
        draw.text((x, 2 * side + 10), f"{layer} #{channels[i]}", fill="black")
    return sheet


def _patch(photo: np.ndarray, box: list[int]) -> np.ndarray:
    """Cut a receptive field out of a photo; what lies outside it is mid-grey."""
    top, left, bottom, right = box
    patch = np.full((bottom - top, right - left, 3), 128, np.uint8)
    height, width = photo.shape[:2]
    y0, y1, x0, x1 = max(0, top), min(height, bottom), max(0, left), min(width, right)
    patch[y0 - top : y1 - top, x0 - left : x1 - left] = photo[y0:y1, x0:x1]
    return patch


def _fit(tile: np.ndarray, side: int) -> Image.Image:
    enlarging = tile.shape[0] < side
    how = Image.Resampling.NEAREST if enlarging else Image.Resampling.LANCZOS
    return Image.fromarray(np.ascontiguousarray(tile)).resize((side, side), how)


def stacked(pictures: list[Image.Image]) -> Image.Image:
    """Pictures under one another on white."""
    width = max(p.width for p in pictures)
    sheet = Image.new("RGB", (width, sum(p.height for p in pictures)), "white")
    top = 0
    for picture in pictures:
        sheet.paste(picture, (0, top))
        top += picture.height
    return sheet


def draw_all(net: nn.Module, control: nn.Module, name: str, folder: Path) -> list[Path]:
    """Write the card's pictures; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    photos = list(samples())
    for label, model in (("", net), ("-untrained", control)):
        filters = first_filters(model)
        path = folder / f"{name}{label}-conv1.png"
        filter_sheet(filters).save(path, optimize=True)
        paths.append(path)
        path = folder / f"{name}{label}-projections.webp"
        layers = ("conv2", "conv3", "conv4", "conv5")
        stacked([random_projections(model, layer, photos) for layer in layers]).save(
            path, quality=80, method=6
        )
        paths.append(path)
    return paths
