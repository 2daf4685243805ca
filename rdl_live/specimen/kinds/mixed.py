"""Two kinds of structure in one colour, as where a stain is not specific."""

from rdl_live.specimen.cloud import Cloud
from rdl_live.specimen.domain import Domain
from rdl_live.specimen.registry import builder, kind

PARTS = ("actin", "beads", "filaments", "mitochondria", "reticulum", "rings")


@kind("mixed")
def mixed(domain: Domain) -> list[Cloud]:
    """Grow two kinds, which differ by seed; the first has more of the light, spread as each kind has it."""
    first, second = domain.rng.choice(len(PARTS), 2, replace=False)
    share = float(domain.rng.uniform(0.5, 0.8))
    clouds = []
    for index, light in ((first, share), (second, 1 - share)):
        grown = builder(PARTS[index])(domain)
        clouds += [cloud.share(light / len(grown)) for cloud in grown]
    return clouds
