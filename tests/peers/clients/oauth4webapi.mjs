// oauth4webapi, which checks every answer against the standards: issuers, `iss`, types and headers.
import assert from 'node:assert/strict'
import * as oauth from 'oauth4webapi'
import { answer } from './browser.mjs'

const insecure = { [oauth.allowInsecureRequests]: true }

export const methods = {
  none: () => oauth.None(),
  client_secret_basic: oauth.ClientSecretBasic,
  client_secret_post: oauth.ClientSecretPost,
}

async function discover(world) {
  const resource = new URL(world.resource)
  const found = await oauth.processResourceDiscoveryResponse(resource, await oauth.resourceDiscoveryRequest(resource, insecure))
  assert.deepEqual([found.resource, ...found.authorization_servers], [world.resource, world.issuer])
  const issuer = new URL(found.authorization_servers[0])
  const response = await oauth.discoveryRequest(issuer, { ...insecure, algorithm: 'oauth2' })
  const server = await oauth.processDiscoveryResponse(issuer, response)
  assert.equal(server.issuer, world.issuer)
  return server
}

async function register(server, world, method) {
  const metadata = {
    client_name: 'Peer', redirect_uris: ['http://127.0.0.1:1/callback?kept=1'], token_endpoint_auth_method: method,
    grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'],
  }
  const client = await oauth.processDynamicClientRegistrationResponse(await oauth.dynamicClientRegistrationRequest(server, metadata, insecure))
  assert.deepEqual(client.redirect_uris, metadata.redirect_uris)
  assert.equal(client.token_endpoint_auth_method, method)
  assert.equal('client_secret' in client, method !== 'none')
  assert.equal(client.client_secret_expires_at, method === 'none' ? undefined : 0)
  return client
}

// As a native application does: the port is another at every start.
async function authorize(server, client, world) {
  const redirectUri = 'http://127.0.0.1:52000/callback?kept=1'
  const [verifier, state] = [oauth.generateRandomCodeVerifier(), oauth.generateRandomState()]
  const url = new URL(server.authorization_endpoint)
  url.search = new URLSearchParams({
    response_type: 'code', client_id: client.client_id, redirect_uri: redirectUri, state, scope: 'tools:use', resource: world.resource,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256',
  })
  const back = await answer(url)
  assert.equal(back.searchParams.get('kept'), '1')
  // The library reads what belongs to OAuth, and refuses an `iss` that is missing or another.
  const parameters = oauth.validateAuthResponse(server, client, back, state)
  const other = new URL(back)
  other.searchParams.set('iss', `${world.issuer}/other`)
  assert.throws(() => oauth.validateAuthResponse(server, client, other, state))
  return { parameters, redirectUri, verifier }
}

const isCode = (code) => (error) => error instanceof oauth.ResponseBodyError && error.error === code

async function call(world, token) {
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'whoami' } })
  const headers = new Headers({ 'content-type': 'application/json', accept: 'application/json, text/event-stream' })
  const response = await oauth.protectedResourceRequest(token, 'POST', new URL(world.resource), headers, body, insecure)
  return (await response.json()).result.content[0].text
}

// The resource does not take the token, and says so as the standard has it.
const isRefused = (world, token) =>
  assert.rejects(() => call(world, token), (error) => {
    assert.ok(error instanceof oauth.WWWAuthenticateChallengeError, error)
    const { scheme, parameters } = error.cause[0]
    assert.deepEqual([scheme, parameters.error], ['bearer', 'invalid_token'])
    return true
  })

