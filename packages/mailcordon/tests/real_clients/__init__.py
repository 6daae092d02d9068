"""Other people's mail clients, unchanged, in front of our doors.

Each program sends the same mails twice: to the local SES (or, by SMTP, to a server that keeps what it gets), and through
Mailcordon. What arrives at SES in the end must be what the client meant: `comparing.py` compares the two part by part.
`./dev conformance doors` runs all of them, the suite those that need nothing installed.
"""
