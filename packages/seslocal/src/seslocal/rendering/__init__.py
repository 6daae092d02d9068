"""Templates as SES fills them in: a reader of the Handlebars that SES documents, and what is made of it and of the data."""
