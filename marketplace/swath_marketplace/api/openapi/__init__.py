"""The service's OpenAPI document: what each door takes and answers, typed, with examples that were really sent.

A router says what FastAPI can see of it; the module of the same name here says the rest: a name for programs, what each
answer is made of, which refusals it has, and where an answer leads. Examples are recorded from a real walk (see
``docs/doors-api.md``), so that none is invented.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

__all__ = ["install_openapi"]


def install_openapi(app: FastAPI, base: str) -> None:
    """Let `app` tell of its doors under `base`; made at the first question."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            # Not at the top: making its models is a third of what it costs to import the service.
            from swath_marketplace.api.openapi.document import make_document

            app.openapi_schema = make_document(app, base)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]
