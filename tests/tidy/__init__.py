"""The house rules, as tests: style debates end here."""
