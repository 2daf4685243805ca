"""`rdl-live reconstruct` on several cores and on a dask cluster: the same images, clear errors, nothing half-done."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from rdl_live.app.reconstruct.cluster import Order, images_of_range
from rdl_live.app.reconstruct.cluster_name import check_cluster
from rdl_live.app.reconstruct.run import Options
from rdl_live.errors import ConfigError, DataError
from tests.cli.conftest import Run, listing

pytestmark = pytest.mark.usefixtures("folder")


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """A scheduler with two workers, in threads of this process; gives its address."""
    distributed = pytest.importorskip("distributed")
    made = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, protocol="tcp", dashboard_address=None
    )
    yield str(made.scheduler_address)
    made.close()


@pytest.mark.filterwarnings("ignore::DeprecationWarning:distributed", "ignore::ResourceWarning")
@pytest.mark.parametrize("denoise", ["none", "rdl"])
def test_a_cluster_and_more_cores_give_the_same_images(
    run: Run, film_file: str, cluster: str, denoise: str, tmp_path: Path
) -> None:
    alone = ("--no-memory",) if denoise == "rdl" else ()  # a memory goes through a film in order: not on a cluster
    ways = {"one": ("--workers", "1"), "cores": ("--workers", "3"), "cluster": ("--cluster", cluster)}
    images = {}
    for name, way in ways.items():
        out = tmp_path / f"{name}.tif"
        result = run("reconstruct", film_file, "-m", "M.yaml", "--out", str(out), "--denoise", denoise, *alone, *way)
        assert result.code == 0, result.words
        found = [tifffile.imread(out)]
        if denoise == "rdl":
            found.append(tifffile.imread(out.with_name(f"{name}-sigma.tif")))
        images[name] = np.stack(found)
    scale = float(np.abs(images["one"]).max())
    for name in ("cores", "cluster"):
        np.testing.assert_allclose(images[name], images["one"], rtol=0, atol=1e-5 * scale)


@pytest.mark.parametrize(
    ("way", "words"),
    [
        (("--cluster", "local:0"), "from 1 to 64"),
        (("--cluster", "local:many"), "from 1 to 64"),
        (("--cluster", "server"), "tcp://HOST:PORT"),
        (("--cluster", "local:2", "--memory", "4", "--denoise", "rdl"), "cannot go to a --cluster"),
    ],
)
def test_what_is_no_cluster_is_refused(
    run: Run, folder: Path, film_file: str, way: tuple[str, ...], words: str
) -> None:
    pytest.importorskip("distributed")
    before = listing(folder)
    result = run("reconstruct", film_file, "-m", "M.yaml", "--out", "SR.tif", *way)
    assert result.code == 2
    assert words in result.words
    assert listing(folder) == before


def test_without_dask_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    import builtins

    honest = builtins.__import__

    def absent(name: str, *rest: Any) -> Any:
        if name == "distributed":
            raise ModuleNotFoundError(name)
        return honest(name, *rest)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(ConfigError, match=r"pip install 'rdl-live\[scale\]'"):
        check_cluster("local:2")


def test_a_worker_that_does_not_see_the_file_says_where(folder: Path) -> None:
    order = Order(str(folder / "elsewhere.tif"), str(folder / "M.yaml"), Options(), "{}")
    with pytest.raises(DataError, match=r"worker on .*elsewhere\.tif: no such file"):
        images_of_range(order, 0, 1)
