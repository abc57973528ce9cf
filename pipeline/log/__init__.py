"""The event log behind one small port: Kafka at scale, one SQLite file embedded."""
