"""Sheets of paper, as Typst sets them."""
