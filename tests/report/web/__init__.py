"""The report page: its parts as functions, its doors, and its pages as they are served."""
