"""Spring Boot with Spring Security: built by Maven as docs/integrate/ prints it, and run."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.installs.program import goes_the_walk, is_certified, issuer, running
from tests.installs.stacks import printed

__all__ = ["issuer"]

pytestmark = [
    pytest.mark.parametrize("database_url", ["sqlite"], indirect=True),
    pytest.mark.timeout(600),  # a registry is another's machine
]

FILES = (
    "pom.xml",
    "src/main/resources/application.yaml",
    "src/main/java/example/Homework.java",
)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the page's command has built the program."""
    if not shutil.which("mvn"):
        pytest.skip("Maven is not installed")
    folder: Path = tmp_path_factory.mktemp("spring")
    for name in FILES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(printed("spring-security", name))
    subprocess.run(["mvn", "--quiet", "--batch-mode", "package"], cwd=folder, check=True)
    return folder


LOGIN = "/oauth2/authorization/school"
JAVA = ["java", "-jar", "target/homework.jar"]


@pytest.fixture(autouse=True)
def quick_to_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rather than quick for long: it answers a few dozen requests."""
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")


def test_it_goes_the_whole_walk(issuer: str, built: Path) -> None:
    ways = {"login": LOGIN, "another": f"{LOGIN}?another"}
    with running("spring-security", issuer, built, JAVA, **ways, patience=300) as program:
        goes_the_walk("Spring Security", program)


def test_it_is_certified(built: Path, database_url: str) -> None:
    ways = ["--login", LOGIN, "--switch", f"{LOGIN}?another"]
    ways += ["--back-channel-logout", "/logout/connect/back-channel/school"]
    is_certified("Spring Security", "spring-security", built, JAVA, ways=ways)
