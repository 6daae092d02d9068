"""SES's template language, a subset of Handlebars: scanner, parser and renderer."""
