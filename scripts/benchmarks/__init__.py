"""Benchmarks behind `scripts/bench`: real processes, real stores, own load. Never imported by the product."""
