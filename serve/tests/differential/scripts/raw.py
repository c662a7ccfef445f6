"""Tells what it sees of Flask's request; the query's `look` says in which order it is read."""
# mypy: ignore-errors

import hashlib

import flask
from azureml_inference_server_http.api.aml_request import AMLRequest, rawhttp
from azureml_inference_server_http.api.aml_response import AMLResponse


def digest(data):
    return [len(data), hashlib.sha256(data).hexdigest()[:16], repr(data[:60])]


def part(name, file):
    content = file.read()
    return [name, file.filename, file.content_type, file.mimetype, digest(content)]


LOOKS = {
    "data": lambda r: digest(r.data),
    "get_data": lambda r: digest(r.get_data()),
    "get_text": lambda r: r.get_data(as_text=True),
    "stream": lambda r: digest(r.stream.read()),
    "json": lambda r: r.json,
    "get_json": lambda r: r.get_json(),
    "get_json_force": lambda r: r.get_json(force=True),
    "get_json_silent": lambda r: r.get_json(silent=True),
    "is_json": lambda r: r.is_json,
    "form": lambda r: list(r.form.items(multi=True)),
    "files": lambda r: [part(n, f) for n, f in r.files.items(multi=True)],
    "values": lambda r: sorted(r.values.items(multi=True)),
    "args": lambda r: list(r.args.items(multi=True)),
    "cookies": lambda r: sorted(r.cookies.items(multi=True)),
    "headers": lambda r: sorted(r.headers.items()),
    "one_header": lambda r: [r.headers.get("x-one"), r.headers["X-One"], "X-ONE" in r.headers],
    "line": lambda r: [r.method, r.path, r.full_path, r.query_string.decode("latin-1")],
    "urls": lambda r: [r.url, r.base_url, r.host, r.host_url, r.root_path, r.scheme, r.is_secure],
    "type": lambda r: [r.content_type, r.mimetype, r.mimetype_params, r.content_encoding],
    "length": lambda r: r.content_length,
    "accept": lambda r: [
        str(r.accept_mimetypes),
        r.accept_mimetypes.best,
        list(r.accept_languages),
    ],
    "auth": lambda r: [str(r.authorization), r.authorization and r.authorization.username],
    "agent": lambda r: [r.user_agent.string, r.referrer, r.origin],
    "etag": lambda r: [str(r.if_none_match), str(r.range), str(r.cache_control)],
    "client": lambda r: [r.remote_addr, r.access_route],
    "environ": lambda r: [
        r.environ[k] for k in ("REQUEST_METHOD", "PATH_INFO", "QUERY_STRING", "SERVER_PROTOCOL")
    ],
    "kind": lambda r: [type(r).__name__, isinstance(r, AMLRequest), isinstance(r, flask.Request)],
    "same": lambda r: [
        flask.request.method,
        flask.request.args.get("x"),
        flask.has_request_context(),
    ],
    "loaded": lambda r: [r.max_content_length, r.want_form_data_parsed],
    "multidict": lambda r: [r.args.getlist("a"), r.args.to_dict(), r.form.to_dict(flat=False)],
    "saved": lambda r: saved(r),
    "abort": lambda r: flask.abort(404),
    "jsonify": lambda r: flask.jsonify(a=1, b=[r.method]),
    "make_response": lambda r: flask.make_response("made", 201, {"X-Made": "1"}),
}


def saved(request):
    path = "saved.bin"
    request.files["file"].save(path)
    with open(path, "rb") as file:
        return digest(file.read())


def look(request, name):
    try:
        return LOOKS[name](request)
    except Exception as error:
        return [type(error).__name__, getattr(error, "code", None)]


def init():
    pass


@rawhttp
def run(request):
    names = request.args.get("look", "data").split(" ")
    if names == ["plain"]:
        return {"method": request.method}
    if names[0] in ("abort", "jsonify", "make_response"):
        return LOOKS[names[0]](request)
    return AMLResponse([[name, look(request, name)] for name in names], 200, json_str=True)
