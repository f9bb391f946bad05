"""Execute requests: read from JSON, with every fault of their form named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from swath.contract.interface import Interface

from swath_marketplace.api.ogc.asking import wrong
from swath_marketplace.domain.executions import Execution, ResponseForm, Subscriber, Transmission, WantedOutput

_MEMBERS = {"inputs", "outputs", "response", "subscriber", "id", "$schema"}
_ADDRESSES = {"successUri": "success", "inProgressUri": "in_progress", "failedUri": "failed"}


@dataclass(frozen=True, kw_only=True, slots=True)
class ExecuteRequest:
    """What stands in the body."""

    inputs: Mapping[str, Any]
    execution: Execution
    subscriber: Subscriber | None = None

    @classmethod
    def read(cls, body: Any, interface: Interface, *, origin: str) -> ExecuteRequest:
        """The request in `body`, for a process of that interface, from a caller who knows this service as `origin`.

        Raises
        ------
        Invalid
            Naming the member that is wrong.
        """
        if not isinstance(body, dict):
            raise wrong("body", "an execute request is a JSON object", "see the API definition")
        if unknown := sorted(body.keys() - _MEMBERS):
            known = ", ".join(sorted(_MEMBERS))
            raise wrong(unknown[0][:60], "an execute request has no such member", f"it has: {known}")
        inputs = body.get("inputs", {})
        if not isinstance(inputs, dict):
            raise wrong("inputs", "they are an object of names and values", 'send {"name": value, …}')
        execution = Execution(
            response=_form(body.get("response")),
            outputs=_outputs(body.get("outputs"), interface),
            origin=origin,
        )
        return cls(inputs=inputs, execution=execution, subscriber=_subscriber(body.get("subscriber")))


def _form(given: Any) -> ResponseForm:
    try:
        return ResponseForm.RAW if given is None else ResponseForm(given)
    except ValueError:
        raise wrong("response", "it is raw or document", "send raw or document") from None


def _outputs(given: Any, interface: Interface) -> tuple[WantedOutput, ...]:
    if given is None:
        return ()
    if not isinstance(given, dict):
        raise wrong("outputs", "they are an object of names and wishes", 'send {"name": {}}')
    return tuple(_output(name, wish, interface) for name, wish in given.items())


def _output(name: str, wish: Any, interface: Interface) -> WantedOutput:
    field = f"outputs.{name[:60]}"
    declared = interface.output(name)
    if declared is None:
        names = ", ".join(output.name for output in interface.outputs) or "none"
        raise wrong(field, "the process has no such output", f"its outputs: {names}", code="no-such-output")
    if not isinstance(wish, dict):
        raise wrong(field, "an output's wish is an object", "send {}")
    _check_format(field, wish.get("format"), declared.media_type)
    try:
        transmission = Transmission(wish.get("transmissionMode", Transmission.VALUE))
    except ValueError:
        raise wrong(f"{field}.transmissionMode", "it is value or reference", "send value or reference") from None
    return WantedOutput(name=name, transmission=transmission)


def _check_format(field: str, given: Any, media_type: str | None) -> None:
    wanted = given.get("mediaType") if isinstance(given, dict) else given
    if wanted is None or media_type is None:
        return
    bases = [str(one).partition(";")[0].strip().lower() for one in (wanted, media_type)]
    if bases[0] != bases[1]:
        raise wrong(f"{field}.format", f"this output is {media_type}", f"send {media_type}", code="bad-media-type")


def _subscriber(given: Any) -> Subscriber | None:
    if given is None:
        return None
    if not isinstance(given, dict) or given.keys() - _ADDRESSES.keys() or not given:
        known = ", ".join(_ADDRESSES)
        raise wrong("subscriber", f"it has some of {known}", "send the addresses that want to hear of the job")
    for name, address in given.items():
        _check_address(f"subscriber.{name}", address)
    return Subscriber(**{_ADDRESSES[name]: address for name, address in given.items()})


def _check_address(field: str, address: Any) -> None:
    try:
        parts = urlsplit(address) if isinstance(address, str) and len(address) <= 2000 else None
        good = parts is not None and parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.username
    except ValueError:
        good = False
    if not good:
        raise wrong(field, "it is no address of the web", "send an https address without a user name in it")
