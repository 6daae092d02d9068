"""Templates for mail: what is wrong with one, and why one could not be rendered (docs/templates.md)."""

from collections.abc import Sequence

from mailcordon.messages.catalogue import example


@example()
def bad_name() -> str:
    """The name of a template has characters that it cannot have."""
    return "a template's name has 1 to 64 letters, digits, dots, dashes and underscores, and begins with a letter or a digit"


@example(1000)
def bad_version(most: int) -> str:
    """A message names a version that cannot exist."""
    return f"a version is a number from 1 to {most}, as in receipt@3"


@example(("jinja", "ses"))
def bad_dialect(known: Sequence[str]) -> str:
    """A template's language is not known."""
    return f"the dialect is one of {', '.join(known)}"


@example()
def no_subject() -> str:
    """A template has no subject."""
    return "a template has a subject"


@example()
def no_content() -> str:
    """A template has neither text nor HTML."""
    return "a template has text, html or mjml"


@example()
def html_and_mjml() -> str:
    """A template has HTML and MJML."""
    return "MJML becomes the HTML: leave out html or mjml"


@example()
def only_in_jinja() -> str:
    """A template in SES's language has what only our own has."""
    return "only a template of the dialect jinja has this"


@example(20)
def too_many_parts(most: int) -> str:
    """A template has too many parts to include."""
    return f"a template has at most {most} parts"


@example()
def bad_part_name() -> str:
    """A part to include has a name that it cannot have."""
    return (
        "a part has a name such as footer.html or footer.txt: lower-case letters, digits, dashes and underscores, and not one of"
        " subject.txt, text.txt and html.html, which are the template's own"
    )


@example()
def has_nul() -> str:
    """A template contains a NUL character."""
    return "a template cannot contain a NUL character"


@example(512_000)
def source_too_large(most: int) -> str:
    """A template is too large."""
    return f"the sources of a template have at most {most:,} bytes together"


@example(262_144)
def data_too_large(most: int) -> str:
    """The data for a template is too large."""
    return f"the data of a template has at most {most:,} bytes of JSON; put what is large into an attachment or behind a link"


@example()
def data_no_object() -> str:
    """The data for a template is no JSON object."""
    return 'the data of a template is an object, as in {"name": "Kim"}'


@example("receipt@3", "html", 12, "`user.name` is undefined", "user.name")
@example("receipt@3", "html", 12, "unknown filter: filter center is unknown", None)
@example("receipt@3", "mjml", None, "unexpected element in root template at position 6:13", None)
@example("receipt@3", None, None, "it took more than 1 s of computing time and was stopped", None)
def failed(label: str, part: str | None, line: int | None, problem: str, variable: str | None) -> str:
    """A template cannot be rendered, or is refused: which version, where, and why. Nothing was sent."""
    place = "" if part is None else f", {part}" if line is None else f", {part}, line {line}"
    about = f" (at {variable})" if variable is not None and variable not in problem else ""
    return f"template {label}{place}: {problem}{about}"


@example("user.name")
def variable_missing(name: str) -> str:
    """The data has no value that a template needs."""
    return f"{name} is not in the data"


@example(200_000)
def too_many_steps(most: int) -> str:
    """A template takes too much work."""
    return f"it takes more than {most:,} steps; loop over less, or send less data"


@example(0.5)
def took_too_long(seconds: float) -> str:
    """A template took more computing time than one may, and was stopped."""
    return f"it took more than {seconds:g} s of computing time and was stopped; loop over less, or send less data"


@example(256)
def needs_too_much_memory(most: int) -> str:
    """A template needed more memory than one may, or crashed the process that renders it."""
    return (
        f"it crashed, or needed more than {most} MB of memory, and was stopped; send less data, and nest less"
    )


@example(1_048_576)
def output_too_long(most: int) -> str:
    """A rendered mail is longer than one may be."""
    return f"subject, text and HTML are longer than {most:,} characters together"


@example()
def subject_has_line_break() -> str:
    """A rendered subject contains a line break, by which data could add headers."""
    return "the rendered subject contains a line break or another control character; clean the data that goes into it"


@example()
def came_out_empty() -> str:
    """A rendered subject or body is empty."""
    return "it came out empty"


@example()
def mjml_includes() -> str:
    """A template in MJML includes a file."""
    return "mj-include is not available: nothing is read from a disk or the network; write the template in one piece"


@example("user.name")
@example(None)
def prints_null(name: str | None) -> str:
    """A template prints a value that is null in the data."""
    what = "it prints a null" if name is None else f"{name} is null in the data"
    return f'{what}; ask for it first, as in {{% if name %}}, or give a default, as in {{{{ name or "customer" }}}}'


@example(1_048_576)
def mjml_too_long(most: int) -> str:
    """MJML becomes more HTML than a message may have."""
    return f"it becomes more than {most:,} characters of HTML"


@example("if")
def block_not_closed(name: str) -> str:
    """A block of a template in SES's language is not closed."""
    return f"{{{{#{name}}}}} is not closed"


@example("/each", "if")
@example("/each", None)
def block_closed_wrongly(found: str, expected: str | None) -> str:
    """A closing tag or an else of a template in SES's language stands where it cannot."""
    if expected is None:
        return f"{{{{{found}}}}} stands where no block is open"
    return f"{{{{{found}}}}} stands where {{{{/{expected}}}}} was expected"


