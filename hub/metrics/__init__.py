"""What a process counts and how the counts of all processes come together on one page."""

from hub.metrics.distribution import Distribution
from hub.metrics.exchange import MetricsExchange, Page, live_pages

__all__ = ["Distribution", "MetricsExchange", "Page", "live_pages"]
