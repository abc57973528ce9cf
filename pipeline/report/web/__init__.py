"""The web page of reports: rows from the warehouse as pages, served by ourselves, with nothing from elsewhere."""
