"""What is wrong with a document of tenants: as a file, or as the body of a request."""

from mailcordon.messages import example, phrases

# As a file --------------------------------------------------------------------------------------------------------------


@example(file="tenants.yaml", why="No such file or directory")
def file_not_readable(*, file: str, why: str) -> str:
    """A file of tenants cannot be opened or read. Exit code 2."""
    return f"Cannot read {file}: {why}."


@example(file="tenants.yaml", most=32)
def file_too_large(*, file: str, most: int) -> str:
    """A file of tenants is larger than any that a server takes. Exit code 2."""
    return f"{file} is larger than {most} MB. Split it: what a file does not name is left alone."


@example(file="tenants.yaml")
def file_not_utf8(*, file: str) -> str:
    """A file of tenants is not text. Exit code 2."""
    return f"{file} is not UTF-8 text."


@example(file="tenants.yaml", line=7, why="mapping values are not allowed here")
def file_not_yaml(*, file: str, line: int, why: str) -> str:
    """A file of tenants is not YAML. Exit code 2."""
    return f"{file}:{line}: not YAML: {why.rstrip('.') or 'it cannot be read'}."


@example(file="tenants.yaml", line=7)
def file_too_deep(*, file: str, line: int) -> str:
    """A file of tenants has more levels than a document of tenants has. Exit code 2."""
    return f"{file}:{line}: too many levels."


@example(file="tenants.yaml")
def file_empty(*, file: str) -> str:
    """A file of tenants has nothing in it. Exit code 2."""
    return f"{file} is empty. `mailcordon export` writes one that describes what is there."


@example(file="tenants.yaml", line=7)
def file_has_alias(*, file: str, line: int) -> str:
    """A file of tenants uses an anchor of YAML. Exit code 2."""
    return f"{file}:{line}: anchors and aliases are not read. Write the value out."


@example(file="tenants.yaml", line=7, tag="!secret")
def file_has_tag(*, file: str, line: int, tag: str) -> str:
    """A value of a file of tenants has a type of YAML that a document cannot have. Exit code 2."""
    return f"{file}:{line}: values of the type {tag.rpartition(':')[2]} are not read. Put quotes around text."


@example(file="tenants.yaml", line=7)
def file_has_odd_key(*, file: str, line: int) -> str:
    """A name in a file of tenants is no text, or merges another mapping. Exit code 2."""
    return f"{file}:{line}: a name must be text, and merge keys are not read."


@example(file="tenants.yaml", line=7, name="acme", first=3)
def file_has_key_twice(*, file: str, line: int, name: str, first: int) -> str:
    """A name stands twice in one mapping of a file of tenants. Exit code 2."""
    return f"{file}:{line}: {name} stands here again; line {first} has it too."


@example(file="tenants.yaml", faults="2 faults")
def file_refused(*, file: str, faults: str) -> str:
    """A file of tenants has faults; a line for each follows, with the line of the file. Exit code 2, or 1 from the server."""
    return f"{file} has {faults}; nothing was changed:"


@example()
def export_needs_file() -> str:
    """`mailcordon audit export` with --json, and without a file: the export itself would be on the same output."""
    return "--json needs --file: without it the export itself goes to standard output"


# Its content ------------------------------------------------------------------------------------------------------------


@example(version=1)
def unknown_document_version(version: int) -> str:
    """A document of tenants names another version of its format."""
    return f"this server reads version {version}."


@example(most=20000)
def too_many_tenants_in_document(most: int) -> str:
    """A document has more tenants than one may have."""
    return f"a document has at most {most:,} tenants. Split it: what a document does not name is left alone."


@example()
def not_a_mapping() -> str:
    """A member of a document has names and values under it, and something else was given."""
    return "needs names with values under it."


@example()
def lane_needs_domain() -> str:
    """A type of a tenant has neither a domain nor a mapping as its value."""
    return "needs the domain that its mail comes from, such as mail.acme.example."


@example()
def not_text() -> str:
    """A member of a document must be text."""
    return "must be text."


@example()
def not_true_or_false() -> str:
    """A member of a document must be true or false."""
    return "must be true or false."


@example(domain="acme.example")
def domain_written_twice(domain: str) -> str:
    """A document has one domain in two spellings."""
    return f"{domain} stands here twice, in two spellings."


@example(names=["types", "domains"])
def unknown_member(names: list[str]) -> str:
    """A document has a member that its format does not know."""
    return f"is not known here. Known are {phrases.listed(names)}."
