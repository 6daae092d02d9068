// nodemailer, by its SES transport if it is given SES, else by SMTP.
import { readFileSync } from 'node:fs'
import nodemailer from 'nodemailer'
import { attachment, given } from './given.mjs'

const { ses, smtp, mails } = given
let transport
if (ses) {
  const { SESv2Client, SendEmailCommand } = await import('@aws-sdk/client-sesv2')
  const sesClient = new SESv2Client({
    endpoint: ses.endpoint,
    region: ses.region,
    credentials: { accessKeyId: ses.key, secretAccessKey: ses.secret },
  })
  transport = nodemailer.createTransport({ SES: { sesClient, SendEmailCommand } })
} else {
  transport = nodemailer.createTransport({
    host: smtp.host,
    port: smtp.port,
    auth: { user: smtp.username, pass: smtp.password },
    ...(smtp.ca && { tls: { ca: readFileSync(smtp.ca), servername: 'localhost' } }),
  })
}

for (const mail of mails)
  await transport.sendMail({
    from: { name: mail.sender, address: mail.from },
    to: mail.to,
    cc: mail.cc,
    bcc: mail.bcc,
    subject: mail.subject,
    text: mail.text,
    ...(mail.html && { html: mail.html }),
    ...(mail.references.length && { references: mail.references }),
    attachments: [
      ...(mail.inline
        ? [{ filename: 'pixel.png', content: Buffer.from(mail.pixel, 'base64'), cid: mail.inline }]
        : []),
      ...(mail.attachment ? [{ filename: 'Rechnung März.pdf', content: attachment(mail) }] : []),
    ],
  })
transport.close()
