"""The recorded day, its replay, the shop, and `seamline demo` as a newcomer runs it."""
