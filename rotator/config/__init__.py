"""The config file: found, judged trustworthy, read, and made into the values of the domain."""
