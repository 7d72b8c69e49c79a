// What a browser and the person at it do on the built-in page: no more than a form and a cookie need.
import assert from 'node:assert/strict'

const unescape = (text) => text.replaceAll('&quot;', '"').replaceAll('&#39;', "'").replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&')
const attribute = (tag, name) => unescape(tag.match(new RegExp(`\\s${name}="([^"]*)"`))?.[1] ?? '')

// What must not stand in a log.
export const secrets = []

// Opens the page, answers it, and returns where the browser is sent: to the client.
export async function answer(url, { username = 'alice', decision = 'approve' } = {}) {
  const page = await fetch(url, { redirect: 'manual' })
  const html = await page.text()
  if (page.status === 303) return new URL(page.headers.get('location'))
  assert.equal(page.status, 200, html)
  assert.match(page.headers.get('content-security-policy'), /frame-ancestors 'none'/)
  const cookie = page.headers.getSetCookie().map((cookie) => cookie.split(';')[0]).join('; ')
  const form = html.match(/<form [^>]*>/)[0]
  const fields = new URLSearchParams()
  for (const [input] of html.matchAll(/<input [^>]*>/g)) fields.set(attribute(input, 'name'), attribute(input, 'value'))
  const button = html.match(/<button [^>]*>/g).find((button) => attribute(button, 'value') === decision)
  fields.set(attribute(button, 'name'), decision)
  fields.set('username', username)
  const sent = await fetch(new URL(attribute(form, 'action') || url, url), {
    method: 'POST', redirect: 'manual', headers: { cookie }, body: fields,
  })
  assert.equal(sent.status, 303, await sent.text())
  const back = new URL(sent.headers.get('location'))
  secrets.push(cookie.split('=')[1], fields.get('consent'))
  for (const name of ['code', 'state']) if (back.searchParams.has(name)) secrets.push(back.searchParams.get(name))
  return back
}
