"""Requirements of the specifications, one test each, over HTTP."""
