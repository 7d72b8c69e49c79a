// Every client against every store, and every way to write an issuer. Prints what was tried, and ends with an error at the
// first thing that is not as it has to be.
import assert from 'node:assert/strict'
import net from 'node:net'
import * as browser from './browser.mjs'
import * as mcp from './mcp_sdk.mjs'
import * as oauth from './oauth4webapi.mjs'
import * as rmcp from './rmcp.mjs'
import { inWorld } from './world.mjs'

// What the SDK has to say of the failures that are made on purpose.
console.warn = () => {}

const STORES = ['memory', 'sqlite', 'postgres']
const ISSUERS = {
  plain: (origin) => origin,
  'with a slash': (origin) => `${origin}/`,
  'with a path': (origin) => `${origin}/tenant`,
  'with a path and a slash': (origin) => `${origin}/a/b/`,
}

const say = (...words) => console.log(words.join('  '))

// No secret stands in the log, however much is logged, nor in the file.
function isClean(world, secrets) {
  assert.ok(world.log.includes('refresh_token.exchanged'))
  for (const [where, text] of [['log', world.log], ['file', world.store.read()]]) {
    for (const secret of secrets) assert.ok(!text.includes(secret), `a secret is in the ${where}: ${secret}`)
  }
}

// A connection that says nothing, and one that stops in the middle, do not keep the server from ending.
async function endsCleanly(world) {
  const stalled = ['', 'POST /token HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: 9\r\n\r\ngrant'].map((text) => {
    const connection = net.connect(world.proxy.upstream, '127.0.0.1').on('error', () => {})
    connection.write(text)
    return connection
  })
  await new Promise((resolve) => setTimeout(resolve, 100))
  const { code, milliseconds } = await world.end('SIGTERM')
  stalled.forEach((connection) => connection.destroy())
  assert.equal(code, 0, world.log)
  assert.ok(milliseconds < 1000, `it took ${milliseconds} ms`)
}

// What the clients had before a kill is good after it; and where nothing is kept, they begin anew.
async function survives(store, world, users) {
  await world.restart()
  for (const user of users) await (store === 'memory' ? mcp.registersAgain(user) : mcp.goesOn(user))
  if (store !== 'memory') await oauth.survives(world)
}

for (const store of STORES) {
  for (const level of ['info', 'trace']) {
    await inWorld(store, { issuer: ISSUERS.plain, level }, async (world) => {
      const [users, secrets] = [[], []]
      for (const version of mcp.versions) {
        for (const method of Object.keys(oauth.methods)) users.push(await mcp.life(version, world, { method }))
        users.push(await mcp.life(version, world, { redirectUrl: 'http://127.0.0.1:52000/callback' }))
      }
      secrets.push(...users.flatMap(mcp.secretsOf))
      for (const method of Object.keys(oauth.methods)) secrets.push(...(await oauth.life(world, method)))
      await oauth.replay(world)
      await oauth.isCutOff(world)
      await oauth.isAskedAtOnce(world)
      secrets.push(...(await rmcp.life(world)))
      await survives(store, world, users)
      secrets.push(...users.flatMap(mcp.secretsOf), ...browser.secrets.splice(0))
      await endsCleanly(world)
      isClean(world, secrets)
      say(store.padEnd(8), level.padEnd(5), `every client, a kill, and an end; no secret in the log, of ${secrets.length}`)
    })
  }
}
await inWorld('memory', {}, async (world) => {
  await oauth.replay(world)
  say('issuer  ', 'as the server makes it')
})
for (const [name, issuer] of Object.entries(ISSUERS)) {
  await inWorld('memory', { issuer }, async (world) => {
    for (const version of mcp.versions) await mcp.life(version, world)
    await oauth.life(world, 'none')
    await rmcp.life(world)
    say('issuer  ', name)
  })
}
say('everything was as it has to be')
