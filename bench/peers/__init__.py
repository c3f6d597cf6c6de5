"""Other providers beside ours: the same visits by the same load generator, in one run."""
