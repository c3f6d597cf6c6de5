"""Settings to paste into finished software; ``§NAME`` stands for a value, quoted already."""

from typing import Final

NEXTCLOUD: Final = """\
php occ app:enable user_oidc
php occ user_oidc:provider school \\
  --clientid=§CLIENT_ID \\
  --clientsecret=§SECRET \\
  --discoveryuri=§DISCOVERY \\
  --scope=§SCOPE \\
  --unique-uid=1 \\
  --send-id-token-hint=1 \\
  --postlogouturi=§HOME
"""
NEXTCLOUD_OPTIONS: Final = (("sub", "uid"), ("name", "display-name"), ("email", "email"))

WORDPRESS: Final = """\
define( 'OIDC_LOGIN_TYPE', 'button' );
define( 'OIDC_CLIENT_ID', §CLIENT_ID );
define( 'OIDC_CLIENT_SECRET', §SECRET );
define( 'OIDC_CLIENT_SCOPE', §SCOPE );
define( 'OIDC_ENDPOINT_LOGIN_URL', §AUTHORIZATION );
define( 'OIDC_ENDPOINT_TOKEN_URL', §TOKEN );
define( 'OIDC_ENDPOINT_USERINFO_URL', §USERINFO );
define( 'OIDC_ENDPOINT_LOGOUT_URL', §LOGOUT );
// An equal e-mail address is no proof: nobody takes over an account that is there already
define( 'OIDC_LINK_EXISTING_USERS', false );
define( 'OIDC_CREATE_IF_DOES_NOT_EXIST', true );
"""

WORDPRESS_FORM: Final = (
    ("Identity Key", "preferred_username"),
    ("Nickname Key", "preferred_username"),
    ("Email Formatting", "{email}"),
    ("Display Name Formatting", "{name}"),
    ("Identify with User Name", "No"),
    ("State time limit", "3600"),
)

WORDPRESS_PLUGIN: Final = """\
<?php
// WordPress adds parameters to the address after signing out, and the language is one of them.
// The provider goes to the registered address only. 98: before the plugin, which asks at 99.
add_filter( 'logout_redirect', function () {
    return §HOME;
}, 98 );
"""

DJANGO_SETTINGS: Final = """\
import os

INSTALLED_APPS += ["mozilla_django_oidc"]
AUTHENTICATION_BACKENDS = ["school_login.Guardians"]
LOGIN_URL = "/oidc/authenticate/"
LOGIN_REDIRECT_URL = LOGOUT_REDIRECT_URL = "/"
OIDC_RP_CLIENT_ID = §CLIENT_ID
OIDC_RP_CLIENT_SECRET = os.environ["CLIENT_SECRET"]
OIDC_RP_SCOPES = §SCOPE
OIDC_RP_SIGN_ALGO = §ALGORITHM
OIDC_USE_PKCE = True
OIDC_TOKEN_USE_BASIC_AUTH = §BASIC
OIDC_OP_AUTHORIZATION_ENDPOINT = §AUTHORIZATION
OIDC_OP_TOKEN_ENDPOINT = §TOKEN
OIDC_OP_USER_ENDPOINT = §USERINFO
OIDC_OP_JWKS_ENDPOINT = §JWKS
OIDC_OP_LOGOUT_URL_METHOD = "school_login.logout_address"
"""

DJANGO_LOGIN: Final = """\
from urllib.parse import urlencode

from django.core.exceptions import SuspiciousOperation
from mozilla_django_oidc.auth import OIDCAuthenticationBackend


class Guardians(OIDCAuthenticationBackend):
    \"\"\"By sub: two parents may share an e-mail address, and some have none.\"\"\"

    def verify_token(self, token, **kwargs):
        \"\"\"The library verifies neither the issuer nor for whom a token is.\"\"\"
        claims = super().verify_token(token, **kwargs)
        if claims["iss"] != §ISSUER or claims["aud"] not in (§CLIENT_ID, [§CLIENT_ID]):
            raise SuspiciousOperation("an ID token of another issuer, or for somebody else")
        return claims

    def get_userinfo(self, access_token, id_token, payload):
        claims = super().get_userinfo(access_token, id_token, payload)
        if claims["sub"] != payload["sub"]:
            raise SuspiciousOperation("UserInfo is about somebody else")
        return claims

    def verify_claims(self, claims):
        return "sub" in claims

    def filter_users_by_claims(self, claims):
        return self.UserModel.objects.filter(username=claims["sub"])

    def create_user(self, claims):
        user = self.UserModel(username=claims["sub"])
        user.set_unusable_password()
        return self.update_user(user, claims)

    def update_user(self, user, claims):
        user.first_name = claims.get("given_name", "")
        user.last_name = claims.get("family_name", "")
        user.email = claims.get("email", "")
        user.save()
        return user


def logout_address(request):
    query = {"client_id": §CLIENT_ID, "post_logout_redirect_uri": §HOME}
    return §LOGOUT + "?" + urlencode(query)
"""

DJANGO_URLS: Final = """\
urlpatterns += [path("oidc/", include("mozilla_django_oidc.urls"))]
"""

SHELL_DJANGO: Final = """\
pip install mozilla-django-oidc
export CLIENT_SECRET=§SECRET
"""

PROXY: Final = """\
provider = "oidc"
oidc_issuer_url = §ISSUER
client_id = §CLIENT_ID
redirect_url = §REDIRECT_URI
scope = §SCOPE
code_challenge_method = "S256"
# By sub: two parents may share an e-mail address, and some have none.
# It is what the application behind gets as X-Forwarded-Email, too.
oidc_email_claim = "sub"
email_domains = ["*"]
whitelist_domains = [§ISSUER_HOST]
upstreams = ["http://127.0.0.1:8080/"]
insecure_oidc_skip_nonce = false
# For each sign-in that was begun, not one for all: a parent has two tabs, or comes back late.
cookie_csrf_per_request = true
cookie_csrf_expire = "1h"
"""

SHELL_PROXY: Final = """\
export OAUTH2_PROXY_CLIENT_SECRET=§SECRET
export OAUTH2_PROXY_COOKIE_SECRET="$(openssl rand -hex 16)"
oauth2-proxy --config oauth2-proxy.cfg
"""

APACHE: Final = """\
OIDCProviderMetadataURL §DISCOVERY
OIDCClientID §CLIENT_ID
OIDCClientSecret §SECRET
OIDCProviderTokenEndpointAuth §METHOD
OIDCRedirectURI §REDIRECT_URI
OIDCDefaultURL §HOME
OIDCCryptoPassphrase "exec:/usr/bin/openssl rand -hex 32"
OIDCScope §SCOPE
OIDCPKCEMethod S256
OIDCRemoteUserClaim sub
OIDCCookieSameSite On
<Location />
    AuthType openid-connect
    Require valid-user
</Location>
"""
