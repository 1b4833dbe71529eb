"""A name gives the network it says, or a message that says what to do; never something else."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from zfwidgets.images.preprocess import Preprocess
from zfwidgets.nets import (
    AlexNet,
    DownloadError,
    MissingWeightsError,
    NetError,
    NetInfo,
    NetList,
    ZFNet,
    build,
    list_nets,
)
from zfwidgets.nets.sources import hub_pytorchcv, hub_timm, hub_torchvision, papers

from .conftest import Hub


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in the place of the bundled weights."""
    monkeypatch.setattr(papers, "WEIGHTS", tmp_path)
    return tmp_path


def bundle(folder: Path, name: str, net: nn.Module, **metadata: str) -> None:
    half = {key: tensor.half() for key, tensor in net.state_dict().items()}
    save_file(half, folder / f"{name}.safetensors", metadata)


PREPARE = json.dumps({"size": 128, "resize": 144, "mean": [0.5, 0.5, 0.5]})


# The papers' nets: trained means trained.


@pytest.mark.parametrize(("name", "make"), [("zfnet", ZFNet), ("alexnet", AlexNet)])
def test_a_bundled_net_comes_with_its_weights_and_preparation(
    name: str, make: type[ZFNet] | type[AlexNet], weights: Path
) -> None:
    net = make(head="light", norm=False)
    bundle(weights, name, net, preprocess=PREPARE, accuracy="top-1 50 %", licence="CC0-1.0")
    got = build(name)
    assert got.transforms == Preprocess(size=128, resize=144, mean=(0.5, 0.5, 0.5))
    assert (got.info.accuracy, got.info.licence, got.info.local) == ("top-1 50 %", "CC0-1.0", True)
    assert got.info.size_bytes == (weights / f"{name}.safetensors").stat().st_size
    assert got.categories is not None
    assert got.categories[281] == "tabby"
    assert not got.model.training
    for key, tensor in got.model.state_dict().items():
        assert tensor.dtype == torch.float32
        assert torch.equal(tensor, net.state_dict()[key].half().float())


def test_random_weights_never_stand_in_for_missing_trained_ones(weights: Path) -> None:
    with pytest.raises(MissingWeightsError, match=r"missing(.|\n)*zfnet\.safetensors") as caught:
        build("zfnet")
    assert "zfnet-untrained" in str(caught.value)
    assert str(weights) in str(caught.value)


@pytest.mark.parametrize("name", ["zfnet-b", "alexnet-2", "cnn-f", "cnn-m", "cnn-s"])
def test_a_net_without_trained_weights_must_be_asked_for_as_untrained(name: str) -> None:
    with pytest.raises(MissingWeightsError, match=f"'{name}-untrained'"):
        build(name)


def test_weights_that_do_not_fit_are_refused(weights: Path) -> None:
    bundle(weights, "zfnet", AlexNet(head="light", norm=False), preprocess=PREPARE)
    with pytest.raises(NetError, match=r"conv1\.weight: shape \[96, 3, 11, 11\], expected"):
        build("zfnet")


def test_weights_that_do_not_say_how_to_prepare_images_are_refused(weights: Path) -> None:
    bundle(weights, "zfnet", ZFNet(head="light", norm=False))
    with pytest.raises(NetError, match="'preprocess'"):
        build("zfnet")


def test_options_of_the_architecture_do_not_go_with_trained_weights(weights: Path) -> None:
    with pytest.raises(NetError, match=r"num_classes only goes with untrained=True"):
        build("zfnet", num_classes=10)


@pytest.mark.parametrize("call", [("zfnet-untrained", {}), ("zfnet", {"untrained": True})])
def test_an_untrained_net_says_that_it_is_untrained(call: tuple[str, dict[str, Any]]) -> None:
    name, options = call
    got = build(name, head="light", num_classes=7, **options)
    assert got.info.name == "zfnet-untrained"
    assert got.info.accuracy == "untrained"
    assert got.categories is None  # names of classes would be read as answers
    assert got.model(torch.zeros(1, 3, 224, 224)).shape == (1, 7)


def test_an_untrained_net_is_the_same_each_time_and_leaves_the_random_state_alone() -> None:
    before = torch.random.get_rng_state()
    first, again, other = (
        build("alexnet-untrained", head="light", seed=seed).model.state_dict() for seed in (1, 1, 2)
    )
    assert torch.equal(first["conv5.weight"], again["conv5.weight"])
    assert not torch.equal(first["conv5.weight"], other["conv5.weight"])
    assert torch.equal(before, torch.random.get_rng_state())


