"""Reading a receipt that somebody sent, so that its run can be reproduced: believed first, then read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from swath.contract.digest import canonical_json
from swath.contract.envelopes import Untrusted
from swath.contract.receipts import Bundle, check_bundle
from swath.contract.statements import Statement
from swath.signatures import verify
from swath_service.actor import Actor
from swath_service.errors import Invalid

from swath_marketplace.domain.origins import Origin, OriginOutput, input_of
from swath_marketplace.services.signing import Keys

#: Reads a receipt of another installation; ``None`` where whoever sent it brought no keys of that.
ReadForeign = Callable[[Actor, Any], Origin | None]


class ReceiptReader:
    """Believes receipts that are signed with a key that was not revoked, and in the log.

    Those of this installation, and those of another whose keys the one who sends them brought in.
    """

    def __init__(self, keys: Keys, *, foreign: ReadForeign | None = None) -> None:
        self._keys = keys
        self._foreign = foreign

    def __call__(self, actor: Actor, receipt: Any) -> Origin:
        """What the run is reproduced from.

        Raises
        ------
        Invalid
            It is not believed; the message says why.
        """
        try:
            bundle = Bundle.from_bytes(canonical_json(receipt))
            foreign = bundle.statement.origin != self._keys.current().origin
            if foreign and self._foreign and (found := self._foreign(actor, receipt)):
                return found
            believed = check_bundle(bundle, self._keys.current(), verify)
        except Untrusted as error:
            raise _refused(error.message, reason=error.reason.value) from error
        except (ValueError, TypeError, RecursionError) as error:
            raise _refused("this is no receipt", reason="malformed") from error
        return origin_of_statement(believed.statement)


def origin_of_statement(statement: Statement) -> Origin:
    """What a receipt tells of its run."""
    environment = statement.environment
    inventory = environment.about.get("inventory_sha256")
    return Origin(
        run_id=statement.run_id,
        algorithm=statement.algorithm,
        version=statement.version,
        digest=f"sha256:{statement.version_sha256}",
        parameters=statement.parameters,
        environment=environment.name,
        lock_sha256=environment.lock_sha256,
        inventory_sha256=inventory if isinstance(inventory, str) else None,
        inputs=tuple(dict.fromkeys(input_of({**one.about, "sha256": one.sha256}) for one in statement.inputs)),
        outputs=tuple(
            OriginOutput(name=one.name, sha256=one.sha256, media_type=one.media_type) for one in statement.outputs
        ),
    )


def _refused(message: str, *, reason: str) -> Invalid:
    mend = "send the receipt's file as it was handed out; `swath verify` says more"
    return Invalid(
        code="receipt-refused",
        message=f"the receipt is not believed: {message}",
        mend=mend,
        findings=[{"field": "receipt", "message": message, "mend": mend}],
        extra={"reason": reason},
    )
