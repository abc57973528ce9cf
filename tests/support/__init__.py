"""What several test suites need: real brokers, fakes of ports, waiting with a deadline."""
