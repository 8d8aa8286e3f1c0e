"""Looking for keys in files, archives, images, processes and streams: bounded, and honest about what was not seen."""
