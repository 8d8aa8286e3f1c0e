"""A year of virtual time: the service's own code over a real journal, fakes that know the truth, and policies' laws."""
