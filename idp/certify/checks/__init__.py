"""What is tried with an application: a function for each check, in modules by what it is about."""
