"""The application behind the page: a few addresses over projects, trainings and the net that is tried."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from fastapi import Depends, FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from openautoglm.runtime.engines import RuntimeName
from openautoglm.studio.files import REPORT, handout
from openautoglm.studio.guard import Guard
from openautoglm.studio.pictures import MAX_UPLOAD_BYTES, decode_picture
from openautoglm.studio.projects import Projects
from openautoglm.studio.refused import CopyError, RefusedError
from openautoglm.studio.training import Trainings
from openautoglm.studio.trying import Trier
from openautoglm.studio.views import Plain, answer_view, project_view, status_view
from openautoglm.types import MissingExtraError

_PAGE = Path(__file__).parent / "page"
_KINDS = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"


class Named(BaseModel):
    """A name that was typed."""

    name: str = Field(max_length=500)


class Wish(BaseModel):
    """How to train.

    Attributes:
        estimate: find out how well it will do.
        go_on: with the training that was broken off.
    """

    estimate: bool = True
    go_on: bool = False


async def _whole_body(request: Request) -> bytes:
    return await request.body()


Body = Annotated[bytes, Depends(_whole_body)]


def create_app(*, projects: Projects, trainings: Trainings, host: str, model: str, runtime: RuntimeName) -> FastAPI:
    """The whole studio.

    Args:
        projects: where the pictures are.
        trainings: of them.
        host: address that is listened on.
        model: that learns, for people.
        runtime: that the page tries first.
    """
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(Guard, host=host, max_bytes=MAX_UPLOAD_BYTES)
    _say_errors(app)
    _serve_page(app)
    _serve_projects(app, projects, {"model": model, "runtime": runtime, "home": str(projects.home)})
    _serve_pictures(app, projects)
    _serve_trainings(app, projects, trainings)
    _serve_results(app, projects, trainings)
    return app


def _say_errors(app: FastAPI) -> None:
    """One sentence for everything that can go wrong."""

    def refused(_: Request, error: Exception) -> JSONResponse:
        return JSONResponse({"error": str(error)}, getattr(error, "status", 400))

    def unknown(_: Request, error: Exception) -> JSONResponse:
        status = error.status_code if isinstance(error, HTTPException) else 422
        return JSONResponse({"error": "The studio does not know this; reload the page."}, status)

    def full(_: Request, error: Exception) -> JSONResponse:
        reason = getattr(error, "strerror", None) or error
        return JSONResponse({"error": f"The disk refused: {reason}."}, 507)

    handlers = {
        ValueError: refused,
        MissingExtraError: refused,
        HTTPException: unknown,
        RequestValidationError: unknown,
        OSError: full,
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)


def _serve_page(app: FastAPI) -> None:
    files = {path.name: path for path in _PAGE.iterdir() if path.suffix in _KINDS}

    @app.get("/")
    def page() -> FileResponse:
        return FileResponse(files["index.html"], media_type="text/html")

    @app.get("/page/{name}")
    def part(name: str) -> FileResponse:
        if name not in files:
            raise RefusedError("There is no such file.", 404)
        return FileResponse(files[name], media_type=_KINDS[files[name].suffix])


def _serve_projects(app: FastAPI, projects: Projects, about: Plain) -> None:
    @app.get("/api/projects")
    def every() -> Plain:
        return {**about, "projects": projects.names()}

    @app.post("/api/projects")
    def add(named: Named) -> Plain:
        return project_view(projects.add(named.name))

    @app.get("/api/projects/{project}")
    def one(project: str) -> Plain:
        return project_view(projects.find(project))

    @app.post("/api/projects/{project}/gestures")
    def add_gesture(project: str, named: Named) -> Plain:
        found = projects.find(project)
        found.add_gesture(named.name)
        return project_view(found)

    @app.delete("/api/projects/{project}/gestures/{gesture}")
    def remove_gesture(project: str, gesture: str) -> Plain:
        found = projects.find(project)
        found.remove_gesture(gesture)
        return project_view(found)


def _serve_pictures(app: FastAPI, projects: Projects) -> None:
    place = "/api/projects/{project}/gestures/{gesture}/pictures"

    @app.post(place)
    def add(
        project: str,
        gesture: str,
        body: Body,
        name: Annotated[str, Query(max_length=500)] = "",
        session: Annotated[int | None, Query(ge=1, le=9999)] = None,
    ) -> Plain:
        try:
            return {"name": projects.find(project).add_picture(gesture, body, name=name, session=session)}
        except CopyError:
            if session is None:
                raise
            return {"name": None}  # a camera that shows the same frame twice

    @app.get(place + "/{name}")
    def show(project: str, gesture: str, name: str) -> FileResponse:
        return FileResponse(projects.find(project).picture(gesture, name))

    @app.delete(place + "/{name}")
    def remove(project: str, gesture: str, name: str) -> Plain:
        found = projects.find(project)
        found.picture(gesture, name).unlink()
        return project_view(found)


def _serve_trainings(app: FastAPI, projects: Projects, trainings: Trainings) -> None:
    place = "/api/projects/{project}/training"

    def view(project: str) -> Plain:
        busy = trainings.running()
        return status_view(trainings.status(projects.find(project)), busy.name if busy else None)

    @app.get(place)
    def status(project: str) -> Plain:
        return view(project)

    @app.post(place)
    def start(project: str, wish: Wish) -> Plain:
        found = projects.find(project)
        if wish.go_on:
            trainings.go_on(found)
        else:
            trainings.start(found, estimate=wish.estimate)
        return view(project)

    @app.delete(place)
    def cancel(project: str) -> Plain:
        trainings.cancel(projects.find(project))
        return view(project)


def _serve_results(app: FastAPI, projects: Projects, trainings: Trainings) -> None:
    trier = Trier()

    def run_of(project: str) -> Path:
        run = trainings.status(projects.find(project)).result
        if run is None:
            raise RefusedError("Nothing is trained yet: press Train first.", 409)
        return run

    @app.post("/api/projects/{project}/recognize")
    def recognize(project: str, body: Body, runtime: RuntimeName) -> Plain:
        return answer_view(trier.ask(run_of(project), runtime, decode_picture(body)))

    @app.get("/api/projects/{project}/files/{name}")
    def download(project: str, name: str) -> FileResponse:
        file = handout(run_of(project), name)
        if name == REPORT:  # looked at in the browser, with nothing in it allowed to run
            return FileResponse(file.path, media_type="text/html", headers={"content-security-policy": _REPORT_POLICY})
        return FileResponse(file.path, media_type="application/octet-stream", filename=name)
