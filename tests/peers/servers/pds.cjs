// An atproto PDS with its directory of DIDs, on loopback, and a door of the test's own: GET :2590/session signs a new
// account in, without a browser, and answers its session as indigo keeps it.
//
//   ?shape=any|padded|unpadded   a DPoP key; one with a short coordinate, written in full; the same, cut short
//   ?confidential=1              by a client that authenticates by assertions of the key behind GET :2590/client-key
const crypto = require('crypto')
const fs = require('fs')
const http = require('http')
const os = require('os')
const path = require('path')
const plc = require('@did-plc/server')
const { PDS, envToCfg, envToSecrets } = require('@atproto/pds')

const SCOPE = 'atproto transition:generic'
const CONFIDENTIAL = 'https://app.example/client.json'
const CALLBACK = 'https://app.example/cb'
const LOOPBACK = 'http://127.0.0.1/'
const PUBLIC = `http://localhost/?${new URLSearchParams({ redirect_uri: LOOPBACK, scope: SCOPE })}`

const base64url = (bytes) => Buffer.from(bytes).toString('base64url')
const now = () => Math.floor(Date.now() / 1000)
const newKey = () => crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' })

function base58(bytes) {
  const alphabet = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz'
  let text = ''
  for (let number = BigInt(`0x${bytes.toString('hex')}`); number > 0n; number /= 58n) text = alphabet[Number(number % 58n)] + text
  return text
}

const multibase = (privateKey) => {
  const scalar = Buffer.from(privateKey.export({ format: 'jwk' }).d, 'base64url')
  return `z${base58(Buffer.concat([Buffer.from([0x86, 0x26]), scalar]))}`
}

function jws(privateKey, header, claims) {
  const text = `${base64url(JSON.stringify(header))}.${base64url(JSON.stringify(claims))}`
  const signature = crypto.sign('sha256', Buffer.from(text), { key: privateKey, dsaEncoding: 'ieee-p1363' })
  return `${text}.${base64url(signature)}`
}

// The public half as a client writes it into its proofs: as the standard asks, or without leading zeros.
function dpopKey(shape) {
  for (;;) {
    const { privateKey } = newKey()
    const jwk = privateKey.export({ format: 'jwk' })
    const coordinates = [jwk.x, jwk.y].map((text) => Buffer.from(text, 'base64url'))
    if (shape !== 'any' && !coordinates.some((bytes) => bytes[0] === 0)) continue
    const cut = (bytes) => bytes.subarray(bytes.findIndex((byte) => byte !== 0))
    const [x, y] = coordinates.map((bytes) => base64url(shape === 'unpadded' ? cut(bytes) : bytes))
    return { privateKey, jwk: { kty: 'EC', crv: 'P-256', x, y } }
  }
}

const get = (url, headers) =>
  new Promise((resolve, reject) => {
    http.get(url, { headers }, (answer) => answer.resume().on('end', () => resolve(answer.statusCode))).on('error', reject)
  })

