"""Who may do what at the desk, at which schools, and what an act of theirs is."""
