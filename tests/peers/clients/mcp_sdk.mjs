// The MCP TypeScript SDK, in the version that is everywhere and in the one that follows it.
import assert from 'node:assert/strict'
import * as client from '@modelcontextprotocol/client'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { answer } from './browser.mjs'

// The first takes the code alone; the second looks at `iss` in what the browser brings back.
const sdks = {
  sdk: { Client, StreamableHTTPClientTransport, UnauthorizedError, finish: (transport, answer) => transport.finishAuth(answer.get('code')) },
  client: { ...client, finish: (transport, answer) => transport.finishAuth(answer) },
}

// Keeps everything in memory, and where the browser was to be sent.
class Provider {
  asked = []
  constructor({ redirectUrl = 'http://127.0.0.1:4711/callback', method = 'none' } = {}) {
    this.redirectUrl = redirectUrl
    this.clientMetadata = {
      client_name: 'Peer', redirect_uris: ['http://127.0.0.1:4711/callback'], token_endpoint_auth_method: method,
      grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'],
    }
  }
  state = () => (this.lastState = crypto.randomUUID())
  clientInformation = () => this.information
  saveClientInformation = (information) => void (this.information = information)
  tokens = () => this.kept
  saveTokens = (tokens) => void (this.kept = tokens)
  redirectToAuthorization = (url) => void this.asked.push(url)
  saveCodeVerifier = (verifier) => void (this.verifier = verifier)
  codeVerifier = () => this.verifier
  // Only the second version asks for these.
  saveDiscoveryState = (state) => void (this.discovered = state)
  discoveryState = () => this.discovered
  invalidateCredentials(what) {
    if (what === 'all' || what === 'client') this.information = undefined
    if (what === 'all' || what === 'tokens') this.kept = undefined
  }
}

export const versions = Object.keys(sdks)

// One user of a server, with one SDK.
class User {
  constructor(version, world, options) {
    this.sdk = sdks[version]
    this.world = world
    this.provider = new Provider(options)
  }

  async connect() {
    const transport = new this.sdk.StreamableHTTPClientTransport(new URL(this.world.resource), { authProvider: this.provider })
    const client = new this.sdk.Client({ name: 'peer', version: '1.0.0' })
    try {
      await client.connect(transport)
      return client
    } catch (error) {
      if (error instanceof this.sdk.UnauthorizedError) this.transport = transport
      throw error
    }
  }

  // The SDK has nothing that is good, and sends the browser off, once.
  async isAsked(act) {
    const before = this.provider.asked.length
    await assert.rejects(act, this.sdk.UnauthorizedError)
    assert.equal(this.provider.asked.length, before + 1, 'the browser is sent off once')
    return this.provider.asked.at(-1)
  }

  async signIn(username) {
    const url = await this.isAsked(() => this.connect())
    const back = await answer(url, { username })
    assert.equal(back.searchParams.get('state'), this.provider.lastState)
    assert.equal(back.searchParams.get('iss'), this.world.issuer)
    assert.ok(back.href.startsWith(`${this.provider.redirectUrl}?`), back.href)
    await this.sdk.finish(this.transport, back.searchParams)
    return { url, client: await this.connect() }
  }
}

async function whoami(client) {
  const called = await client.callTool({ name: 'whoami', arguments: {} })
  return called.content[0].text
}

async function revoke(world, { information, kept, clientMetadata: { token_endpoint_auth_method: method } }) {
  const { client_id: id, client_secret: secret } = information
  const headers = method === 'client_secret_basic' ? { authorization: `Basic ${btoa(`${id}:${secret}`)}` } : {}
  const fields = { token: kept.refresh_token, client_id: id, ...(method === 'client_secret_post' ? { client_secret: secret } : {}) }
  assert.equal((await fetch(world.endpoint('/revoke'), { method: 'POST', headers, body: new URLSearchParams(fields) })).status, 200)
}

// From the first 401 to the end of the grant.
export async function life(version, world, options) {
  const user = new User(version, world, options)
  const { provider } = user
  const { url, client } = await user.signIn('alice')
  assert.equal(url.searchParams.get('resource'), world.resource, 'the resource as the metadata has it')
  assert.equal(url.searchParams.get('scope'), 'tools:use')
  assert.deepEqual((await client.listTools()).tools.map((tool) => tool.name), ['whoami'])
  assert.equal(await whoami(client), 'alice')

  // An access token that is not good is refreshed by the way.
  const first = provider.kept
  provider.kept = { ...first, access_token: 'expired' }
  assert.equal(await whoami(client), 'alice')
  assert.notEqual(provider.kept.refresh_token, first.refresh_token)
  assert.equal(provider.asked.length, 1)

  // The answer to a refresh is lost: the SDK keeps its refresh token, and has the same pair the next time.
  const second = provider.kept
  provider.kept = { ...second, access_token: 'expired' }
  world.loseTheNextAnswer()
  await user.isAsked(() => whoami(client))
  assert.equal(provider.kept.refresh_token, second.refresh_token)
  assert.equal(await whoami(client), 'alice')
  assert.equal(provider.asked.length, 2)

  // The user revokes: a new authorization, which the person may refuse, and then may grant.
  await revoke(world, provider)
  const asked = await user.isAsked(() => whoami(client))
  assert.equal(provider.kept, undefined, 'invalid_grant makes the SDK forget its tokens')
  const refused = await answer(asked, { decision: 'deny' })
  assert.equal(refused.searchParams.get('error'), 'access_denied')
  assert.equal(refused.searchParams.get('iss'), world.issuer)
  const again = await user.signIn('bob')
  assert.equal(await whoami(again.client), 'bob')
  await Promise.all([client.close(), again.client.close()])
  return user
}

// What was issued before a restart is good after it.
export async function goesOn(user) {
  const client = await user.connect()
  assert.equal(await whoami(client), 'bob')
  user.provider.kept = { ...user.provider.kept, access_token: 'expired' }
  assert.equal(await whoami(client), 'bob')
  await client.close()
}

// A server that has forgotten the client: the SDK registers again.
export async function registersAgain(user) {
  const before = user.provider.information.client_id
  await user.isAsked(() => user.connect())
  assert.notEqual(user.provider.information.client_id, before)
}

// Everything that must not stand in a log.
export function secretsOf({ provider }) {
  const { information, kept, verifier } = provider
  return [information.client_secret, kept?.access_token, kept?.refresh_token, verifier].filter(Boolean)
}
