// The local SES that `./dev conformance` started, and clients for it.
import { SESv2Client } from '@aws-sdk/client-sesv2'

export const url = process.env.SESLOCAL_URL
export const domain = 'shop.example'
export const account = '123456789012'

export const client = (maxAttempts = 1) =>
  new SESv2Client({
    endpoint: url,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    maxAttempts,
  })

export async function admin(method, path, body) {
  const answer = await fetch(`${url}/_seslocal${path}`, {
    method,
    body: body && JSON.stringify(body),
    headers: body && { 'content-type': 'application/json' },
  })
  if (!answer.ok) throw new Error(`${path} answered ${answer.status}: ${await answer.text()}`)
  return answer.json()
}

export const reset = () => admin('POST', '/reset')
export const sent = async () => (await admin('GET', '/sent')).sent
