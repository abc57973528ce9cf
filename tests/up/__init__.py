"""The composition of `seamline up` and its socket."""
