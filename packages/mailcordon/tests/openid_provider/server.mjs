// A real OpenID provider on a free port of this machine, told by tests what it says of whom. Prints its issuer once it listens.
import http from 'node:http'
import { generateKeyPairSync } from 'node:crypto'
import Provider from 'oidc-provider'

const { redirect } = JSON.parse(process.argv[2])
let people = {} // claims by subject
const key = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' })

const server = http.createServer()
await new Promise((done) => server.listen(0, '127.0.0.1', done))
const issuer = `http://127.0.0.1:${server.address().port}`

const client = (id, more) => ({
  client_id: id,
  redirect_uris: [redirect],
  post_logout_redirect_uris: [redirect.replace('/oidc/callback', '')],
  response_types: ['code'],
  grant_types: ['authorization_code'],
  ...more
})
const provider = new Provider(issuer, {
  clients: [
    client('dashboard', { client_secret: 'a secret: with % and +', token_endpoint_auth_method: 'client_secret_basic' }),
    client('public', { token_endpoint_auth_method: 'none' }),
    client('other', { client_secret: 'other-secret' })
  ],
  clientBasedCORS: () => false,
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'], groups: ['groups'] },
  cookies: { keys: ['test'] },
  jwks: { keys: [{ ...key, use: 'sig', alg: 'RS256', kid: 'first' }] },
  pkce: { required: () => true },
  features: { devInteractions: { enabled: false }, userinfo: { enabled: true } },
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, ...people[id] }) }),
  loadExistingGrant: async (ctx) => {
    const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId })
    grant.addOIDCScope('openid email profile groups')
    await grant.save()
    return grant
  }
})
provider.on('server_error', (_, error) => console.error(error))

const serve = provider.callback()
server.on('request', async (request, response) => {
  // What a test sets, beside the protocol: who there is.
  if (request.method === 'PUT' && request.url === '/people') {
    let body = ''
    for await (const chunk of request) body += chunk
    people = JSON.parse(body)
    return response.end()
  }
  // Whom the browser's header names signs in without asking.
  if (request.url.startsWith('/interaction/')) {
    const login = request.headers['x-person']
    const result = login ? { login: { accountId: login } } : { error: 'access_denied', error_description: '<b>no</b>' }
    return provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false })
  }
  return serve(request, response)
})
console.log(issuer)
process.stdin.resume().on('end', () => process.exit()) // it ends with the test's process
