"""The sink: steps, crashes, poison, faults, on chDB and on a server behind HTTP."""
