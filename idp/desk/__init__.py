"""The school's desk: what staff may see and do, for its pages and the command line alike."""
