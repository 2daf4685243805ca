"""A model card in words: what weights are good for, what they were trained on, and what they must not be used for."""

from typing import Any

from rdl_models import ARCHITECTURES, Card, Task

UNITS = {"na": "", "pixel_size_um": " um", "emission_nm": " nm", "photons": " photons a pixel"}
CITED = (
    (
        "Qiao et al., Rationalized deep learning super-resolution microscopy, Nat. Biotechnol. 2022",
        "10.1038/s41587-022-01471-3",
    ),
)
CARE_CITED = (
    (
        "Weigert et al., Content-aware image restoration: pushing the limits of fluorescence microscopy, Nat. Methods "
        "15, 1090 (2018)",
        "10.1038/s41592-018-0216-7",
    ),
)
RESTORES = (Task.RESTORATION, Task.ISOTROPIC)


def cited(card: Card) -> tuple[tuple[str, str], ...]:
    """Return the papers, each with its DOI."""
    return CARE_CITED if card.task in RESTORES else CITED


def tags(card: Card) -> list[str]:
    """Return the words by which the zoo finds it."""
    what = ["care", "image-restoration"] if card.task in RESTORES else ["structured-illumination-microscopy"]
    return [*what, "denoising", "fluorescence-light-microscopy", "rdl-live"]


def counts_photons(card: Card) -> bool:
    """Whether intensities in what the network gives may be measured: its loss says so."""
    settings = card.trained_on.get("settings")
    return card.task not in RESTORES or (isinstance(settings, dict) and settings.get("loss") == "mse")


def _photon_warning(card: Card) -> str:
    if counts_photons(card):
        return ""
    settings = card.trained_on.get("settings")
    loss = settings.get("loss") if isinstance(settings, dict) else None
    return (
        f"**Do not count photons or measure intensities in restored images**: the loss ({loss or 'not known'}) gives "
        "the median of what is likely, which is no photon count. "
    )


def card_in_words(card: Card) -> str:
    """Return the README of a package (Markdown)."""
    parts = [
        f"# {card.name}",
        f"A network of the architecture `{card.architecture}` of rdl-live that {what_it_does(card)}.",
        "## What it was trained on",
        *_training(card),
        "## What it is made for",
        *[f"- {name.replace('_', ' ')}: {_span(name, span.low, span.high)}" for name, span in card.valid.items()],
        "Beyond these ranges rdl-live warns, and far beyond it refuses. "
        + (
            "Values are in the units of the pairs that it has learnt from."
            if card.task in RESTORES
            else "The values are photons: nothing is rescaled."
        ),
        "## How good it is",
        *([f"- {name}: {value:.4g}" for name, value in card.scores.items()] or ["No scores are known."]),
        "## What it must not be used for",
        _photon_warning(card) + "Faint structure may be smoothed away, and no "
        "network can know what the data do not hold. Compare with the "
        "reconstruction without denoising before you conclude from a detail, and do not split or resample denoised "
        "images to estimate noise.",
        "## How to use it",
        _use(card),
        f"Made by {card.program or 'rdl-live'} in {card.steps} steps ({card.minutes:.1f} minutes).",
    ]
    return "\n\n".join(parts) + "\n"


def what_it_does(card: Card) -> str:
    """Return half a sentence."""
    known = ARCHITECTURES.find(card.architecture)
    return "restores images" if known is None else known.words


def _training(card: Card) -> list[str]:
    trained: dict[str, Any] = card.trained_on
    if card.task in RESTORES:
        scheme, pairs = trained.get("scheme"), trained.get("pairs")
        count = f", {len(pairs)} of them" if isinstance(pairs, list) else ""
        return [f"Scheme: {scheme or 'pairs'}{count}. The last fifth was held out."]
    recordings = trained.get("recordings")
    if not isinstance(recordings, list):
        return ["Simulated series of many kinds of specimen and microscopes; no recording of a real one."]
    lines = [
        f"Noisy recordings alone (`{trained.get('scheme')}`), no clean image; started from "
        f"{trained.get('from') or 'random weights'}. The last time points of each were held out."
    ]
    return lines + [
        f"- {one.get('name')}: {one.get('time_points')} time points, {one.get('photons')} photons a pixel, "
        f"microscope {one.get('microscope')}"
        for one in recordings
    ]


def _span(name: str, low: float, high: float) -> str:
    unit = UNITS.get(name, "")
    return f"{low:.4g}{unit}" if low == high else f"{low:.4g} to {high:.4g}{unit}"


def _use(card: Card) -> str:
    if card.task in RESTORES:
        return (
            "`rdl-live models import PACKAGE.zip --out W.safetensors`, then `rdl-live restore IMAGE --weights "
            "W.safetensors --out OUT.tif`."
        )
    verb = (
        "`rdl-live restore STACKS --microscope M.yaml --weights W.safetensors --out OUT.tif`"
        if card.task == Task.STACKS
        else "`rdl-live reconstruct RAW --microscope M.yaml --denoise W.safetensors`"
    )
    return (
        f"`rdl-live models import PACKAGE.zip --out W.safetensors`, then {verb}. The network alone is only a part: "
        "projection, noise model and data consistency around it are in rdl-live (`rdl_live.restore`)."
    )
