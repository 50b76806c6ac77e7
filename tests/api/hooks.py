"""What JSON Schema cannot say about the bodies of requests."""

import schemathesis


def written(value):
    """Writes whole numbers without a fraction, as docs/PROTOCOL.md requires (chapter 2)."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {name: written(member) for name, member in value.items()}
    if isinstance(value, list):
        return [written(item) for item in value]
    return value


@schemathesis.hook
def map_body(context, body):
    return written(body)
