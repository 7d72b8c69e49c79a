// The server under test as a process of its own, with a store, and a proxy in front of it that can lose an answer.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import crypto from 'node:crypto'
import { once } from 'node:events'
import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import pg from 'pg'

const BINARY = process.env.KEYWARD_MCP_BROKER
const POSTGRES = process.env.KEYWARD_TEST_POSTGRES_URL

// What the option --db of the server says, what is written there, and how to be rid of it.
const stores = {
  async memory() {
    return { read: () => '', remove: async () => {} }
  },
  async sqlite() {
    const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'keyward-peers-'))
    const files = () => fs.readdirSync(directory).map((name) => path.join(directory, name))
    return {
      url: `sqlite:${path.join(directory, 'broker.db')}`,
      read: () => files().map((file) => fs.readFileSync(file, 'latin1')).join(''),
      remove: async () => fs.rmSync(directory, { recursive: true }),
    }
  },
  async postgres() {
    const name = `keyward_${crypto.randomBytes(8).toString('hex')}`
    const administer = async (statement) => {
      const client = new pg.Client(POSTGRES)
      await client.connect()
      await client.query(statement).finally(() => client.end())
    }
    await administer(`CREATE DATABASE ${name} TEMPLATE template0`)
    const url = new URL(POSTGRES)
    url.pathname = `/${name}`
    return { url: url.href, read: () => '', remove: () => administer(`DROP DATABASE ${name} WITH (FORCE)`) }
  },
}

// Passes bytes to the server, wherever that listens at the moment. What is in `faults` befalls the next requests of the token
// endpoint: with `lose`, the answer is cut off once the server has sent it; with a number, the connection is, on both sides,
// so many milliseconds after the request, unless it has been answered by then.
class Proxy {
  faults = []
  lost = 0
  upstream = undefined

  constructor() {
    this.server = net.createServer((client) => {
      const server = net.connect(this.upstream, '127.0.0.1')
      let fault, cut
      client.on('data', (bytes) => {
        if (/^POST \S*\/token /.test(bytes.toString('latin1'))) fault = this.faults.shift()
        server.write(bytes)
        if (typeof fault === 'number') [cut, fault] = [setTimeout(() => server.destroy(), fault), undefined]
      })
      server.on('data', (bytes) => {
        clearTimeout(cut)
        if (fault !== 'lose') return client.write(bytes)
        assert.match(bytes.toString('latin1'), /^HTTP\/1.1 200 /)
        this.lost += 1
        client.destroy()
      })
      for (const [one, other] of [[client, server], [server, client]]) {
        one.on('close', () => other.destroy()).on('error', () => {})
      }
    })
  }

  async listen() {
    this.server.listen(0, '127.0.0.1')
    await once(this.server, 'listening')
    return this.server.address().port
  }
}

class World {
  log = ''

  constructor(options) {
    this.options = options
  }

  // `issuer` makes the identifier of the issuer from the origin that clients see. Without it, the server is asked directly,
  // and makes its own.
  async open(store) {
    const { issuer } = this.options
    this.store = await stores[store]()
    this.proxy = new Proxy()
    const port = await this.proxy.listen()
    if (issuer) this.issuer = issuer(`http://127.0.0.1:${port}`)
    await this.startServer()
  }

  get resource() {
    return this.endpoint('/mcp')
  }

  endpoint(path) {
    return this.issuer.replace(/\/$/, '') + path
  }

  async startServer() {
    const { issuer, level = 'info' } = this.options
    const options = ['--listen', '127.0.0.1:0']
    if (issuer) options.push('--issuer', this.issuer)
    if (this.store.url) options.push('--db', this.store.url)
    const environment = { PATH: process.env.PATH, RUST_LOG: level, NO_COLOR: '1' }
    this.server = spawn(BINARY, options, { env: environment, stdio: ['ignore', 'pipe', 'pipe'] })
    this.server.stderr.setEncoding('utf8').on('data', (text) => (this.log += text))
    this.ended = once(this.server, 'close')
    const lines = createInterface({ input: this.server.stdout })
    const [line] = await Promise.race([once(lines, 'line'), this.ended.then(() => assert.fail('the server has ended'))])
    if (!issuer) this.issuer = line.match(/http:\S+$/)[0]
    this.proxy.upstream = Number(line.match(/:(\d+)$/)[1])
  }

  // Ends the server by a signal, and says how, and after how many milliseconds.
  async end(signal) {
    const start = performance.now()
    this.server.kill(signal)
    const [code, by] = await this.ended
    return { code, by, milliseconds: performance.now() - start }
  }

  async restart() {
    await this.end('SIGKILL')
    await this.startServer()
  }

  loseTheNextAnswer() {
    this.proxy.faults.push('lose')
  }

  cutOffTheNextRequest(milliseconds) {
    this.proxy.faults.push(milliseconds)
  }

  async remove() {
    if (this.server?.exitCode === null && this.server.signalCode === null) await this.end('SIGKILL')
    this.proxy?.server.close()
    await this.store?.remove()
  }
}

// In a world of its own, which is gone at the end.
export async function inWorld(store, options, run) {
  const world = new World(options)
  try {
    await world.open(store)
    await run(world)
  } catch (error) {
    console.error(world.log.split('\n').filter((line) => !line.includes('sqlx::')).slice(-50).join('\n'))
    throw error
  } finally {
    await world.remove()
  }
}
