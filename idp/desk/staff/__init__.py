"""The desk's « Staff »: who has which role."""