async function main() {
  await plc.PlcServer.create({ db: plc.Database.mock(), port: 2582 }).start()
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'pds-'))
  const secret = (bytes) => crypto.randomBytes(bytes).toString('hex')
  const environment = {
    port: 2583,
    hostname: 'localhost',
    devMode: true,
    dataDirectory: directory,
    blobstoreDiskLocation: path.join(directory, 'blobs'),
    didPlcUrl: 'http://localhost:2582',
    jwtSecret: secret(16),
    adminPassword: secret(16),
    plcRotationKeyK256PrivateKeyHex: secret(32),
    dpopSecret: secret(32),
    inviteRequired: false,
    bskyAppViewUrl: 'http://localhost:2584',
    bskyAppViewDid: 'did:example:none',
    serviceHandleDomains: ['.test'],
    disableSsrfProtection: true,
  }
  const pds = await PDS.create(envToCfg(environment), envToSecrets(environment))
  await pds.start()
  const base = pds.ctx.cfg.service.publicUrl
  const provider = pds.ctx.oauthProvider

  const client = newKey()
  const metadata = {
    client_id: CONFIDENTIAL,
    redirect_uris: [CALLBACK],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    scope: SCOPE,
    application_type: 'web',
    token_endpoint_auth_method: 'private_key_jwt',
    token_endpoint_auth_signing_alg: 'ES256',
    dpop_bound_access_tokens: true,
    jwks: { keys: [{ ...client.publicKey.export({ format: 'jwk' }), kid: 'key-1', alg: 'ES256', use: 'sig' }] },
  }
  const fetched = provider.clientManager.getClientMetadata.bind(provider.clientManager)
  provider.clientManager.getClientMetadata = async (id) => (id === CONFIDENTIAL ? metadata : fetched(id))

  async function account() {
    const handle = `u${crypto.randomBytes(6).toString('hex')}.test`
    const answer = await fetch(`${base}/xrpc/com.atproto.server.createAccount`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ handle, email: `${handle}@example.test`, password: secret(8) }),
    })
    const { did, ...error } = await answer.json()
    if (!did) throw new Error(JSON.stringify(error))
    return did
  }

  let nonce
  async function post(key, url, form, clientId) {
    for (let attempt = 0; attempt < 3; attempt++) {
      const assertion = {
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        client_assertion: jws(client.privateKey, { alg: 'ES256', kid: 'key-1' }, {
          iss: clientId, sub: clientId, aud: base, jti: secret(16), iat: now(), exp: now() + 60,
        }),
      }
      const body = { ...form, client_id: clientId, ...(clientId === CONFIDENTIAL ? assertion : {}) }
      const dpop = jws(key.privateKey, { alg: 'ES256', typ: 'dpop+jwt', jwk: key.jwk }, {
        jti: secret(16), htm: 'POST', htu: url, iat: now(), nonce,
      })
      const answer = await fetch(url, { method: 'POST', headers: { dpop }, body: new URLSearchParams(body) })
      nonce = answer.headers.get('dpop-nonce') || nonce
      const json = await answer.json()
      if (answer.ok) return json
      if (json.error !== 'use_dpop_nonce') throw new Error(JSON.stringify(json))
    }
    throw new Error('no nonce was good')
  }

  async function session(shape, isConfidential) {
    const did = await account()
    const key = dpopKey(shape)
    const [clientId, redirect_uri] = isConfidential ? [CONFIDENTIAL, CALLBACK] : [PUBLIC, LOOPBACK]
    const verifier = secret(32)
    const code_challenge = base64url(crypto.createHash('sha256').update(verifier).digest())
    const pushed = await post(key, `${base}/oauth/par`, {
      response_type: 'code', redirect_uri, scope: SCOPE, state: 's', code_challenge, code_challenge_method: 'S256',
    }, clientId)
    // Opened once, as by a browser, so that the request has a device; then its consent is given from inside.
    await get(`${base}/oauth/authorize?${new URLSearchParams({ client_id: clientId, request_uri: pushed.request_uri })}`, {
      'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document', 'sec-fetch-site': 'cross-site',
      'user-agent': 'Mozilla/5.0', accept: 'text/html',
    })
    const id = decodeURIComponent(pushed.request_uri.split(':').at(-1))
    const { deviceId } = await provider.requestManager.store.readRequest(id)
    const device = { ipAddress: '127.0.0.1', userAgent: 'Mozilla/5.0', lastSeenAt: new Date() }
    const { account: consenting } = await provider.accountManager.store.getAccount(did)
    const known = await provider.clientManager.getClient(clientId)
    const code = await provider.requestManager.setAuthorized(pushed.request_uri, known, consenting, deviceId, device)
    const tokens = await post(key, `${base}/oauth/token`, {
      grant_type: 'authorization_code', code, redirect_uri, code_verifier: verifier,
    }, clientId)
    return {
      account_did: did,
      session_id: 'apikey',
      host_url: base,
      authserver_url: base,
      authserver_token_endpoint: `${base}/oauth/token`,
      authserver_revocation_endpoint: `${base}/oauth/revoke`,
      scopes: tokens.scope.split(' '),
      access_token: tokens.access_token,
      refresh_token: tokens.refresh_token,
      dpop_authserver_nonce: nonce,
      dpop_host_nonce: '',
      dpop_privatekey_multibase: multibase(key.privateKey),
      expires_in: tokens.expires_in,
      oauth_client: clientId,
    }
  }

  const door = http.createServer(async (request, answer) => {
    try {
      const url = new URL(request.url, base)
      if (url.pathname === '/client-key') return answer.end(multibase(client.privateKey))
      const { shape, confidential } = Object.fromEntries(url.searchParams)
      answer.end(JSON.stringify(await session(shape ?? 'any', confidential === '1')))
    } catch (error) {
      answer.statusCode = 500
      answer.end(String(error.stack))
    }
  })
  door.listen(2590, '127.0.0.1')
}

main().catch((error) => {
  console.error(error)
  process.exit(1)
})
