"""Runs identity/ on the log: as a Faust worker on Kafka, or as one task beside the embedded log."""
