"""What stands around the provider in a demo: two school portals, a mailbox, a school year."""
