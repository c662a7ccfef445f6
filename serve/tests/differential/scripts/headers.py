"""Returns the request's headers as the script is given them."""
# mypy: ignore-errors


def init():
    pass


def run(request_headers, data):
    kinds = sorted({type(value).__name__ for value in request_headers.values()})
    return [type(request_headers).__name__, kinds, sorted(request_headers.items()), data]
