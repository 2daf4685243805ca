"""Training: one engine (`loop`), and sources of pairs that know nothing of each other. Names load when first used."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rdl_live.train.loop.loop import Step, Training
    from rdl_live.train.retraining import pair_training, train_on_films
    from rdl_live.train.simulated.run import train_denoiser
    from rdl_live.train.simulated.settings import SceneSettings, TrainSettings
    from rdl_live.train.simulated.trainer import scene_training
    from rdl_live.train.stacks.run import train_on_volumes

__all__ = [
    "SceneSettings",
    "Step",
    "TrainSettings",
    "Training",
    "pair_training",
    "scene_training",
    "train_denoiser",
    "train_on_films",
    "train_on_volumes",
]

_HOME = {
    "loop.loop": ("Step", "Training"),
    "retraining": ("pair_training", "train_on_films"),
    "simulated.run": ("train_denoiser",),
    "simulated.settings": ("SceneSettings", "TrainSettings"),
    "simulated.trainer": ("scene_training",),
    "stacks.run": ("train_on_volumes",),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}


def __getattr__(name: str) -> Any:
    if name in _MODULE_OF:
        return getattr(import_module(f"rdl_live.train.{_MODULE_OF[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
