"""The world behind SES: mailbox providers with opinions about senders, and people who read mail. Pure: no HTTP, no words of SES,
no clock of its own; times are passed in, in seconds since the epoch.

`World.attempt(envelope, number, at)` is one delivery attempt and returns what the receiving host says. `World.react` returns what
the recipient does with an accepted mail, and `World.happened` tells the providers that it was done.

Everything random is a keyed hash of the seed, the sender's own key of the mail, the recipient and the attempt. Opinions are read
as of the start of a minute and updated at its end by sums of whole numbers. So the order of calls within a minute changes
nothing."""
