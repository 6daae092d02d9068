// nodemailer's SES transport, on the SDK v3.
import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import { CreateEmailIdentityCommand, CreateConfigurationSetCommand, SendEmailCommand } from '@aws-sdk/client-sesv2'
import nodemailer from 'nodemailer'
import { admin, client, domain, reset, sent } from './local.mjs'

const sesClient = client()
const transport = nodemailer.createTransport({ SES: { sesClient, SendEmailCommand } })

beforeEach(async () => {
  await reset()
  await sesClient.send(new CreateEmailIdentityCommand({ EmailIdentity: domain }))
})

test('the connection check succeeds', async () => {
  assert.equal(await transport.verify(), true)
})

test('a mail with text, HTML and attachment arrives at every recipient', async () => {
  const info = await transport.sendMail({
    from: `Grüße <hello@${domain}>`,
    to: 'Zoë <zoe@reader.example>',
    cc: 'c@reader.example',
    bcc: 'b@reader.example',
    subject: 'Grüße',
    text: 'Hallo',
    html: '<p>Hallo</p>',
    attachments: [{ filename: 'list.csv', content: 'a,b\n' }],
  })
  const [line] = await sent()
  assert.equal(line.message_id, info.response)
  assert.equal(info.messageId, `<${line.message_id}@email.amazonses.com>`)
  assert.deepEqual([...line.recipients].sort(), ['b@reader.example', 'c@reader.example', 'zoe@reader.example'])
})

test('SES options are passed through', async () => {
  await sesClient.send(new CreateConfigurationSetCommand({ ConfigurationSetName: 'shop' }))
  await transport.sendMail({
    from: `hello@${domain}`,
    to: 'zoe@reader.example',
    subject: 'Hi',
    text: 'Hi',
    ses: { ConfigurationSetName: 'shop', EmailTags: [{ Name: 'kind', Value: 'welcome' }] },
  })
  const [line] = await sent()
  assert.equal(line.configuration_set, 'shop')
  assert.deepEqual((await admin('GET', `/sent/${line.message_id}`)).tags.kind, ['welcome'])
})

test('a refused mail is an error with the reason from SES', async () => {
  const refused = transport.sendMail({ from: 'who@unknown.example', to: 'zoe@reader.example', subject: 'Hi', text: 'Hi' })
  await assert.rejects(refused, (error) => error.name === 'MessageRejected' && /not verified/.test(error.message))
  assert.deepEqual(await sent(), [])
})
