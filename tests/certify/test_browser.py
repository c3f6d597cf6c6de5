"""With scripts: an application that is one page, without a secret, driven in Chromium."""

from collections.abc import Callable, Iterator

import pytest
from flask import Flask

from idp.certify import chromium, run
from idp.certify.provider import CLIENT_ID, TestProvider
from idp.certify.robot import Browser
from idp.certify.trial import Trial
from idp.certify.visitor import Target
from idp.clients.certification import FAILED, PASSED

pytestmark = [pytest.mark.browser, pytest.mark.long]

PAGE = """<!doctype html><title>One page</title><main id="main">…</main><script type="module">
const issuer = '%(issuer)s', client_id = '%(client_id)s'
const redirect_uri = location.origin + '/callback'
const main = document.getElementById('main'), kept = sessionStorage
const text = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes)))
  .replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
const random = () => text(crypto.getRandomValues(new Uint8Array(32)))
const found = await (await fetch(issuer + '/.well-known/openid-configuration')).json()
async function go() {
  const [verifier, state] = [random(), random()]
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(verifier))
  kept.setItem('state', state); kept.setItem('verifier', verifier)
  location.replace(found.authorization_endpoint + '?' + new URLSearchParams({
    response_type: 'code', client_id, redirect_uri, scope: 'openid profile child', state,
    nonce: random(), code_challenge: text(digest), code_challenge_method: 'S256',
  }))
}
async function back() {
  const given = new URLSearchParams(location.search)
  if (%(checks)s && given.get('state') !== kept.getItem('state')) return main.append('Refused')
  const body = new URLSearchParams({ grant_type: 'authorization_code', code: given.get('code'),
    redirect_uri, client_id, code_verifier: kept.getItem('verifier') })
  const tokens = await (await fetch(found.token_endpoint, { method: 'POST', body })).json()
  const headers = { Authorization: 'Bearer ' + tokens.access_token }
  const person = await (await fetch(found.userinfo_endpoint, { headers })).json()
  main.textContent = 'Hello ' + person.name + ', about ' + person.child.given_name
}
if (location.pathname === '/login') await go()
else if (location.pathname === '/callback') await back()
else main.innerHTML = '<a href="/login">Sign in</a>'
</script>"""


@pytest.fixture(scope="module")
def opens() -> Iterator[Callable[[], Browser]]:
    with chromium.browsers() as opens:
        yield opens


@pytest.mark.parametrize("checks", [True, False])
def test_an_application_of_one_page_is_driven_with_scripts(
    checks: bool,
    test_provider: TestProvider,
    serve: Callable[[Callable[[str], Flask]], str],
    opens: Callable[[], Browser],
) -> None:
    values = {
        "issuer": test_provider.issuer,
        "client_id": CLIENT_ID,
        "checks": "true" if checks else "false",
    }
    app = Flask("one page")
    for path in ("/", "/login", "/callback"):
        app.add_url_rule(path, path, lambda: PAGE % values)
    home = serve(lambda _home: app)
    test_provider.registration.home = home
    school = test_provider.enrol()

    report = run.report(Trial(test_provider, school, Target(home), opens, 3), ["state", "child"])

    verdicts = {each.code: each.verdict for each in report.results}
    wanted = PASSED if checks else FAILED
    assert verdicts == {"sign_in": PASSED, "state": wanted, "child": PASSED}, report.results