def test_untrained_options_that_the_class_does_not_have_are_named() -> None:
    with pytest.raises(NetError, match="depth"):
        build("zfnet-untrained", depth=3)


def test_the_table_of_papers_counts_parameters_right() -> None:
    for name, paper in papers.PAPERS.items():
        with torch.device("meta"):
            net = paper.make()
        assert sum(p.numel() for p in net.parameters()) == paper.params, name


# Names.


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("zfent", "'zfnet'"),
        ("torchvision:vgg61", "'vgg16'"),
        ("pytorchcv:zfnett", "'zfnet'"),
        ("timm:resnet_18", "'resnet18"),
        ("onnx:zfnet", "'onnx:zfnet512'"),
        ("huggingface:x", "list_nets()"),
        ("torchvision:", "list_nets()"),
    ],
)
def test_an_unknown_name_is_answered_with_the_closest_known_ones(name: str, hint: str) -> None:
    with pytest.raises(NetError) as caught:
        build(name)
    assert hint in str(caught.value)


def test_an_unknown_option_is_answered_with_the_known_ones() -> None:
    with pytest.raises(NetError, match=r"got pretrained; .*: weights, progress"):
        build("torchvision:resnet18", pretrained=True)


@pytest.mark.parametrize("name", ["torchvision:fcn_resnet50", "timm:no_such", "pytorchcv:wrn28"])
def test_what_is_not_a_classifier_is_refused(name: str) -> None:
    with pytest.raises(NetError):
        build(name)


# The list.


def test_every_name_without_a_placeholder_is_known_to_build(mirror: Hub, weights: Path) -> None:
    for info in list_nets():
        if not info.name.endswith(("NAME", "PATH", "-untrained")):
            with pytest.raises((MissingWeightsError, DownloadError)):
                build(info.name)


def test_the_list_tells_what_is_here(mirror: Hub, weights: Path) -> None:
    assert {i.name for i in list_nets() if i.local} == {f"{n}-untrained" for n in papers.PAPERS}
    bundle(weights, "zfnet", ZFNet(head="light", norm=False), preprocess=PREPARE)
    checkpoints = hub_torchvision.hub_folder()
    checkpoints.mkdir(parents=True)
    (checkpoints / "vgg16-397923af.pth").touch()
    here = {i.name for i in list_nets() if i.local and not i.name.endswith("-untrained")}
    assert here == {"zfnet", "torchvision:vgg16"}


def test_every_entry_says_what_it_is_and_its_licence_and_accuracy() -> None:
    for info in list_nets():
        assert all((info.title, info.description, info.licence, info.accuracy, info.source))


def test_bundled_nets_come_first() -> None:
    assert list_nets().names()[:2] == ["zfnet", "alexnet"]


STRANGE = NetInfo(
    "<b>x</b>", "A & B", "<script>", "MIT", "50 %", 1_500_000, "there", None, 2_340_000
)


def test_the_list_is_a_table_in_text() -> None:
    head, rule, row = repr(NetList([STRANGE])).splitlines()
    assert head.split() == ["name", "what", "it", "is", "accuracy", "parameters", "size",
                            "licence", "here"]  # fmt: skip
    assert set(rule) == {"-", " "}
    assert row.split() == ["<b>x</b>", "A", "&", "B", "50", "%", "2.3", "M", "1.5", "MB", "MIT",
                           "–"]  # fmt: skip


def test_of_several_accuracies_the_table_shows_the_first() -> None:
    found = replace(STRANGE, accuracy="22 % / 46 % as its teacher, 12 % / 28 % right")
    row = repr(NetList([found])).splitlines()[-1]
    assert "22 % / 46 % as its teacher  " in row
    assert "right" not in row


def test_long_text_goes_on_in_the_next_line_of_its_cell() -> None:
    long = replace(STRANGE, licence="MIT; made from something else under a longer name")
    _, _, first, second = repr(NetList([long])).splitlines()
    assert "MIT; made from something else under" in first
    assert second.split() == ["a", "longer", "name"]
    assert first.index("MIT") == second.index("a longer")


def test_the_list_is_a_table_in_notebooks_with_everything_escaped() -> None:
    html = NetList([STRANGE])._repr_html_()
    assert "&lt;b&gt;x&lt;/b&gt;" in html
    assert "A &amp; B" in html
    assert "&lt;script&gt;" in html
    assert "<script>" not in html
    assert html.count("<tr>") == 2


def test_saying_what_a_net_is_does_not_load_torch() -> None:
    code = "import sys, zfwidgets.nets as n; n.NetInfo; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


# torchvision.


