"""What is loaded is left out of collections while a live run lasts, and looked at again after it."""

import gc

from rdl_live._garbage import passing_over_what_is_there


class _Circle:
    def __init__(self) -> None:
        self.itself = self


def test_what_is_there_is_passed_over_until_the_last_block_ends() -> None:
    before = gc.get_freeze_count()
    with passing_over_what_is_there():
        assert gc.get_freeze_count() > before
        with passing_over_what_is_there():
            pass
        assert gc.get_freeze_count() > before
    assert gc.get_freeze_count() == 0


def test_what_comes_later_is_collected_all_the_same() -> None:
    gc.collect()
    with passing_over_what_is_there():
        for _ in range(10):
            _Circle()
        assert gc.collect() >= 10
