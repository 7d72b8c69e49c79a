import http from 'node:http'
import crypto from 'node:crypto'
import { Provider } from 'oidc-provider'

const issuer = 'http://localhost:2600'
const b64 = (bytes) => Buffer.from(bytes).toString('base64url')
const common = { grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'], redirect_uris: ['http://127.0.0.1/cb'], application_type: 'native' }
const provider = new Provider(issuer, {
  clients: [
    { client_id: 'public', token_endpoint_auth_method: 'none', ...common },
    { client_id: 'basic', client_secret: 'se:cr+et%/~&=', token_endpoint_auth_method: 'client_secret_basic', ...common },
    { client_id: 'post', client_secret: 'secret', token_endpoint_auth_method: 'client_secret_post', ...common },
  ],
  features: { dPoP: { enabled: true, nonceSecret: crypto.randomBytes(32), requireNonce: () => true }, revocation: { enabled: true }, devInteractions: { enabled: false } },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  rotateRefreshToken: () => true,
})
provider.listen(2600)
http.createServer(async (request, response) => {
  try {
    const url = new URL(request.url, 'http://x')
    const client = await provider.Client.find(url.searchParams.get('client'))
    const grant = new provider.Grant({ accountId: 'user-1', clientId: client.clientId })
    grant.addOIDCScope('openid offline_access')
    const token = new provider.RefreshToken({ accountId: 'user-1', client, grantId: await grant.save(), scope: 'openid offline_access', gty: 'authorization_code', authTime: Math.floor(Date.now() / 1000) })
    if (url.searchParams.get('jkt')) token.jkt = url.searchParams.get('jkt')
    response.end(await token.save())
  } catch (error) { response.statusCode = 500; response.end(String(error.stack)) }
}).listen(2601, '127.0.0.1', () => console.error('oidc up'))
