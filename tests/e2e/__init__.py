"""The whole pipeline from outside: real processes, HTTP in, SQL out."""
