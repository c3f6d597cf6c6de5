"""The desk's « Overview »: how far a school's guardians have come, and what needs somebody."""
