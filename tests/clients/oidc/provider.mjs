// An OpenID provider on loopback for tests/clients/oidc_provider.py: the certified `oidc-provider` as it is, with
// people, clients and signing keys of this run.
//
//   node provider.mjs ISSUER PORT KEYS
//
// KEYS is the word that the keys' ids begin with. The keys are made here and never leave this process. Says
// "listening" when it does. Takes a line on its input: "rotate WORD" signs with new keys and goes on publishing
// the old ones, "retire" publishes the newest alone, "clock SECONDS" sets its clock off by so much; each is answered
// with its first word. Ends with its input.

import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

// By way of `require`, which looks into NODE_PATH too: the packages lie outside of this checkout.
const found = createRequire(import.meta.url).resolve('oidc-provider');
const { default: Provider } = await import(pathToFileURL(found));

// Its notices; the standard output is for the answers to whoever started this.
console.info = console.error;

const [issuer, port, word] = process.argv.slice(2);
const TOKEN_SECONDS = 600;
const people = { anna: ['auditors'], clara: ['auditors', 'chiefs'], bert: ['clerks'] };

function client(client_id, id_token_signed_response_alg, more = {}) {
  return {
    client_id,
    id_token_signed_response_alg,
    application_type: 'native',
    token_endpoint_auth_method: 'none',
    redirect_uris: ['http://127.0.0.1/answer'],
    ...more,
  };
}

function newKeys(word) {
  const key = (kind, options, sort) => ({
    ...generateKeyPairSync(kind, options).privateKey.export({ format: 'jwk' }),
    kid: `${word}-${sort}`,
    use: 'sig',
  });
  return [
    { ...key('rsa', { modulusLength: 2048 }, 'rsa'), alg: 'RS256' },
    key('ec', { namedCurve: 'P-256' }, 'ec'),
    key('ed25519', {}, 'ed'),
  ];
}

function provider(keys) {
  const made = new Provider(issuer, {
    jwks: { keys },
    clients: [
      client('clarence', 'RS256'),
      client('clarence-ec', 'ES256'),
      client('clarence-ed', 'EdDSA'),
      client('clarence-hmac', 'HS256', { token_endpoint_auth_method: 'client_secret_post', client_secret: 'a secret that is long enough for HS256' }),
      client('another', 'RS256'),
    ],
    enabledJWA: { idTokenSigningAlgValues: ['RS256', 'ES256', 'EdDSA', 'HS256'] },
    pkce: { required: () => true },
    claims: { openid: ['sub'], groups: ['groups'] },
    // The groups stand in the token itself: the store never asks the provider for more.
    conformIdTokenClaims: false,
    findAccount: (_, id) => people[id] && { accountId: id, claims: () => ({ sub: id, groups: people[id] }) },
    ttl: { IdToken: TOKEN_SECONDS },
    cookies: { keys: ['cookies of a test'] },
    features: { devInteractions: { enabled: true } },
  });
  made.on('server_error', (_, error) => console.error(error));
  return made.callback();
}

let keys = newKeys(word);
let answer = provider(keys);
createServer((request, response) => answer(request, response)).listen(Number(port), '127.0.0.1', () => console.log('listening'));

const clock = Date.now;
const told = {
  rotate: (next) => { keys = [...newKeys(next), ...keys]; answer = provider(keys); },
  retire: () => { keys = keys.slice(0, 3); answer = provider(keys); },
  clock: (seconds) => { Date.now = () => clock() + Number(seconds) * 1000; },
};
for await (const line of createInterface({ input: process.stdin })) {
  const [verb, more] = line.split(' ');
  told[verb](more);
  console.log(verb);
}
process.exit(0);
