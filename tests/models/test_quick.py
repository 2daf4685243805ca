"""ncnn in place of torch: the same image wherever it computes, and torch wherever it cannot."""

import copy
import logging
import multiprocessing
import pickle
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import Tensor

from rdl_live.restore.inputs import _answered, short_of_memory
from rdl_models import ObjectPlane, ObjectPlaneConfig, load_weights, quick
from rdl_models.quick import QuickHeads

pytest.importorskip("ncnn")

SCALES = ObjectPlaneConfig(width=8, blocks=1, levels=2, before=1, after=1, spread=8)
CONFIGS = [
    SCALES,
    ObjectPlaneConfig(width=8, blocks=2),
    ObjectPlaneConfig(width=5, blocks=1, levels=2, before=0, after=1, spread=3),
    ObjectPlaneConfig(width=4, blocks=2, levels=3, spread=4),
    ObjectPlaneConfig(width=6, widest=8, blocks=1, levels=3, before=1, after=1, spread=4),
]


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Inference without gradients; threads and what was loaded are put back."""
    threads = torch.get_num_threads()
    with torch.no_grad():
        yield
    torch.set_num_threads(threads)
    quick._loaded.cache_clear()


def network_of(config: ObjectPlaneConfig = SCALES, seed: int = 0) -> ObjectPlane:
    """A network whose layers all count."""
    torch.manual_seed(seed)
    network = ObjectPlane(config)
    torch.nn.init.normal_(network.head.weight, std=0.1)
    network.quick = QuickHeads()
    return network.eval().requires_grad_(False)


def by_torch(network: ObjectPlane, x: Tensor, strips: int = 1) -> tuple[Tensor, Tensor | None]:
    """Image and error without ncnn."""
    kept, network.quick = network.quick, None
    try:
        return network.with_spread(x, strips)
    finally:
        network.quick = kept


def close(found: Tensor | None, wanted: Tensor | None) -> bool:
    """Equal within 1e-5 of the largest value."""
    if found is None or wanted is None:
        return found is wanted
    return found.shape == wanted.shape and bool((found - wanted).abs().max() <= 1e-5 * wanted.abs().max())


def used(network: ObjectPlane) -> bool:
    """Whether ncnn computed the last image."""
    assert isinstance(network.quick, QuickHeads)
    return network.quick._net is not None and not network.quick._failed


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("shape", [(1, 64, 96), (2, 37, 53), (1, 9, 8), (1, 128, 41)])
def test_the_image_is_that_of_torch(config: ObjectPlaneConfig, shape: tuple[int, int, int]) -> None:
    network, x = network_of(config), torch.rand(shape[0], 4, *shape[1:])
    for strips in (1, 3):
        found, wanted = network.with_spread(x, strips), by_torch(network, x, strips)
        assert all(close(one, other) for one, other in zip(found, wanted, strict=True))
    assert close(network(x), wanted[0])
    assert used(network)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_the_shipped_weights_give_the_same_with_any_threads_and_each_time(threads: int) -> None:
    network, x = load_weights("rdl").network, torch.rand(1, 4, 104, 88)
    torch.set_num_threads(threads)
    wanted = by_torch(network, x)
    first, again = network.with_spread(x), network.with_spread(x)
    assert used(network)
    for one, same, other in zip(first, again, wanted, strict=True):
        assert torch.equal(one, same)
        assert close(one, other)
    assert torch.get_num_threads() == threads


def test_changed_weights_count_from_the_next_image_on() -> None:
    network, x = network_of(), torch.rand(1, 4, 40, 40)
    before = network(x)
    network.load_state_dict(network_of(seed=1).state_dict())
    assert not torch.allclose(network(x), before)
    assert close(network(x), by_torch(network, x)[0])
    network.head.weight.mul_(2)
    assert close(network(x), by_torch(network, x)[0])
    assert used(network)


def test_torch_computes_where_gradients_or_half_precision_are_wanted() -> None:
    network, x = network_of(), torch.rand(1, 4, 40, 40)
    with torch.autocast("cpu", torch.bfloat16):
        half = network(x)
    assert not torch.equal(half, network(x))
    training = network_of()
    training.requires_grad_(True)
    with torch.enable_grad():
        training(x).square().sum().backward()
    assert training.stem.weight.grad is not None
    assert not used(training)
    assert close(training.double()(x.double()), by_torch(training, x.double())[0])
    assert not used(training)


def test_copies_prepare_anew() -> None:
    network, x = network_of(), torch.rand(1, 4, 40, 40)
    image = network(x)
    for twin in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        assert not used(twin)
        assert torch.equal(twin(x), image)
        assert used(twin)


def test_several_threads_get_their_own_images() -> None:
    network = network_of()
    xs = [torch.rand(1, 4, 40 + 8 * index, 48) for index in range(4)]
    wanted = [network(x) for x in xs]
    found: dict[int, list[Tensor]] = {}

    def work(index: int) -> None:
        torch.set_num_threads(1)
        with torch.no_grad():
            found[index] = [network(xs[index]) for _ in range(5)]

    threads = [threading.Thread(target=work, args=(index,)) for index in range(len(xs))]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert all(close(image, wanted[index]) for index, images in found.items() for image in images)
    assert sorted(found) == list(range(len(xs)))


def image_in_worker(x: Tensor) -> tuple[Tensor, bool]:
    """Run in a process of its own."""
    torch.set_num_threads(1)
    with torch.no_grad():
        network = load_weights("rdl").network
        image = network(x)
    return image.numpy(), used(network)


def test_it_works_in_a_worker_process() -> None:
    x = torch.rand(1, 4, 40, 40)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        image, by_ncnn = pool.apply(image_in_worker, (x,))
    assert by_ncnn
    assert close(torch.from_numpy(image), by_torch(load_weights("rdl").network, x)[0])


def test_it_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(quick.SWITCH, "0")
    network, x = network_of(), torch.rand(1, 4, 40, 40)
    assert torch.equal(network(x), by_torch(network, x)[0])
    assert not used(network)
    assert not quick.installed()


@pytest.mark.parametrize(
    ("content", "logged"),
    [(None, ""), ("raise ImportError('a library is missing')", "a library is missing"), ("", "no attribute 'Net'")],
)
def test_without_a_working_ncnn_torch_computes_and_the_log_says_why(
    content: str | None,
    logged: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(sys, "modules", {name: one for name, one in sys.modules.items() if name != "ncnn"})
    if content is None:
        monkeypatch.setitem(sys.modules, "ncnn", None)  # as if it were not installed
    else:
        (tmp_path / "ncnn.py").write_text(content, encoding="utf-8")
        monkeypatch.syspath_prepend(str(tmp_path))
    quick._loaded.cache_clear()
    network, x = network_of(), torch.rand(1, 4, 40, 40)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert torch.equal(network(x), by_torch(network, x)[0])
    assert not used(network)
    assert len(caplog.records) == (1 if content is not None else 0)
    assert logged in caplog.text


def test_results_that_differ_are_not_trusted(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    right = quick._run
    monkeypatch.setattr(quick, "_run", lambda *given: [1.01 * one for one in right(*given)])
    network, x = network_of(), torch.rand(1, 4, 40, 40)
    assert torch.equal(network(x), by_torch(network, x)[0])
    assert "differs from torch's" in caplog.text


def test_short_memory_is_told_in_the_words_that_strips_know(monkeypatch: pytest.MonkeyPatch) -> None:
    class Extractor:
        def input(self, *_: object) -> int:
            return 0

        def extract(self, _: str) -> tuple[int, None]:
            return -100, None

    net = ModuleType("net")
    monkeypatch.setattr(net, "create_extractor", Extractor, raising=False)
    with pytest.raises(RuntimeError) as caught:
        quick._run(net, torch.rand(4, 8, 8), (quick.RESIDUAL,))
    assert short_of_memory(caught.value)


def test_where_memory_is_short_the_workspace_goes_and_strips_come(monkeypatch: pytest.MonkeyPatch) -> None:
    network, x, right = network_of(), torch.rand(1, 4, 160, 40), quick._run
    wanted = by_torch(network, x)
    kept: list[object] = []

    def run(net: object, cells: Tensor, names: tuple[str, ...]) -> list[Tensor]:
        if cells.shape[-2] > 30:
            kept.append(net)
            raise RuntimeError("ncnn: can't allocate memory for the denoiser")
        assert net not in kept
        return right(net, cells, names)

    monkeypatch.setattr(quick, "_run", run)
    image, error, strips = _answered(network, x, 1)
    assert strips > 1
    assert close(image, wanted[0])
    assert close(error, wanted[1])
    assert used(network)
