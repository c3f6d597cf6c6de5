"""The desk's « Applications »: registered clients, how they are used, whether they work."""
