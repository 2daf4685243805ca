"""Training on simulated data that is made on the fly. Names are loaded when first used."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rdl_live.train.simulated.run import train_denoiser
    from rdl_live.train.simulated.settings import SceneSettings, TrainSettings
    from rdl_live.train.simulated.trainer import Step, Trainer

__all__ = ["SceneSettings", "Step", "TrainSettings", "Trainer", "train_denoiser"]

_HOME = {
    "simulated.run": ("train_denoiser",),
    "simulated.settings": ("SceneSettings", "TrainSettings"),
    "simulated.trainer": ("Step", "Trainer"),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}


def __getattr__(name: str) -> Any:
    if name in _MODULE_OF:
        return getattr(import_module(f"rdl_live.train.{_MODULE_OF[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
