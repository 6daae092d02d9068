// What a program is given on its standard input.
import { readFileSync } from 'node:fs'

export const given = JSON.parse(readFileSync(0, 'utf8'))

// Every byte value, as often as it takes.
export const attachment = (mail) => Buffer.alloc(mail.attachment, Buffer.from([...Array(256).keys()]))

// RFC 2047 for what is not ASCII: SES refuses it otherwise (its guide says to encode it).
const word = (name) => {
  if (/^[ -~]*$/.test(name)) return `"${name}"`
  const words = []
  for (let piece = [...name]; piece.length; piece = piece.slice(10))
    words.push(`=?UTF-8?B?${Buffer.from(piece.slice(0, 10).join('')).toString('base64')}?=`)
  return words.join(' ')
}
export const named = ({ name, address }) => (name ? `${word(name)} <${address}>` : address)
