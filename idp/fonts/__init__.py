"""DejaVu Sans Condensed 2.37, for what we print: Latin, Greek, Cyrillic, Arabic and more."""
