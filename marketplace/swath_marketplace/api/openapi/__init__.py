"""The service's OpenAPI document: what each door takes and answers, typed, with examples that were really sent.

A router says what FastAPI can see of it; the module of the same name here says the rest: a name for programs, what each
answer is made of, which refusals it has, and where an answer leads. Examples are recorded from a real walk (see
``docs/doors-api.md``), so that none is invented.
"""

from swath_marketplace.api.openapi.document import install_openapi

__all__ = ["install_openapi"]
