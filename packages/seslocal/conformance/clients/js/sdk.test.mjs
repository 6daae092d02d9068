// The JavaScript SDK v3: sending, tenants, suppression, and its error classes.
import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import * as ses from '@aws-sdk/client-sesv2'
import { account, admin, client, domain, reset, sent } from './local.mjs'

const sdk = client()
const arn = (resource) => `arn:aws:ses:us-east-1:${account}:${resource}`
const mail = (more = {}) => ({
  FromEmailAddress: `Shop <hello@${domain}>`,
  Destination: { ToAddresses: ['Zoe <zoe@reader.example>'] },
  Content: { Simple: { Subject: { Data: 'Grüße' }, Body: { Text: { Data: 'Hallo' }, Html: { Data: '<p>Hallo</p>' } } } },
  ...more,
})

beforeEach(async () => {
  await reset()
  await sdk.send(new ses.CreateEmailIdentityCommand({ EmailIdentity: domain }))
})

async function tenant(name = 'acme') {
  await sdk.send(new ses.CreateConfigurationSetCommand({ ConfigurationSetName: 'acme' }))
  const made = await sdk.send(new ses.CreateTenantCommand({ TenantName: name, Tags: [{ Key: 'plan', Value: 'pro' }] }))
  for (const resource of [`identity/${domain}`, 'configuration-set/acme']) {
    await sdk.send(new ses.CreateTenantResourceAssociationCommand({ TenantName: name, ResourceArn: arn(resource) }))
  }
  return made
}

test('a simple mail is accepted and in the ledger', async () => {
  const answer = await sdk.send(new ses.SendEmailCommand(mail({ EmailTags: [{ Name: 'kind', Value: 'welcome' }] })))
  const [line] = await sent()
  assert.equal(line.message_id, answer.MessageId)
  assert.deepEqual(line.recipients, ['zoe@reader.example'])
  assert.deepEqual(line.tags.kind, ['welcome'])
})

test('a raw mail is accepted unchanged', async () => {
  const raw = `From: hello@${domain}\r\nTo: zoe@reader.example\r\nSubject: Hi\r\n\r\nHello\r\n`
  const answer = await sdk.send(new ses.SendEmailCommand({ Content: { Raw: { Data: new TextEncoder().encode(raw) } } }))
  const [line] = await sent()
  assert.equal(line.message_id, answer.MessageId)
  assert.deepEqual(line.recipients, ['zoe@reader.example'])
})

test('an inline template is rendered', async () => {
  const template = { TemplateContent: { Subject: 'Hi {{name}}', Text: 'Dear {{name}}' }, TemplateData: '{"name":"Ada"}' }
  const answer = await sdk.send(new ses.SendEmailCommand(mail({ Content: { Template: template } })))
  const whole = await admin('GET', `/sent/${answer.MessageId}`)
  assert.match(JSON.stringify(whole), /Dear Ada/)
})

