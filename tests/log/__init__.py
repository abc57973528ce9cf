"""The event log: one contract for every adapter, and what each promises beyond it."""
