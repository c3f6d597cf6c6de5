"""Programs and settings to paste, by application; ``§NAME`` stands for a value, quoted already."""

from typing import Final

SHELL_FLASK: Final = """\
pip install flask authlib requests
export CLIENT_SECRET=§SECRET
export APP_SECRET="$(python3 -c 'import secrets; print(secrets.token_hex(32))')"
flask --app app run --port 3000
"""

FLASK: Final = """\
import os

from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.flask_client import OAuth
from flask import Flask, redirect, session
from markupsafe import escape

app = Flask(__name__)
app.secret_key = os.environ["APP_SECRET"]
school = OAuth(app).register(
    "school",
    server_metadata_url=§DISCOVERY,
    client_id=§CLIENT_ID,
    client_secret=os.environ.get("CLIENT_SECRET"),
    client_kwargs={
        "scope": §SCOPE,
        "code_challenge_method": "S256",
        "token_endpoint_auth_method": §METHOD,
    },
)


@app.get("/login/school")
def login():
    return school.authorize_redirect(§REDIRECT_URI)


@app.get(§CALLBACK)
def callback():
    try:
        # Checks state and PKCE, redeems the code, verifies the ID token and its nonce.
        token = school.authorize_access_token()
    except OAuthError as error:
        if "claims" in session:  # « Annuler » on « another child », or the back button
            return redirect("/me")
        return f'Not signed in ({escape(error.error)}). <a href="/login/school">Sign in</a>', 400
    session["claims"] = dict(token["userinfo"])  # "sub" is the key of the parent
    return redirect("/me")


@app.get("/me")
def me():
    if "claims" not in session:
        return redirect("/login/school")
    return f"<pre>{escape(session['claims'])}</pre>"
"""

SHELL_EXPRESS: Final = """\
npm install express express-session openid-client@6
export CLIENT_SECRET=§SECRET
export APP_SECRET="$(openssl rand -hex 32)"
node app.mjs
"""

EXPRESS: Final = """\
import express from 'express'
import session from 'express-session'
import * as client from 'openid-client'

const ISSUER = §ISSUER
const REDIRECT_URI = §REDIRECT_URI
const config = await client.discovery(
  new URL(ISSUER),
  §CLIENT_ID,
  undefined,
  §AUTHENTICATION,
  // The demo speaks plain HTTP, which the library refuses by itself
  ISSUER.startsWith('http://127.0.0.1') ? { execute: [client.allowInsecureRequests] } : undefined,
)

const app = express()
app.set('trust proxy', 1)
app.use(
  session({
    secret: process.env.APP_SECRET,
    resave: false,
    saveUninitialized: false,
    cookie: { httpOnly: true, sameSite: 'lax', secure: REDIRECT_URI.startsWith('https:') },
  }),
)

app.get('/login/school', async (req, res) => {
  const verifier = client.randomPKCECodeVerifier()
  const state = client.randomState()
  const nonce = client.randomNonce()
  req.session.pending = { verifier, state, nonce }
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri: REDIRECT_URI,
    scope: §SCOPE,
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
    nonce,
  })
  res.redirect(url.href)
})

app.get(§CALLBACK, async (req, res) => {
  const { pending } = req.session
  if (!pending) return res.redirect('/me') // the back button, or a session that is gone
  delete req.session.pending
  const url = new URL(req.originalUrl, REDIRECT_URI)
  let tokens
  try {
    tokens = await client.authorizationCodeGrant(config, url, {
      pkceCodeVerifier: pending.verifier,
      expectedState: pending.state,
      expectedNonce: pending.nonce,
      idTokenExpected: true,
    })
  } catch {
    if (req.session.claims) return res.redirect('/me') // « Annuler » on « another child »
    return res.status(400).send('Not signed in. <a href="/login/school">Sign in</a>')
  }
  const claims = tokens.claims()
  req.session.regenerate(() => {
    req.session.claims = claims // claims.sub is the key of the parent
    res.redirect('/me')
  })
})

app.get('/me', (req, res) => {
  if (!req.session.claims) return res.redirect('/login/school')
  res.json(req.session.claims)
})

app.listen(process.env.PORT ?? 3000)
"""

SHELL_LARAVEL: Final = """\
composer require laravel/socialite kovah/laravel-socialite-oidc
"""

LARAVEL_ENV: Final = """\
OIDC_BASE_URL=§ISSUER
OIDC_CLIENT_ID=§CLIENT_ID
OIDC_CLIENT_SECRET=§SECRET
OIDC_REDIRECT_URI=§REDIRECT_URI
OIDC_SCOPES=§SCOPE
OIDC_VERIFY_JWT=true
"""

LARAVEL_SERVICES: Final = """\
'oidc' => [
    'base_url' => env('OIDC_BASE_URL'),
    'client_id' => env('OIDC_CLIENT_ID'),
    'client_secret' => env('OIDC_CLIENT_SECRET'),
    'redirect' => env('OIDC_REDIRECT_URI'),
    'scopes' => env('OIDC_SCOPES'),
    'verify_jwt' => env('OIDC_VERIFY_JWT', true),
],
"""

LARAVEL_PROVIDER: Final = """\
use Illuminate\\Support\\Facades\\Event;
use SocialiteProviders\\Manager\\SocialiteWasCalled;
use SocialiteProviders\\OIDC\\Provider;

public function boot(): void
{
    Event::listen(function (SocialiteWasCalled $event) {
        $event->extendSocialite('oidc', Provider::class);
    });
}
"""

LARAVEL_ROUTES: Final = """\
use Illuminate\\Support\\Facades\\Route;
use Laravel\\Socialite\\Facades\\Socialite;
use SocialiteProviders\\OIDC\\InvalidStateException;

Route::get('/login/school', fn () => Socialite::driver('oidc')->enablePKCE()->redirect());

Route::get(§CALLBACK, function () {
    if (request()->has('error')) {
        return redirect('/'); // « Annuler »
    }
    try {
        $person = Socialite::driver('oidc')->enablePKCE()->user();
    } catch (InvalidStateException) {
        return redirect('/'); // « Back », or a session that is over: signing in again helps
    }
    session()->regenerate();
    // The key of the parent is getId(), never the e-mail address
    session(['parent' => $person->getId(), 'claims' => $person->user]);
    return redirect('/');
});

Route::post('/logout/school', function () {
    session()->invalidate();
    session()->regenerateToken();
    return redirect(§LOGOUT . '?' . http_build_query([
        'client_id' => config('services.oidc.client_id'),
        'post_logout_redirect_uri' => §HOME,
    ]));
});
"""
