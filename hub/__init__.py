"""The store and the real-time core of the messaging hub."""

__version__ = "0.1.0"
