"""Whether options, microscope and denoiser fit, before anything is opened."""

from rdl_live._names import NO_DENOISER
from rdl_live.app.denoiser import check_denoiser
from rdl_live.app.reconstruct.cluster_name import check_cluster
from rdl_live.app.reconstruct.options import Options
from rdl_live.errors import ConfigError
from rdl_live.optics import Microscope
from rdl_live.optics.modality import modality_of
from rdl_live.restore.stages import without_weights
from rdl_models import find_weights, read_card


def check_options(options: Options, scope: Microscope) -> None:
    """Raise for what cannot be done.

    Raises:
        ConfigError: options exclude each other, or mean nothing to the microscope's modality.
        DataError: a weight file is damaged.
    """
    check_denoiser(options.denoise, scope)
    modality, denoises = modality_of(scope), options.denoise != NO_DENOISER
    if options.reshapes and not modality.shaped:
        raise ConfigError(
            f"modality {modality.name}: its image is not a Wiener filter's; leave out --wiener, --apodization and "
            "--attenuation"
        )
    if options.patterns is not None and not modality.searches:
        raise ConfigError(f"modality {modality.name}: no patterns are searched for in its frames; leave out --patterns")
    if denoises and options.reshapes:
        raise ConfigError(
            f"--denoise {options.denoise}: it decides on Wiener parameter and apodization; leave out --wiener, "
            "--apodization and --attenuation, or use --denoise none"
        )
    memory = options.memory or 1.0
    if memory > 1 and options.cluster is not None:
        raise ConfigError(f"--memory {memory:g}: series that remember each other cannot go to a --cluster")
    if memory > 1 and not denoises:
        raise ConfigError(f"--memory {memory:g}: it is a part of denoising; add --denoise rdl")
    if memory > 1 and not modality.shaped:
        raise ConfigError(f"--memory {memory:g}: frames of modality {modality.name} are denoised one by one")
    if options.cluster is not None:
        check_cluster(options.cluster)


def tells_sigma(denoise: str) -> bool:
    """Whether a file of standard errors will be written; a wrong weight file is reported here, before all work."""
    if without_weights(denoise) is not None:
        return False
    return bool(read_card(find_weights(denoise)).config.get("spread", 0))
