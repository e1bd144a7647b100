"""The explorer's addresses: one page, and below `/api` what it asks for, as JSON, PNG and CSV."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from importlib.resources import files
from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI, Header, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp

from elastic_infogan.apps.explored import MOST_MEGAPIXELS, Explored, Shown
from elastic_infogan.apps.explorer_guard import MOST_BYTES, Guard
from elastic_infogan.apps.steering import Wish
from elastic_infogan.errors import ConfigError, ElasticInfoGANError, RunError
from elastic_infogan.training.limits import LIMITS

__all__ = ["guarded", "page_files"]

_KINDS = {"index.html": "text/html", "page.css": "text/css", "page.js": "text/javascript"}

Finite = Annotated[float, Field(allow_inf_nan=False)]


class Made(BaseModel):
    """What to make; see `steering.Wish`."""

    first: int
    second: int | None = None
    count: Annotated[int, Field(ge=1, le=64)] = 24
    seed: Annotated[int, Field(ge=0, le=int(LIMITS["seed"].high))] = 0
    walk: Annotated[list[Annotated[Finite, Field(ge=-10, le=10)]], Field(max_length=64)] = []
    continuous: Annotated[list[Annotated[Finite, Field(ge=-1, le=1)] | None], Field(max_length=64)] = []


class Name(BaseModel):
    """A name for a class; an empty one takes it away."""

    name: Annotated[str, Field(max_length=1000)]


class Merge(BaseModel):
    """Classes that are to count as one."""

    codes: Annotated[list[int], Field(max_length=10_000)]


def guarded(explored: Explored, token: str, cookie: str = "elastic-infogan") -> ASGIApp:
    """The whole application behind its guard."""

    def of_this(x_opened: Annotated[str | None, Header()] = None, opened: str | None = None) -> None:
        """A page that was left open must not show or name the classes of what is served there now."""
        if not {x_opened, opened} <= {None, explored.opened}:
            raise ConfigError("this page is of an explore that has ended: reload it")

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, dependencies=[Depends(of_this)])
    app.add_exception_handler(ElasticInfoGANError, _tell)
    app.add_exception_handler(RequestValidationError, _tell_invalid)
    _add_page(app)
    _add_looking(app, explored)
    _add_making(app, explored)
    _add_naming(app, explored)
    return Guard(app, token, cookie)


def page_files() -> dict[str, str]:
    """The page, its style and its script by file name."""
    folder = files("elastic_infogan.apps") / "explorer_page"
    return {name: (folder / name).read_text(encoding="utf-8") for name in _KINDS}


def _add_page(app: FastAPI) -> None:
    for name, text in page_files().items():
        path = "/" if name == "index.html" else f"/{name}"
        app.add_api_route(path, _answer(text, _KINDS[name]), methods=["GET"])


def _answer(text: str, kind: str) -> Callable[[], Response]:
    return lambda: Response(text, media_type=kind)


def _add_looking(app: FastAPI, explored: Explored) -> None:
    @app.get("/api/run")
    def summary() -> dict[str, Any]:
        limits = {"bytes": MOST_BYTES, "megapixels": MOST_MEGAPIXELS}
        return {**explored.summary(), "limits": limits}

    @app.get("/api/classes/{code}/images")
    def page(code: int, order: Literal["typical", "uncertain"] = "typical", page: int = 0) -> dict[str, Any]:
        found = explored.page(code, page, uncertain=order == "uncertain")
        images = [_shown(image) for image in found.images]
        return {"images": images, "pages": found.pages, "total": found.total}

    @app.get("/api/classes/{code}/examples.png")
    def examples(code: int) -> Response:
        return Response(explored.examples(code), media_type="image/png")

    @app.get("/api/images/{index}.png")
    def image(index: int) -> Response:
        return Response(explored.image(index), media_type="image/png")

    @app.get("/api/assignments.csv")
    def table() -> Response:
        headers = {"Content-Disposition": 'attachment; filename="assignments.csv"'}
        return StreamingResponse(explored.table(), media_type="text/csv", headers=headers)


def _add_making(app: FastAPI, explored: Explored) -> None:
    @app.post("/api/make")
    def make(made: Made) -> dict[str, Any]:
        return {"images": [_embedded(image) for image in explored.make(Wish(**made.model_dump()))]}

    @app.post("/api/recognise")
    async def recognise(request: Request) -> dict[str, Any]:
        data = await request.body()  # the guard has bounded it
        return _shown(await run_in_threadpool(explored.recognise, data))


def _add_naming(app: FastAPI, explored: Explored) -> None:
    @app.put("/api/classes/{code}/name")
    def name(code: int, name: Name) -> dict[str, Any]:
        return explored.rename(lambda classes: classes.named(code, name.name))

    @app.post("/api/merges")
    def merge(merge: Merge) -> dict[str, Any]:
        return explored.rename(lambda classes: classes.merge(merge.codes))

    @app.delete("/api/merges/{code}")
    def separate(code: int) -> dict[str, Any]:
        return explored.rename(lambda classes: classes.separate(code))


def _shown(image: Shown) -> dict[str, Any]:
    content = {"name": image.name, "source": _embedded(image.png), "likely": image.likely}
    return content if image.index is None else {**content, "whole": f"api/images/{image.index}.png"}


def _embedded(image: bytes) -> str:
    return "data:image/png;base64," + b64encode(image).decode("ascii")


def _tell(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, 500 if isinstance(error, RunError) else 400)


def _tell_invalid(request: Request, error: Exception) -> Response:
    first = error.errors()[0] if isinstance(error, RequestValidationError) else {}
    where = ".".join(str(part) for part in first.get("loc", ())[1:])
    return JSONResponse({"error": f"{where}: {first.get('msg', 'is not valid')}"}, 422)
