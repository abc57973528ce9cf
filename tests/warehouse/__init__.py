"""The warehouse: migrations, queries, links, on chDB and on a server behind HTTP."""
