"""The tests of Seamline, mirroring pipeline/."""