@pytest.fixture
def squeezenet(mirror: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> nn.Module:
    """torchvision's smallest net with weights of ours on the server in the place of its own."""
    from torchvision import models

    net = models.squeezenet1_1(weights=None)
    torch.save(net.state_dict(), tmp_path / "net.pth")
    content = (tmp_path / "net.pth").read_bytes()
    url = f"https://example.org/m/squeezenet1_1-{hashlib.sha256(content).hexdigest()[:8]}.pth"
    real = models.SqueezeNet1_1_Weights.DEFAULT
    stand_in = SimpleNamespace(
        url=url, meta=real.meta, transforms=real.transforms, name="IMAGENET1K_V1"
    )
    monkeypatch.setattr(hub_torchvision, "_weights", lambda _name, _which: stand_in)
    mirror.put(url.removeprefix("https:/"), content)
    return net


def test_torchvision_nets_come_with_weights_names_and_preparation(
    squeezenet: nn.Module, mirror: Hub
) -> None:
    got = build("torchvision:squeezenet1_1", progress=False)
    x = torch.randn(2, 3, 96, 96)
    torch.testing.assert_close(got.model(x), squeezenet.eval()(x))
    assert got.transforms == Preprocess()
    assert got.categories is not None
    assert (len(got.categories), got.categories[0]) == (1000, "tench")
    assert got.info.params == 1_235_496
    asked = len(mirror.asked)
    build("torchvision:squeezenet1_1")
    assert len(mirror.asked) == asked  # the second time it is here


def test_torchvision_files_go_where_other_programs_look(squeezenet: nn.Module) -> None:
    build("torchvision:squeezenet1_1", progress=False)
    assert list((Path(torch.hub.get_dir()) / "checkpoints").glob("squeezenet1_1-*.pth"))


def test_torchvision_preparation_is_torchvisions() -> None:
    from torchvision import models

    chosen = models.ResNet50_Weights.IMAGENET1K_V2
    ours, theirs = hub_torchvision.preprocess(chosen), chosen.transforms()
    from PIL import Image

    pixels = torch.randint(0, 256, (300, 411, 3), dtype=torch.uint8).numpy()
    photo = Image.fromarray(pixels)
    torch.testing.assert_close(ours(photo), theirs(photo), atol=0.02, rtol=0)


def test_other_weights_of_torchvision_can_be_chosen() -> None:
    v1 = hub_torchvision._weights("resnet50", "IMAGENET1K_V1")
    assert v1.url != hub_torchvision._weights("resnet50", None).url
    with pytest.raises(NetError, match="IMAGENET1K_V1, IMAGENET1K_V2"):
        build("torchvision:resnet50", weights="V3")


def test_every_torchvision_classifier_has_a_hash_and_a_preparation() -> None:
    from torchvision import models

    for name in models.list_models(module=models):
        chosen = hub_torchvision._weights(name, None)
        assert len(hub_torchvision.remote_file(chosen).digest) >= len("sha256:") + 8
        assert hub_torchvision.preprocess(chosen).size > 0


def test_googlenet_without_its_own_input_transform_computes_the_same() -> None:
    from torchvision.models import GoogLeNet

    quirk = hub_torchvision.QUIRKS["googlenet"]
    plain = quirk.prepare(Preprocess())
    theirs = GoogLeNet(transform_input=True, aux_logits=True, init_weights=False).eval()
    ours = GoogLeNet(**(quirk.options(None))).eval()
    ours.load_state_dict(theirs.state_dict())
    ours = quirk.finish(ours)
    white = torch.rand(1, 3, 64, 64)

    def prepared(by: Preprocess) -> torch.Tensor:
        mean, std = (torch.tensor(v)[:, None, None] for v in (by.mean, by.std))
        return (white - mean) / std

    torch.testing.assert_close(ours(prepared(plain)), theirs(prepared(Preprocess())))
    assert not any(name.startswith("aux") for name, _ in ours.named_parameters())


def test_old_names_in_densenets_files_are_the_modules_names() -> None:
    from torchvision import models

    with torch.device("meta"):
        names = set(models.densenet121(weights=None).state_dict())
    old = {name: torch.empty(0) for name in names}
    for layer in ("norm", "relu", "conv"):
        for i in "12":
            old = {
                (n.replace(f".{layer}{i}.", f".{layer}.{i}.") if "denselayer" in n else n): t
                for n, t in old.items()
            }
    assert set(old) != names
    assert set(hub_torchvision.QUIRKS["densenet"].rename(old)) == names


# pytorchcv.


def test_the_shown_facts_of_pytorchcv_are_those_of_its_table() -> None:
    for name, _, _, params, file in hub_pytorchcv.SHOWN:
        row = hub_pytorchcv._row(name)
        assert int(row["net_weights"]) == params
        assert hub_pytorchcv.remote_file(row).name == file


def test_pytorchcv_addresses_are_those_of_its_releases() -> None:
    file = hub_pytorchcv.remote_file(hub_pytorchcv._row("zfnet"))
    assert file.urls == (
        "https://github.com/osmr/imgclsmob/releases/download/v0.0.395/zfnet-1727-d010ddca.pth.zip",
    )
    assert file.digest == "sha1:d010ddca1eb32a50a8cceb475c792f53e769b631"


def test_pytorchcv_nets_are_fetched_unpacked_checked_and_filled(
    mirror: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import io
    import zipfile

    from pytorchcv.model_provider import get_model

    net = get_model("squeezenet_v1_1")
    torch.save(net.state_dict(), tmp_path / "net.pth")
    content = (tmp_path / "net.pth").read_bytes()
    row = hub_pytorchcv._row("squeezenet_v1_1") | {"checksum": hashlib.sha1(content).hexdigest()}
    monkeypatch.setattr(hub_pytorchcv, "_row", lambda _name: row)
    file = hub_pytorchcv.remote_file(row)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(file.name, content)
    mirror.put(file.urls[0].removeprefix("https:/"), packed.getvalue())

    got = build("pytorchcv:squeezenet_v1_1", progress=False)
    x = torch.randn(1, 3, 224, 224)
    torch.testing.assert_close(got.model(x), net.eval()(x))
    assert got.transforms == Preprocess(size=224, resize=256)
    assert file.path == tmp_path / "cache" / "pytorchcv" / file.name


def test_what_pytorchcv_has_fetched_itself_is_used(mirror: Hub, tmp_path: Path) -> None:
    own = tmp_path / "home" / ".torch" / "models"
    own.mkdir(parents=True)
    (own / "zfnet-1727-d010ddca.pth").touch()
    assert hub_pytorchcv.remote_file(hub_pytorchcv._row("zfnet")).folder == own


def test_pytorchcv_offline_says_where_to_put_the_file(mirror: Hub, tmp_path: Path) -> None:
    with pytest.raises(DownloadError) as caught:
        build("pytorchcv:zfnet", progress=False)
    for expected in ("unzip", str(tmp_path / "cache" / "pytorchcv" / "zfnet-1727-d010ddca.pth")):
        assert expected in str(caught.value)


# timm.


@pytest.fixture
def hugging_face(mirror: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hf"))
    return mirror


def test_timm_nets_come_with_weights_names_and_preparation(
    hugging_face: Hub, tmp_path: Path
) -> None:
    import timm

    net = timm.create_model("test_resnet", pretrained=False)
    save_file(net.state_dict(), tmp_path / "model.safetensors")
    address = "/huggingface.co/timm/test_resnet.r160_in1k/resolve/main/model.safetensors"
    hugging_face.put(address, (tmp_path / "model.safetensors").read_bytes())
    got = build("timm:test_resnet.r160_in1k", progress=False)
    x = torch.randn(2, 3, 160, 160)
    torch.testing.assert_close(got.model(x), net.eval()(x))
    assert got.transforms == Preprocess(
        size=160, resize=168, mean=(0.5,) * 3, std=(0.5,) * 3, interpolation="bilinear"
    )
    assert got.categories is not None
    assert got.categories[1] == "goldfish"
    assert got.info.licence == "apache-2.0"
    hugging_face.files.clear()  # from now on only what is here serves
    hugging_face.asked.clear()
    build("timm:test_resnet.r160_in1k")
    assert hugging_face.asked == []


def test_a_damaged_file_in_the_hugging_face_cache_is_not_used(tmp_path: Path) -> None:
    blob = tmp_path / hashlib.sha256(b"what it was").hexdigest()
    blob.write_bytes(b"what it is")
    (tmp_path / "model.safetensors").symlink_to(blob)
    with pytest.raises(DownloadError, match="damaged"):
        hub_timm._check(tmp_path / "model.safetensors")


def test_timm_offline_says_what_to_do(hugging_face: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(DownloadError, match=r"Could not download(.|\n)*another machine"):
        build("timm:test_resnet.r160_in1k", progress=False)


def test_timm_crop_modes_become_ours() -> None:
    import timm

    overlay = {"crop_mode": "squash", "crop_pct": 0.5}
    model = timm.create_model("test_resnet", pretrained_cfg_overlay=overlay)
    assert hub_timm.preprocess(model).mode == "squash"
    assert hub_timm.preprocess(model).resize == 320
