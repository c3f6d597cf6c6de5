"""Numbers with their words, for the terminal, which speaks English."""


def counted(number: int, one: str, many: str) -> str:
    """« 1 question is open », « 2 questions are open »."""
    return f"{number} {one if number == 1 else many}"
