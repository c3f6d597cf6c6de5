"""The mails about an account: what each says, to whom, and its token."""
