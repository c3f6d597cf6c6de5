"""Too many guesses: said the same by whatever judges a secret."""


class Throttled(Exception):
    """Too many attempts; ``retry_after`` in seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"try again in {retry_after} s")
        self.retry_after = retry_after
