"""What is installed is whole: a wheel works without the checkout."""

import re
import subprocess
import sys
import venv
import zipfile
from configparser import ConfigParser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOR_BUILDING = {".cfg", ".pot"}
"""Used to collect the texts to translate; nothing that runs reads them."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-input"]
    done = subprocess.run(
        [*command, "--disable-pip-version-check", "--wheel-dir", str(folder), str(_copy(folder))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (made,) = folder.glob("*.whl")
    return zipfile.Path(made)


def _copy(folder: Path) -> Path:
    """A copy to build from: a build leaves a folder beside its source."""
    import shutil

    kept = ("idp", "migrations", "templates", "setup.cfg", "pyproject.toml", "README.md", "LICENSE")
    source = folder / "source"
    source.mkdir()
    for name in kept:
        path = ROOT / name
        if path.is_dir():
            shutil.copytree(path, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif path.exists():
            shutil.copy(path, source / name)
    return source


def _names(wheel: zipfile.Path) -> set[str]:
    return set(wheel.root.namelist())


@pytest.mark.long
@pytest.mark.parametrize(
    ("folder", "package"),
    [("templates", "idp/templates"), ("migrations", "idp/migrations"), ("idp", "idp")],
)
def test_every_file_of_the_checkout_is_in_the_wheel(
    wheel: zipfile.Path, folder: str, package: str
) -> None:
    wanted = {
        f"{package}/{path.relative_to(ROOT / folder).as_posix()}"
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix not in FOR_BUILDING
    }
    assert wanted - _names(wheel) == set()


@pytest.mark.long
def test_the_wheel_holds_nothing_else(wheel: zipfile.Path) -> None:
    tops = {name.split("/")[0] for name in _names(wheel)}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"idp"}


@pytest.mark.long
def test_the_console_script_is_declared(wheel: zipfile.Path) -> None:
    (entry_points,) = [name for name in _names(wheel) if name.endswith("entry_points.txt")]
    assert "idp = idp.cli:main" in wheel.root.read(entry_points).decode()


def newest_of_the_changelog() -> str:
    sections = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    return next(each for each in sections if each != "Unreleased")


def test_the_version_is_the_one_of_the_newest_section_of_the_changelog() -> None:
    declared = ConfigParser()
    declared.read(ROOT / "setup.cfg")
    assert declared["metadata"]["version"] == newest_of_the_changelog() != "0.1.0"


@pytest.mark.long
def test_the_wheel_has_the_version_of_the_newest_section_of_the_changelog(
    wheel: zipfile.Path,
) -> None:
    assert f"school_idp-{newest_of_the_changelog()}-" in Path(str(wheel.root.filename)).name


@pytest.mark.long
def test_the_wheel_takes_the_place_of_0_1_0(wheel: zipfile.Path, tmp_path: Path) -> None:
    """As pip does it for an operator, who says neither --upgrade nor --force-reinstall."""
    venv.create(tmp_path / "venv", with_pip=False)
    python = tmp_path / "venv" / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check"]
    for file in (_first_version(tmp_path), Path(str(wheel.root.filename))):
        command = [*pip, "install", "--quiet", "--no-deps", "--no-index", str(file)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    ask = "import importlib.metadata as m, importlib.util as u; print(m.version('school-idp')); "
    ask += "print(u.find_spec('idp').submodule_search_locations[0])"
    told = subprocess.run([python, "-c", ask], capture_output=True, text=True, check=True)
    version, folder = told.stdout.split()
    assert version > "0.1.0"
    assert (Path(folder) / "roster" / "__init__.py").exists()


def _first_version(folder: Path) -> Path:
    file = folder / "school_idp-0.1.0-py3-none-any.whl"
    info = "school_idp-0.1.0.dist-info"
    files = {
        "idp/__init__.py": "",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: school-idp\nVersion: 0.1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in (*files, f"{info}/RECORD"))
    with zipfile.ZipFile(file, "w") as made:
        for name, text in files.items():
            made.writestr(name, text)
    return file
