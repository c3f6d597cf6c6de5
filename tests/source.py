"""The provider's own source, for tests that read it."""

import ast
import gc
from functools import cache
from pathlib import Path

import idp

ROOT = Path(idp.__file__).parent.parent


@cache
def trees() -> dict[Path, ast.Module]:
    """Each module of ``idp/``, by its path from the root: parsed once for all tests of a process,
    so nobody may change one.

    Each second of it would be two if every look for garbage went through what is there already.
    """
    gc.disable()
    try:
        files = sorted((ROOT / "idp").rglob("*.py"))
        return {file.relative_to(ROOT): ast.parse(file.read_text("utf-8")) for file in files}
    finally:
        gc.freeze()
        gc.enable()
