// rmcp, a program of its own (../src/rmcp/main.rs) that says line by line what it needs.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { answer } from './browser.mjs'

const BINARY = process.env.KEYWARD_PEERS_RMCP

export async function life(world) {
  const secrets = []
  const acts = {
    open: async (url) => (await answer(url)).href,
    lose: async () => world.loseTheNextAnswer(),
    revoke: async (client_id, token) => {
      const revoked = await fetch(world.endpoint('/revoke'), { method: 'POST', body: new URLSearchParams({ client_id, token }) })
      assert.equal(revoked.status, 200)
    },
    secret: async (secret) => void secrets.push(secret),
  }
  const rmcp = spawn(BINARY, [world.resource], { stdio: ['pipe', 'pipe', 'inherit'] })
  const ended = once(rmcp, 'close')
  for await (const line of createInterface({ input: rmcp.stdout })) {
    const [act, ...words] = line.split(' ')
    rmcp.stdin.write(`${(await acts[act](...words)) ?? ''}\n`)
  }
  assert.deepEqual(await ended, [0, null])
  return secrets
}
