"""Receipts in the forms that other systems read, for whoever may see their runs."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from swath.contract.digest import sha256_bytes
from swath.contract.statements import StatedOutput
from swath_service.actor import Actor
from swath_service.errors import Unavailable

from swath_marketplace.domain.exports.cdse import message_of, signed_trace, unsigned_trace
from swath_marketplace.domain.exports.crate import crate_metadata
from swath_marketplace.domain.exports.prov import prov_json
from swath_marketplace.domain.exports.stac import stac_item
from swath_marketplace.services.receipts import Receipts
from swath_marketplace.services.signing import Keys
from swath_marketplace.store.signing_keys import KeyUnfit

log = logging.getLogger(__name__)


class Exports:
    """Other forms of a receipt. Each raises as `Receipts.bundle` does."""

    def __init__(self, *, receipts: Receipts, keys: Keys) -> None:
        self._receipts = receipts
        self._keys = keys

    def prov(self, actor: Actor, run_id: str) -> dict[str, Any]:
        """W3C PROV-JSON."""
        return prov_json(self._receipts.statement(actor, run_id)[0])

    def crate(self, actor: Actor, run_id: str) -> dict[str, Any]:
        """Metadata of a Process Run RO-Crate."""
        return crate_metadata(self._receipts.statement(actor, run_id)[0])

    def stac(
        self,
        actor: Actor,
        run_id: str,
        *,
        output_href: Callable[[StatedOutput], str],
        item_href: Callable[[str, str], str],
        receipt_href: str,
    ) -> dict[str, Any]:
        """A STAC Item of the outputs."""
        statement, _ = self._receipts.statement(actor, run_id)
        return stac_item(statement, output_href=output_href, item_href=item_href, receipt_href=receipt_href)

    def cdse(self, actor: Actor, run_id: str) -> dict[str, Any]:
        """A trace, signed with the active key.

        Raises
        ------
        Unavailable
            The key cannot be used.
        """
        statement, receipt = self._receipts.statement(actor, run_id)
        trace = unsigned_trace(statement, receipt_sha256=sha256_bytes(receipt.envelope.as_bytes()))
        try:
            pen = self._keys.pen()
        except KeyUnfit as error:
            log.error("a trace cannot be signed: %s", error)
            raise Unavailable(
                code="signing-key-unfit", message="the trace cannot be signed at present", mend="ask again later"
            ) from error
        return signed_trace(trace, signature=pen.sign_object(message_of(trace)), certificate=pen.certificate)
