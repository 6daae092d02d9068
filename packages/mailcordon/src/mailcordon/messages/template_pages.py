"""What the dashboard says of templates for mail, beside the API's own sentences."""

from mailcordon.messages.catalogue import example


@example()
def templates_are() -> str:
    """Above a list of templates."""
    return "A message names a template and brings its data. A tenant's own stands before one of the platform with the same name."


@example()
def retired_template() -> str:
    """The sentence on top of the page of a template."""
    return "It is retired: no message can name it. A new version brings it back."


@example("acme")
def platforms_template(tenant: str) -> str:
    """A tenant's page of a template that the platform has."""
    return f"It is the platform's, and {tenant} uses it as long as it has none of its own with this name."


@example("acme")
@example(None)
def new_template(tenant: str | None) -> str:
    """The form of a new template."""
    used = f"messages of {tenant}" if tenant else "every tenant's messages"
    return f"It can be named by {used} from the moment that it is stored."


@example("receipt")
def name_is_taken(name: str) -> str:
    """The form of a new template, beside its name."""
    return f"There is a template {name} already. Store a version of it on its page."


@example(3)
def stores_version(latest: int) -> str:
    """The form that stores a version of a template."""
    return (
        f"Version {latest} stays as it is. Messages that name no version are made with the new one from the moment that it is"
        " stored, so preview it with data first."
    )


@example(2, 3)
def older_sources(version: int, latest: int) -> str:
    """The form that stores a version of a template, if it begins with an older one."""
    return f"The sources below are those of version {version}; the newest version is {latest}."


@example("receipt", "acme")
def makes_own(name: str, tenant: str) -> str:
    """The form that makes a tenant's own template from one of the platform."""
    return f"Messages of {tenant} that name {name} are made with this one from then on. The platform's stays for the others."


@example(3)
def same_sources(version: int) -> str:
    """Above the form that stores a version of a template, which was sent as it was."""
    return f"Nothing was stored: version {version} has these sources already."


@example()
def previews_template() -> str:
    """The form that previews a template."""
    return "The mail is made as for a message with this data. Nothing is sent, and nothing is stored."


@example()
def nothing_runs() -> str:
    """Above the HTML that a template makes."""
    return "Scripts, forms and links in it do nothing here, and pictures from elsewhere are not loaded."


@example("JSON is malformed: invalid character (byte 8)")
def no_json(problem: str) -> str:
    """Beside the data of a preview."""
    return f"This is no JSON: {problem}."


@example()
def no_json_object() -> str:
    """Beside the data of a preview."""
    return 'This is no JSON object. Write one, such as `{"name": "Kim"}`.'


@example("receipt", "acme")
@example("receipt", None)
def retires_template(name: str, tenant: str | None) -> str:
    """The preview of retiring a template."""
    if tenant is None:
        left = "A message that names it is refused, unless its tenant has one of its own with this name."
    else:
        left = f"A message of {tenant} that names it is made with the platform's of this name, or refused if there is none."
    return f"{left} Its versions are kept, and a new one brings it back."