@example("{{name")
def tag_not_closed(begin: str) -> str:
    """A tag of a template in SES's language is not closed."""
    return f"the tag {begin} is not closed"


@example("a b=")
def tag_unclear(inner: str) -> str:
    """A tag of a template in SES's language cannot be read."""
    return f"the tag {{{{{inner}}}}} is not understood; there are values, if, unless, each, with, lookup and inline partials"


@example(64)
def nested_too_deep(most: int) -> str:
    """Blocks of a template are too deep inside each other."""
    return f"more than {most} blocks or values are inside each other"


@example("footer")
def no_partial(name: str) -> str:
    """A template in SES's language uses a partial that it does not define."""
    return f'the partial {name} is not defined in this part; define it by {{{{#* inline "{name}"}}}}'


@example("receipt", "acme")
@example("receipt@9", None)
def unknown(reference: str, tenant: str | None) -> str:
    """A message or a command names a template that does not exist."""
    whose = (
        "the platform has no template"
        if tenant is None
        else f"neither {tenant} nor the platform has a template"
    )
    return f"{whose} {reference}, or it is retired"


@example()
def too_many_wait() -> str:
    """A tenant has too many messages waiting that are made from templates (429)."""
    return "too many messages of yours wait for their template to be rendered; send more slowly"


@example()
def nothing_renders() -> str:
    """Templates cannot be rendered at the moment: too many messages wait, or the process that renders ended (503)."""
    return "templates cannot be rendered at the moment; try again in a second. Nothing was accepted"


@example("x7ab2k9m")
def key_is_narrow(prefix: str) -> str:
    """A key that may send some message types only tries to change a template, which mail of other types may use."""
    return f"the key {prefix} may send some message types only, and a template may be used by others; use a key without types"


@example(1000)
def too_many_versions(most: int) -> str:
    """A template has as many versions as it may have."""
    return f"a template has at most {most:,} versions; store it under another name"


@example(1000)
def too_many_templates(most: int) -> str:
    """A tenant, or the platform, has as many templates as it may have."""
    return (
        f"one owner has at most {most:,} templates, retired ones included; store a new version of one of them"
    )


@example(104_857_600)
def too_much_kept(most: int) -> str:
    """The templates of a tenant, or of the platform, are as large as they may be."""
    return f"all versions of all templates of one owner have at most {most:,} bytes together"


@example()
def handed_in() -> str:
    """The name, in a sentence about it, of a template that came with the message itself."""
    return "of this message"


@example()
def no_renderer() -> str:
    """A door that renders no templates is handed a message with one."""
    return "this door takes no template; hand in subject, text and html"


@example()
def version_or_sources() -> str:
    """A preview names a version and has sources of its own."""
    return "a preview is of a version or of sources, not of both"


@example()
def not_beside_template() -> str:
    """A message has a template and content of its own."""
    return "the template makes it; leave it out, or leave out template"


@example()
def data_without_template() -> str:
    """A message has data and no template."""
    return "data is for a template; name one"


# The command line -------------------------------------------------------------------------------------------------------


def _of(owner: str | None) -> str:
    return "of the platform" if owner is None else f"of {owner}"


@example("receipt", 3, "acme")
@example("receipt", 1, None)
def stored(name: str, version: int, owner: str | None) -> str:
    """A version was stored."""
    return f"Stored {name}@{version} {_of(owner)}; a message that names {name} is made with it from now on"


@example("receipt", 3, "acme")
def unchanged(name: str, version: int, owner: str | None) -> str:
    """What was to be stored is the newest version already."""
    return f"{name}@{version} {_of(owner)} has these sources already; nothing was stored"


@example("receipt", "acme")
def retired(name: str, owner: str | None) -> str:
    """A template was retired."""
    return f"Retired {name} {_of(owner)}: no message can name it any more; `mailcordon template put` brings it back"


@example()
def no_difference() -> str:
    """Two versions have the same sources."""
    return "No difference"


@example("receipt")
def first_version(name: str) -> str:
    """There is no version before the one that is to be compared."""
    return f"{name} has one version only; compare it with a folder"


@example("templates/receipt", "No such file or directory")
def folder_unreadable(folder: str, why: str) -> str:
    """A folder with a template, or a file with data, cannot be read."""
    return f"cannot read {folder}: {why}"


@example()
def not_utf8() -> str:
    """A file of a template is not UTF-8."""
    return "a file is not UTF-8"


@example("templates/receipt")
def folder_without_subject(folder: str) -> str:
    """A folder has no template."""
    return f"{folder} has no subject.txt; a template has subject.txt and one of text.txt, html.html and html.mjml"


@example("receipt.html", "Permission denied")
def file_unwritable(file: str, why: str) -> str:
    """A preview cannot be written."""
    return f"cannot write {file}: {why}"


@example("order.json", "Expecting value: line 1 column 1 (char 0)")
def data_not_json(file: str, why: str) -> str:
    """The data for a preview is no JSON."""
    return f"{file} is not JSON: {why}"


@example("name")
def bad_value(pair: str) -> str:
    """A value on the command line has no name."""
    return f"--set takes NAME=VALUE, not {pair}"
