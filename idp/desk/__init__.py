"""The school's desk: what staff may see and do, for the console and the command line alike."""
