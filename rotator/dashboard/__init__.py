"""The dashboard of the daemon: pages made here, one small script, nothing from elsewhere."""
