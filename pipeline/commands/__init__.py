"""The words of the `seamline` command, a module a theme; each reads its arguments and hands over."""
