"""Camera chips as they are: pixels that differ, registers that multiply."""

from rdl_live.optics.sensor.sensor import Sensor
from rdl_live.optics.sensor.settings import SENSORS, SensorSettings

__all__ = ["SENSORS", "Sensor", "SensorSettings"]
