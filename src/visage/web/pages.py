"""The page for people: its places, its files, and its errors in plain words. What it shows it asks of /v1."""

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

from flask import Response, g, redirect, render_template, request
from flask_openapi3.openapi import OpenAPI
from jinja2 import PackageLoader
from werkzeug.wrappers import Response as AnyResponse

from visage.core.errors import VisageError
from visage.core.service.keyring import Role
from visage.web.asking import Service
from visage.web.page import Assets
from visage.web.problems import Problem

# Of every HTML answer. Pictures and videos that were dropped on the page are shown from blob: addresses.
POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "media-src 'self' blob:",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]
)
_FOREVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Place:
    name: str
    title: str
    path: str
    icon: str


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who looks at a page; role: empty where nobody is logged in. keys: whether one has to log in."""

    name: str
    role: str
    keys: bool


PLACES = (
    Place("recognize", "Recognize", "/", "face"),
    Place("people", "People", "/people", "people"),
    Place("unknown", "Unknown", "/unknown", "unknown"),
    Place("jobs", "Jobs", "/jobs", "jobs"),
    Place("system", "System", "/system", "system"),
)

# The least role of each page, by its endpoint; they are among the ROLES of the application. The front door is not: what
# is no browser gets words there without a key.
PAGE_ROLES = {
    "page_people": Role.READ,
    "page_person": Role.READ,
    "page_unknown": Role.READ,
    "page_jobs": Role.READ,
    "page_system": Role.READ,
    "page_docs": Role.READ,
}


def add_pages(app: OpenAPI, service: Service) -> None:
    """All of it but the front door, which `front_door` makes."""
    assets = Assets()
    app.jinja_loader = PackageLoader("visage.web.page")
    app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True}
    app.jinja_env.globals.update(static=assets.address, icon=assets.icon, places=PLACES)

    @app.context_processor
    def shell() -> dict[str, object]:
        return {
            "visitor": _visitor(service),
            "here": "",
            "collection": service.collection,
            "max_upload": service.max_upload,
        }

    def page(name: str, template: str, path: str) -> None:
        def view(**_parts: str) -> Response:
            return html(template, here=name if name != "person" else "people")

        app.add_url_rule(path, f"page_{name}", view)

    page("people", "people.html", "/people")
    page("person", "person.html", "/people/<id>")
    page("unknown", "unknown.html", "/unknown")
    page("jobs", "jobs.html", "/jobs")
    page("system", "system.html", "/system")
    page("docs", "docs.html", "/docs")

    def login() -> AnyResponse:
        if not service.access.wants_keys():
            return redirect("/")
        return html("login.html", next=safe_next(request.args.get("next", "")))

    app.add_url_rule("/login", "page_login", login)
    _add_files(app, assets)


def _add_files(app: OpenAPI, assets: Assets) -> None:
    """What the pages load, from addresses that change with it."""

    def static(stamp: str, name: str) -> Response:
        asset = assets.get(name)
        if asset is None:
            raise Problem(404, "there is no such file")
        zipped = request.accept_encodings["gzip"] > 0 and len(asset.zipped) < len(asset.data)
        response = Response(asset.zipped if zipped else asset.data, content_type=asset.content_type)
        # A page of before an update may ask for the files of then; it gets those of now, but not to keep.
        response.headers["Cache-Control"] = _FOREVER if stamp == assets.stamp else "no-cache"
        response.headers["Vary"] = "Accept-Encoding"
        if zipped:
            response.headers["Content-Encoding"] = "gzip"
        return response

    app.add_url_rule("/static/<stamp>/<name>", "page_static", static)


def front_door(service: Service, words: Callable[[], Response]) -> Response:
    """What `GET /` answers: the page to a browser, `words` to everything else."""
    if wants_html():
        g.account = service.access.admit(request, Role.READ)
        response = html("recognize.html", here="recognize", rate=service.stranger_rate)
    else:
        response = words()
    response.headers["Vary"] = "Accept"
    return response


def html(template: str, code: int = 200, **values: object) -> Response:
    response = Response(render_template(template, **values), code, content_type="text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = POLICY
    return response


def _visitor(service: Service) -> Visitor:
    """For the corner of every page: who looks at it. A page that says what is wrong is shown to everybody."""
    try:
        keys = service.access.wants_keys()
        account = service.access.visitor(request)
    except (Problem, VisageError):
        keys, account = True, None
    if account is None:
        return Visitor("", "", keys)
    return Visitor(account.name, account.role.value, keys)


def wants_html() -> bool:
    """Whether a browser asks for a page to show. `*/*` alone is what programs send."""
    named = any(kind.lower() == "text/html" for kind, quality in request.accept_mimetypes if quality > 0)
    return named and request.method in {"GET", "HEAD"} and not request.path.startswith("/v1/")


def told_in_html(problem: Problem) -> AnyResponse:
    """A problem for somebody who looks at a browser; who is not logged in is sent to log in."""
    if problem.status == 401:
        return redirect(f"/login?next={quote(request.full_path.removesuffix('?'), safe='/')}")
    heading, text = _SAID.get(problem.status, ("That did not work", ""))
    said = text or problem.detail[:1].upper() + problem.detail[1:] + "."
    response = html("error.html", problem.status, status=problem.status, heading=heading, text=said,
                    request_id=g.request_id)  # fmt: skip
    response.headers.update(problem.headers)
    return response


_SAID = {
    403: ("You may not see this", ""),
    404: ("There is nothing here", "The address is mistyped, or what was here is gone."),
    500: ("That went wrong on our side", "Try again. If it stays so, the log says more under the number below."),
    503: ("The service is busy", "A store or the queue does not answer, or too much waits. Try again in a moment."),
}


def safe_next(wanted: str) -> str:
    """Where to go after logging in: a path of this server, never an address elsewhere."""
    plain = wanted.startswith("/") and not wanted.startswith(("//", "/login"))
    return wanted if plain and "\\" not in wanted and wanted.isprintable() and len(wanted) < 1000 else "/"
