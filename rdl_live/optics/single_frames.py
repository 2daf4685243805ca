"""The same microscope without its patterns: single frames in even light, as a network is shown them."""

from rdl_live.optics.microscope import Microscope
from rdl_live.optics.modality_kinds import kind_of

WIDEFIELD = "widefield"


def in_even_light(scope: Microscope) -> Microscope:
    """Return a microscope as it is for single frames: nothing makes patterns, and `hardware.even` is set.

    Args:
        scope: of any modality; one without patterns is returned as it is.
    """
    if not kind_of(scope.modality).patterned:
        return scope
    content = scope.model_dump()
    content |= {"modality": WIDEFIELD, "pattern": {}}
    content["channels"] = [{**channel, "pattern": {}} for channel in content["channels"]]
    if (hardware := scope.hardware) is not None:
        even = {setting.place: setting for setting in hardware.even}
        kept = [even.pop(setting.place, setting) for setting in hardware.setup]
        setup = [setting.model_dump() for setting in (*kept, *even.values())]
        content["hardware"] |= {"slm": None, "patterns": None, "even": (), "setup": setup}
    return Microscope.model_validate(content)
