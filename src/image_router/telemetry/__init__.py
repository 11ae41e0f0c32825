"""Events to sinks: logs here, Prometheus and OpenTelemetry in modules of their own that need extras."""

from image_router.telemetry.announcer import Announcer
from image_router.telemetry.log import LogSink, log_sink

__all__ = ["Announcer", "LogSink", "log_sink"]
