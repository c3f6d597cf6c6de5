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
