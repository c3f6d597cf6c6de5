"""What ``idp check`` finds in the environment: files that others may read, and variables that count
for nothing.
"""

from contextlib import suppress
from pathlib import Path

from idp import spans
from idp.doctor import Finding, Findings, private_file, trouble
from idp.settings import SECRETS, providers, variable, variables
from idp.settings.secrets import DatabaseUrl


def of_variables(environment: dict[str, str]) -> list[Finding]:
    """Secrets in files that others may read, and variables that count for nothing."""
    findings = []
    for name, value in environment.items():
        if is_secret(name.removesuffix("_FILE")) and name.endswith("_FILE"):
            findings += list(private_file(Path(value), name))
    checks = (_settings_file, _unread_variables, _opentelemetry)
    return [*findings, *(each for check in checks for each in check(environment))]


def is_secret(name: str) -> bool:
    """Whether the environment variable ``name`` holds what nobody else may read."""
    return name in {variable(secret) for secret in SECRETS} or name.endswith("_CLIENT_SECRET")


def _settings_file(environment: dict[str, str]) -> Findings:
    """The file of settings, where a secret stands in it rather than beside it."""
    file = environment.get("IDP_ENV_FILE")
    if file is None:
        return
    with suppress(OSError, ValueError):
        values = variables.parse_file(Path(file).read_text(encoding="utf-8-sig"))
        if any(is_secret(name) and _holds_secret(name, text) for name, text in values.items()):
            yield from private_file(Path(file), "settings file")


def _holds_secret(name: str, text: str) -> bool:
    return name != "DATABASE_URL" or str(DatabaseUrl(text)) != text


def _unread_variables(environment: dict[str, str]) -> Findings:
    for name in providers.unread_variables(environment):
        yield Finding(
            "notice",
            "providers",
            f"{name} is read by nobody: IDP_PROVIDERS does not name this provider.",
            "Name it there; IDP_PROVIDER_<KEY>_ENABLED=0 takes its button away.",
        )


def _opentelemetry(environment: dict[str, str]) -> Findings:
    remedy = "See « Traces » in docs/operator.md, or unset it."
    for sentence in spans.impossible(environment):
        yield trouble("traces", f"{sentence}.", remedy)
    for sentence in spans.unread(environment):
        yield Finding("notice", "traces", f"{sentence}.", remedy)
