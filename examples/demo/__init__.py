"""The demo: everything that a school year needs, on one machine, with one command."""
