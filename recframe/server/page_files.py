"""The page at `/`, and its files."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI
from starlette.responses import FileResponse
from starlette.staticfiles import StaticFiles

FOLDER = Path(__file__).parent / "page"


def add_page(app: FastAPI) -> None:
    """Serve `page/index.html` at `/`, and the files beside it at `/page/`."""

    @app.get("/", include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(FOLDER / "index.html")

    app.mount("/page", StaticFiles(directory=FOLDER), name="page")