test('a tenant is created, read, listed, sends, and is deleted', async () => {
  const made = await tenant()
  assert.match(made.TenantArn, /^arn:aws:ses:us-east-1:\d{12}:tenant\/acme\//)
  assert.ok(made.CreatedTimestamp instanceof Date)
  const got = await sdk.send(new ses.GetTenantCommand({ TenantName: 'acme' }))
  assert.equal(got.Tenant.TenantId, made.TenantId)
  assert.equal(got.Tenant.SendingStatus, 'ENABLED')
  const names = []
  for await (const page of ses.paginateListTenants({ client: sdk, pageSize: 1 }, {})) {
    names.push(...page.Tenants.map((one) => one.TenantName))
  }
  assert.deepEqual(names, ['acme'])
  await sdk.send(new ses.SendEmailCommand(mail({ TenantName: 'acme', ConfigurationSetName: 'acme' })))
  assert.equal((await sent())[0].tenant, 'acme')
  for (const resource of [`identity/${domain}`, 'configuration-set/acme']) {
    await sdk.send(new ses.DeleteTenantResourceAssociationCommand({ TenantName: 'acme', ResourceArn: arn(resource) }))
  }
  await sdk.send(new ses.DeleteTenantCommand({ TenantName: 'acme' }))
  await assert.rejects(sdk.send(new ses.GetTenantCommand({ TenantName: 'acme' })), ses.NotFoundException)
})

test('a paused tenant is refused with a MessageRejected that names it', async () => {
  const made = await tenant()
  await sdk.send(
    new ses.UpdateReputationEntityCustomerManagedStatusCommand({
      ReputationEntityType: 'RESOURCE',
      ReputationEntityReference: made.TenantArn,
      SendingStatus: 'DISABLED',
    }),
  )
  await assert.rejects(
    sdk.send(new ses.SendEmailCommand(mail({ TenantName: 'acme', ConfigurationSetName: 'acme' }))),
    (error) => {
      assert.ok(error instanceof ses.MessageRejected)
      assert.equal(error.$metadata.httpStatusCode, 400)
      assert.ok(error.message.includes(made.TenantArn), error.message)
      return true
    },
  )
})

test('suppression lists of account and tenant store, list and delete addresses', async () => {
  await tenant()
  for (const more of [{}, { TenantName: 'acme' }]) {
    const address = { EmailAddress: 'gone+1@reader.example', ...more }
    await sdk.send(new ses.PutSuppressedDestinationCommand({ ...address, Reason: 'BOUNCE' }))
    const got = await sdk.send(new ses.GetSuppressedDestinationCommand(address))
    assert.equal(got.SuppressedDestination.Reason, 'BOUNCE')
    assert.ok(got.SuppressedDestination.LastUpdateTime instanceof Date)
    const listed = await sdk.send(
      new ses.ListSuppressedDestinationsCommand({ ...more, Reasons: ['BOUNCE'], StartDate: new Date(Date.now() - 3600e3) }),
    )
    assert.deepEqual(listed.SuppressedDestinationSummaries.map((one) => one.EmailAddress), ['gone+1@reader.example'])
    await sdk.send(new ses.DeleteSuppressedDestinationCommand(address))
    await assert.rejects(sdk.send(new ses.GetSuppressedDestinationCommand(address)), ses.NotFoundException)
  }
})

test('errors are classes of the SDK', async () => {
  const cases = [
    [new ses.CreateEmailIdentityCommand({ EmailIdentity: domain }), ses.AlreadyExistsException, 400],
    [new ses.GetConfigurationSetCommand({ ConfigurationSetName: 'nowhere' }), ses.NotFoundException, 404],
    [new ses.CreateTenantCommand({ TenantName: 'not a name' }), ses.BadRequestException, 400],
    [new ses.SendEmailCommand(mail({ FromEmailAddress: 'who@unknown.example' })), ses.MessageRejected, 400],
  ]
  for (const [command, kind, status] of cases) {
    await assert.rejects(sdk.send(command), (error) => {
      assert.ok(error instanceof kind, `${error.name} (${error.message}) is no ${kind.name}`)
      assert.ok(error instanceof ses.SESv2ServiceException)
      assert.equal(error.$metadata.httpStatusCode, status)
      assert.ok(error.message.length > 0)
      assert.ok(error.$metadata.requestId)
      return true
    })
  }
  await sdk.send(new ses.PutAccountSendingAttributesCommand({ SendingEnabled: false }))
  await assert.rejects(sdk.send(new ses.SendEmailCommand(mail())), ses.SendingPausedException)
})

test('throttling and server errors differ, and retries succeed after a temporary fault', async () => {
  await admin('POST', '/faults', { fault: 'throttle', count: 1 })
  await assert.rejects(sdk.send(new ses.SendEmailCommand(mail())), ses.TooManyRequestsException)
  await admin('POST', '/faults', { fault: 'error_503', count: 1 })
  await assert.rejects(sdk.send(new ses.SendEmailCommand(mail())), (error) => error.$metadata.httpStatusCode === 503)
  await admin('POST', '/faults', { fault: 'throttle', count: 1 })
  const patient = client(3)
  await patient.send(new ses.SendEmailCommand(mail()))
  assert.equal((await sent()).length, 1)
})

test('a wrong clock is refused, and the SDK corrects it by the Date header', async () => {
  await admin('POST', '/faults', { fault: 'clock_skew', seconds: 600 })
  await assert.rejects(client(1).send(new ses.GetAccountCommand()), { name: 'InvalidSignatureException' })
  const patient = client(3)
  assert.equal((await patient.send(new ses.GetAccountCommand())).$metadata.attempts, 2)
  assert.equal((await patient.send(new ses.GetAccountCommand())).$metadata.attempts, 1)
})
