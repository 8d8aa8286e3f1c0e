"""What tests of the rotator, and of other people's plugins, stand on: test servers and contract suites."""
