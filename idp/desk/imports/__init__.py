"""The desk's « Imports »: a school's lists, uploaded, laid out, run and looked at."""