export async function life(world, method) {
  const server = await discover(world)
  const client = await register(server, world, method)
  const authenticate = methods[method](client.client_secret)
  const refresh = async (token, additionalParameters = {}) =>
    oauth.processRefreshTokenResponse(server, client, await oauth.refreshTokenGrantRequest(server, client, authenticate, token, { ...insecure, additionalParameters }))
  const introspect = async (token) =>
    oauth.processIntrospectionResponse(server, client, await oauth.introspectionRequest(server, client, authenticate, token, insecure))

  const { parameters, redirectUri, verifier } = await authorize(server, client, world)
  const redeem = async (verifier) => {
    const additionalParameters = { resource: world.resource }
    const response = await oauth.authorizationCodeGrantRequest(server, client, authenticate, parameters, redirectUri, verifier, { ...insecure, additionalParameters })
    return oauth.processAuthorizationCodeResponse(server, client, response)
  }
  await assert.rejects(() => redeem(oauth.generateRandomCodeVerifier()), isCode('invalid_grant'))
  const first = await redeem(verifier)
  assert.deepEqual([first.token_type, first.scope], ['bearer', 'tools:use'])
  assert.equal(await call(world, first.access_token), 'alice')

  await assert.rejects(() => refresh(first.refresh_token, { scope: 'tools:use more' }), isCode('invalid_scope'))
  await assert.rejects(() => refresh(first.refresh_token, { resource: `${world.resource}/other` }), isCode('invalid_target'))
  world.loseTheNextAnswer()
  const lostBefore = world.proxy.lost
  await assert.rejects(() => refresh(first.refresh_token, { resource: world.resource, scope: 'tools:use' }), TypeError)
  assert.equal(world.proxy.lost, lostBefore + 1)
  const second = await refresh(first.refresh_token, { resource: world.resource, scope: 'tools:use' })
  assert.deepEqual({ ...(await refresh(first.refresh_token)), expires_in: 0 }, { ...second, expires_in: 0 }, 'the same pair')
  assert.equal(await call(world, second.access_token), 'alice')
  await isRefused(world, first.access_token)

  if (method === 'none') {
    await assert.rejects(() => introspect(second.access_token), (error) => error.cause?.status === 401 || error.status === 401)
  } else {
    const active = await introspect(second.access_token)
    assert.deepEqual([active.active, active.client_id, active.sub, active.aud, active.iss], [true, client.client_id, 'alice', world.resource, world.issuer])
    assert.deepEqual(await introspect('unknown'), { active: false })
    const impostor = methods[method]('another secret: +/%~&=')
    await assert.rejects(
      async () => oauth.processRefreshTokenResponse(server, client, await oauth.refreshTokenGrantRequest(server, client, impostor, second.refresh_token, insecure)),
      method === 'client_secret_basic' ? oauth.WWWAuthenticateChallengeError : isCode('invalid_client'),
    )
  }

  await oauth.processRevocationResponse(await oauth.revocationRequest(server, client, authenticate, 'unknown', insecure))
  await oauth.processRevocationResponse(await oauth.revocationRequest(server, client, authenticate, second.access_token, insecure))
  await isRefused(world, second.access_token)
  const third = await refresh(second.refresh_token)
  await oauth.processRevocationResponse(await oauth.revocationRequest(server, client, authenticate, third.refresh_token, insecure))
  await isRefused(world, third.access_token)
  await assert.rejects(() => refresh(third.refresh_token), isCode('invalid_grant'))
  const tokens = [first, second, third].flatMap(({ access_token, refresh_token }) => [access_token, refresh_token])
  return [client.client_secret, verifier, ...tokens].filter(Boolean)
}

// A public client with a grant, and how it refreshes.
async function granted(world) {
  const server = await discover(world)
  const client = await register(server, world, 'none')
  const { parameters, redirectUri, verifier } = await authorize(server, client, world)
  const redeem = async () => {
    const request = oauth.authorizationCodeGrantRequest(server, client, oauth.None(), parameters, redirectUri, verifier, insecure)
    return oauth.processAuthorizationCodeResponse(server, client, await request)
  }
  const refresh = async (token) => {
    const request = oauth.refreshTokenGrantRequest(server, client, oauth.None(), token, insecure)
    return oauth.processRefreshTokenResponse(server, client, await request)
  }
  return { redeem, refresh }
}

// What comes back once it was spent ends everything: a refresh token whose successor was used, and a code.
export async function replay(world) {
  const { redeem, refresh } = await granted(world)
  const first = await redeem()
  const second = await refresh(first.refresh_token)
  assert.equal(await call(world, second.access_token), 'alice')
  await assert.rejects(() => refresh(first.refresh_token), isCode('invalid_grant'))
  await isRefused(world, second.access_token)
  await assert.rejects(() => refresh(second.refresh_token), isCode('invalid_grant'))

  const other = await granted(world)
  const tokens = await other.redeem()
  await assert.rejects(other.redeem, isCode('invalid_grant'))
  await isRefused(world, tokens.access_token)
  await assert.rejects(() => other.refresh(tokens.refresh_token), isCode('invalid_grant'))
}

// The answer to a refresh is lost and the server is killed: the one that takes its place has the same pair.
export async function survives(world) {
  const { redeem, refresh } = await granted(world)
  const first = await redeem()
  world.loseTheNextAnswer()
  await assert.rejects(() => refresh(first.refresh_token), TypeError)
  await world.restart()
  const second = await refresh(first.refresh_token)
  assert.equal((await refresh(first.refresh_token)).access_token, second.access_token)
  assert.equal(await call(world, second.access_token), 'alice')
  await isRefused(world, first.access_token)
}

// The connection ends while a refresh is under way, at any moment: the next attempt is good, whatever became of the first.
export async function isCutOff(world) {
  const { redeem, refresh } = await granted(world)
  let tokens = await redeem()
  for (let milliseconds = 0; milliseconds < 12; milliseconds += 0.5) {
    world.cutOffTheNextRequest(milliseconds)
    const { refresh_token } = tokens
    tokens = await refresh(refresh_token).catch(() => refresh(refresh_token))
    assert.equal(await call(world, tokens.access_token), 'alice')
  }
}

// Several windows of one client refresh at once: all of them have the same pair.
export async function isAskedAtOnce(world) {
  const { redeem, refresh } = await granted(world)
  const { refresh_token } = await redeem()
  const pairs = await Promise.all(Array.from({ length: 8 }, () => refresh(refresh_token)))
  assert.equal(new Set(pairs.map((pair) => pair.access_token + pair.refresh_token)).size, 1)
  assert.equal(await call(world, pairs[0].access_token), 'alice')
}
