"""Memory that comes back: never under somebody's feet, and not again and again from the system."""

import gc

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from rdl_live.files.recorder.recycled import Recycled


def values(number: float) -> np.ndarray:
    return np.full((4, 5), number, np.float32)


def address(array: np.ndarray) -> int:
    return int(array.__array_interface__["data"][0])


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["array", "tensor", "view", "numpy of tensor"]))))
def test_what_is_held_keeps_its_values(steps: list[tuple[int, str]]) -> None:
    recycled, held = Recycled(3), {}
    for number, (slot, kind) in enumerate(steps):
        copy = recycled.copy_of(values(number))
        kept = {
            "array": lambda one: one,
            "tensor": torch.from_numpy,
            "view": lambda one: one[1:, ::2],
            "numpy of tensor": lambda one: torch.from_numpy(one)[1:].numpy(),
        }[kind](copy)
        del copy
        held[slot] = (number, kept)
        del kept
        for wanted, one in held.values():
            assert bool((one == wanted).all())


def test_what_was_let_go_is_used_again() -> None:
    recycled, places = Recycled(12), set()
    for number in range(5):
        tensor = torch.from_numpy(recycled.copy_of(values(number)))
        places.add(tensor.data_ptr())
        del tensor
        gc.collect()
    assert len(places) == 1


def test_shapes_are_kept_apart_and_memory_is_bounded() -> None:
    recycled = Recycled(2)
    small, large = recycled.copy_of(np.zeros((2, 2))), recycled.copy_of(np.ones((3, 3)))
    assert (small.shape, large.shape) == ((2, 2), (3, 3))
    held = [recycled.copy_of(values(number)) for number in range(50)]
    assert len({address(one) for one in held}) == 50
    assert len(recycled._arrays) == 2
