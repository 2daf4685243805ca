"""The stream: frames -> whole series -> images, while the acquisition runs.

`SeriesQueue` takes frames from the acquisition and never lets it wait; a host feeds them to a `Pipeline`, which knows
no threads. What cannot keep up is dropped as whole series, counted, and reported.
"""

from rdl_live.stream.assembler import Assembler
from rdl_live.stream.background import background
from rdl_live.stream.blocks import BlocksKey, SeriesBlocks
from rdl_live.stream.failures import HostStatus
from rdl_live.stream.health import PatternHealth, Warn
from rdl_live.stream.host import Host, ThreadHost
from rdl_live.stream.pipeline import Pipeline, PipelineStatus
from rdl_live.stream.process_host import ProcessHost
from rdl_live.stream.processing import Processing
from rdl_live.stream.queue import Item, QueueStatus, SeriesQueue
from rdl_live.stream.recipe import PipelineRecipe
from rdl_live.stream.result import Quality, Result
from rdl_live.stream.series import Frame, Refusal, RefusedSeries, Series, SeriesKey

__all__ = [
    "Assembler",
    "BlocksKey",
    "Frame",
    "Host",
    "HostStatus",
    "Item",
    "PatternHealth",
    "Pipeline",
    "PipelineRecipe",
    "PipelineStatus",
    "ProcessHost",
    "Processing",
    "Quality",
    "QueueStatus",
    "Refusal",
    "RefusedSeries",
    "Result",
    "Series",
    "SeriesBlocks",
    "SeriesKey",
    "SeriesQueue",
    "ThreadHost",
    "Warn",
    "background",
]
