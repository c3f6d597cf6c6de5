"""Two equal forms, as a double click sends them: one after the other, or at the same moment."""

from threading import Barrier, Thread

from flask import Flask
from werkzeug.test import TestResponse

from tests.apart import ApartClient
from tests.relying_party import Browser, form_of


def sent(browser: Browser, form_id: str, **fields: str) -> tuple[str, dict[str, str]]:
    """Where a form of the open page goes, and all that it sends."""
    assert browser.page is not None
    action, hidden = form_of(browser.page.text, form_id)
    return action or browser.page.request.path, {**hidden, **fields}


def cookies(browser: Browser) -> str:
    """What the browser sends as ``Cookie``."""
    jar = browser.client._cookies or {}
    return "; ".join(f"{each.key}={each.value}" for each in jar.values())


def at_once(
    app: Flask, browser: Browser, action: str, data: dict[str, str], times: int = 2
) -> list[TestResponse]:
    """The same form, sent by the same browser from so many threads that start together."""
    start, header, answers = Barrier(times, timeout=60), cookies(browser), []

    def send() -> None:
        client = ApartClient(app, app.response_class, use_cookies=False)
        start.wait()
        answers.append(
            client.open_once(action, method="POST", data=data, headers={"Cookie": header})
        )

    threads = [Thread(target=send) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(answers) == times
    return answers


def session_cookie(answer: TestResponse) -> str:
    """The session that the answer begins."""
    found = [each for each in answer.headers.getlist("Set-Cookie") if "idp_session=" in each]
    return found[0].split(";")[0] if found else ""
