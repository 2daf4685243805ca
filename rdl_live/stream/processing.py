"""A pipeline together with what is done when the graphics card fails: the processor takes over."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from rdl_live.errors import DeviceError
from rdl_live.files.recorder import FrameTag
from rdl_live.optics.pattern import PatternSet
from rdl_live.stream.background import background
from rdl_live.stream.health import Warn
from rdl_live.stream.pipeline import Pipeline, PipelineStatus
from rdl_live.stream.recipe import PipelineRecipe
from rdl_live.stream.result import Result
from rdl_live.stream.series import Frame, SeriesKey

CPU = "cpu"
GPU_ERRORS: tuple[type[BaseException], ...] = (
    torch.OutOfMemoryError,
    getattr(torch, "AcceleratorError", torch.OutOfMemoryError),  # came with torch 2.8
)


class Processing:
    """See `rdl_live.stream.host.Processor`, which it fulfils. Belongs to one thread."""

    def __init__(
        self,
        recipe: PipelineRecipe,
        warn: Warn,
        *,
        device: str | None = None,
        denoise: str | None = None,
        begin_with: tuple[PatternSet | None, ...] | None = None,
    ) -> None:
        """Build the pipeline; see `PipelineRecipe.build`.

        Raises:
            RdlError: likewise.
        """
        self._recipe, self._warn = recipe, warn
        self._device = device or recipe.device
        self._denoise = recipe.denoise if denoise is None else denoise
        self._before = PipelineStatus()
        self._released: tuple[SeriesKey, ...] = ()
        self._executor = background()
        try:
            self._pipeline = self._built(begin_with)
        except BaseException:
            self._executor.shutdown(wait=False)
            raise

    @property
    def status(self) -> PipelineStatus:
        """What has gone through."""
        return self._before + self._pipeline.status

    def push(
        self, frame: Frame | None, tag: FrameTag, arrived_s: float | None = None, block: Frame | None = None
    ) -> Result | None:
        """As `Pipeline.push`.

        Raises:
            DeviceError: the graphics card failed; the next frames are computed on the processor.
            Exception: as `Pipeline.push`.
        """
        with self._guarded():
            return self._pipeline.push(frame, tag, arrived_s, block)

    def released(self) -> tuple[SeriesKey, ...]:
        """As `Pipeline.released`, also of a pipeline that was disabled."""
        lost, self._released = self._released, ()
        return (*lost, *self._pipeline.released())

    @property
    def has_deferred(self) -> bool:
        """As `Pipeline.has_deferred`."""
        return self._pipeline.has_deferred

    def run_deferred(self) -> None:
        """As `Pipeline.run_deferred`.

        Raises:
            DeviceError: as `push`.
            Exception: as `Pipeline.run_deferred`.
        """
        with self._guarded():
            self._pipeline.run_deferred()

    def use_denoiser(self, name: str) -> None:
        """As `Pipeline.use_denoiser`."""
        self._pipeline.use_denoiser(name)
        self._denoise = name

    def reset(self) -> None:
        """As `Pipeline.reset`."""
        self._pipeline.reset()

    def finish(self) -> None:
        """As `Pipeline.finish`; ends what runs in the background."""
        self._pipeline.finish()
        self._executor.shutdown(wait=False, cancel_futures=True)

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except GPU_ERRORS as error:
            if self._device == CPU:
                raise
            self._move_to_processor()
            first = str(error).partition("\n")[0]
            raise DeviceError(
                f"the graphics card failed ({type(error).__name__}: {first}); images are computed on the processor "
                "from now on, more slowly; take a smaller region, or restart to use the card again"
            ) from error

    def _move_to_processor(self) -> None:
        known = tuple(self._pipeline.patterns(index) for index in range(len(self._recipe.channels)))
        self._before = self.status
        self._device = CPU
        self._pipeline.finish()
        self._released += self._pipeline.released()
        # What still computes in the background holds on to the lost card; nobody waits for it.
        self._executor.shutdown(wait=False, cancel_futures=True)
        self._executor = background()
        self._pipeline = self._built(known)

    def _built(self, begin_with: tuple[PatternSet | None, ...] | None) -> Pipeline:
        return self._recipe.build(
            self._executor, self._warn, device=self._device, denoise=self._denoise, begin_with=begin_with
        )
