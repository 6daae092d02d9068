// The AWS SDK for JavaScript v3: SES makes the MIME message (Simple).
import { SESv2Client, SendEmailCommand } from '@aws-sdk/client-sesv2'
import { attachment, given, named } from './given.mjs'

const { ses, mails } = given
const client = new SESv2Client({
  endpoint: ses.endpoint,
  region: ses.region,
  credentials: { accessKeyId: ses.key, secretAccessKey: ses.secret },
})

const text = (data) => ({ Data: data, Charset: 'UTF-8' })
for (const mail of mails) {
  const attachments = []
  if (mail.inline)
    attachments.push({
      RawContent: Buffer.from(mail.pixel, 'base64'),
      FileName: 'pixel.png',
      ContentType: 'image/png',
      ContentId: mail.inline,
      ContentDisposition: 'INLINE',
      ContentTransferEncoding: 'BASE64',
    })
  if (mail.attachment)
    attachments.push({
      RawContent: attachment(mail),
      FileName: 'Rechnung.pdf',
      ContentType: 'application/pdf',
      ContentTransferEncoding: 'BASE64',
    })
  const answer = await client.send(
    new SendEmailCommand({
      FromEmailAddress: named({ name: mail.sender, address: mail.from }),
      Destination: {
        ToAddresses: mail.to.map(named),
        CcAddresses: mail.cc.map(named),
        BccAddresses: mail.bcc.map(named),
      },
      Content: {
        Simple: {
          Subject: text(mail.subject),
          Body: { Text: text(mail.text), ...(mail.html && { Html: text(mail.html) }) },
          ...(mail.references.length && {
            Headers: [{ Name: 'References', Value: mail.references.slice(0, 15).join(' ') }],
          }),
          ...(attachments.length && { Attachments: attachments }),
        },
      },
    }),
  )
  if (!answer.MessageId) throw new Error('there is no MessageId')
}
