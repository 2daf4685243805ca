"""Weights half-way between two: `python -m benchmarks.mix ONE OTHER --out W.safetensors`.

Where OTHER went on from ONE on further data, what lies between them keeps most of what both can (Wortsman et al. 2022,
Robust fine-tuning of zero-shot models, arXiv:2109.01903): here, the gain of training in poor light without its price in
ideal light.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from rdl_live.train.simulated.evaluate import held_out_scores
from rdl_live.train.simulated.settings import SceneSettings
from rdl_live.train.simulated.task import source_of
from rdl_models import ObjectPlane, Weights, load_weights, save_weights


def mix(one: Weights, other: Weights, share: float) -> nn.Module:
    """Return the second network with `share` of its own weights and the rest of the first one's.

    Raises:
        ValueError: the two are not of the same architecture and size.
    """
    if (one.card.architecture, vars(one.network.config)) != (other.card.architecture, vars(other.network.config)):
        raise ValueError(f"{one.card.name} and {other.card.name} are not of the same size and cannot be mixed")
    first = dict(one.network.named_parameters())
    with torch.no_grad():
        for name, value in other.network.named_parameters():
            value.copy_(torch.lerp(first[name], value, share))
    if isinstance(other.network, ObjectPlane):
        other.network.quick = None  # it has prepared the weights of before
    return other.network


def main(arguments: Sequence[str] | None = None) -> int:
    """Mix, score and write; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mix", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("one", help="weights: a shipped name or a file")
    parser.add_argument("other", help="weights that went on from them")
    parser.add_argument("--share", type=float, default=0.5, help="of the other one (default 0.5)")
    parser.add_argument("--out", type=Path, required=True, help="file to write; replaced if it is there")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args(arguments)
    if not 0 <= options.share <= 1:
        parser.error(f"--share {options.share:g}: from 0 (all of ONE) to 1 (all of OTHER)")
    torch.set_num_threads(options.threads)
    one, other = load_weights(options.one), load_weights(options.other)
    network, card = mix(one, other, options.share), other.card
    trained_on = card.trained_on | {"mixed": {"with": one.card.name, "share": options.share}}
    scenes = SceneSettings.model_validate(card.trained_on["scenes"])
    scores = held_out_scores(network, scenes, source_of(card.architecture))
    name = options.out.name.removesuffix(".safetensors")
    card = card.model_copy(update={"name": name, "trained_on": trained_on, "scores": scores})
    save_weights(options.out, network, card, overwrite=True)
    print(f"wrote {options.out}: {options.share:g} of {other.card.name}, the rest of {one.card.name}; {scores}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
