// node-oidc-provider with the addresses, claims and rules that our visits meet at our provider.
import cluster from "node:cluster";
import http from "node:http";
import Provider from "oidc-provider";
import { PostgresAdapter, prepare } from "./postgres.mjs";

const { ISSUER, DATABASE_URL, CLIENT_SECRET, COOKIE_KEY, REDIRECT_URI } = process.env;
const processes = Number(process.env.PROCESSES);
const signingKey = JSON.parse(process.env.SIGNING_KEY);
const SCOPE = "openid offline_access child";
const HOUR = 3600;

function application(client_id) {
  return {
    client_id,
    client_secret: CLIENT_SECRET,
    redirect_uris: [REDIRECT_URI],
    grant_types: ["authorization_code", "refresh_token"],
    response_types: ["code"],
    token_endpoint_auth_method: "client_secret_basic",
    id_token_signed_response_alg: "RS256",
  };
}

function provider() {
  return new Provider(ISSUER, {
    ...(DATABASE_URL ? { adapter: PostgresAdapter } : {}),
    clients: [application("code"), application("refresh")],
    jwks: { keys: [signingKey] },
    cookies: { keys: [COOKIE_KEY] },
    scopes: ["openid", "offline_access", "child"],
    claims: { openid: ["sub"], child: ["child"] },
    features: { devInteractions: { enabled: false } },
    pkce: { required: () => true },
    issueRefreshToken: async (_context, client) => client.clientId === "refresh",
    rotateRefreshToken: true,
    interactions: { url: (_context, interaction) => `/interaction/${interaction.uid}` },
    routes: {
      authorization: "/oauth2/authorize",
      token: "/oauth2/token",
      userinfo: "/oauth2/userinfo",
      jwks: "/oauth2/jwks",
    },
    ttl: {
      AccessToken: HOUR,
      AuthorizationCode: 60,
      IdToken: HOUR,
      Grant: 24 * HOUR,
      Interaction: HOUR,
      RefreshToken: 24 * HOUR,
      Session: 24 * HOUR,
    },
    findAccount: async (_context, id) => ({
      accountId: id,
      claims: async () => ({ sub: id, child: { id: "lina", given_name: "Lina" } }),
    }),
  });
}

// Whoever comes is signed in and has agreed: what is measured begins with a living session.
async function signIn(oidc, request, response) {
  const { params, session } = await oidc.interactionDetails(request, response);
  const accountId = session?.accountId ?? `guardian-${Math.random().toString(36).slice(2)}`;
  const grant = new oidc.Grant({ accountId, clientId: params.client_id });
  grant.addOIDCScope(SCOPE);
  const consent = { grantId: await grant.save() };
  await oidc.interactionFinished(request, response, { login: { accountId }, consent });
}

function serve() {
  const oidc = provider();
  const answer = oidc.callback();
  const server = http.createServer((request, response) => {
    if (!request.url.startsWith("/interaction/")) return answer(request, response);
    return signIn(oidc, request, response).catch((error) => {
      response.statusCode = 500;
      response.end(String(error?.stack ?? error));
    });
  });
  server.keepAliveTimeout = 60_000;
  server.listen(Number(new URL(ISSUER).port), "127.0.0.1");
}

if (cluster.isPrimary && DATABASE_URL) await prepare();
if (cluster.isPrimary && processes > 1) {
  for (let number = 0; number < processes; number += 1) cluster.fork();
} else {
  serve();
}
