"""The broker of the worker suites."""

from tests.stitch.worker_kafka import kafka, stitch_broker

__all__ = ["kafka", "stitch_broker"]
