"""A caller's parameters: checked against the interface before anything is held, and put into the notebook as values."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from swath.contract.faults import Faults, ParameterFinding, is_json
from swath.contract.fields import ContractError, nearest
from swath.contract.interface import Interface, Parameter, is_parameter_name
from swath.contract.kinds import Kind, ParameterType
from swath.contract.values import as_python, check_value, spoken

__all__ = ["ParameterFinding", "check_parameters", "python_source", "python_values"]


def check_parameters(
    interface: Interface, values: Mapping[str, Any]
) -> tuple[dict[str, Any], tuple[ParameterFinding, ...]]:
    """Bind `values` to the parameters of `interface`.

    Parameters
    ----------
    values
        Parsed JSON. Nothing is coerced: ``"3"`` is no integer, ``true`` is no number, NaN is nothing.

    Returns
    -------
    bound
        JSON values of every parameter in the interface's order, defaults filled in; of use only without findings.
    findings
        Everything that is wrong, at once: unknown names, missing ones, and each value's faults.
    """
    faults = Faults()
    if not isinstance(values, Mapping):
        faults.add("", "not-an-object", "parameters are an object of names and values", 'send {"name": value, …}')
        return {}, faults.told()
    names = [parameter.name for parameter in interface.parameters]
    for name in values:
        if name not in names:
            _unknown(name, names, faults)
    bound: dict[str, Any] = {}
    for parameter in interface.parameters:
        if parameter.name in values:
            value = values[parameter.name]
            if is_json(value, parameter.name, faults):
                bound[parameter.name] = check_value(parameter.type, value, parameter.name, faults)
        elif parameter.required:
            _missing(parameter, faults)
        else:
            bound[parameter.name] = parameter.default
    return bound, faults.told()


def _unknown(name: object, names: list[str], faults: Faults) -> None:
    shown = name[:60] if isinstance(name, str) else "?"
    meant = nearest(shown, names)
    listed = ", ".join(names) or "none"
    faults.add(
        ascii(shown)[1:-1],
        "unknown-parameter",
        f"there is no parameter {shown!a}",
        f"did you mean {meant!r}?" if meant else f"leave it out; there are: {listed}",
    )


def _missing(parameter: Parameter, faults: Faults) -> None:
    told = f" ({parameter.description})" if parameter.description else ""
    faults.add(
        parameter.name,
        "missing-parameter",
        f"{parameter.name} is required{told}",
        f"send {spoken(parameter.type)}",
    )


def python_values(interface: Interface, bound: Mapping[str, Any]) -> dict[str, Any]:
    """The Python values that the notebook's cells see for `bound`.

    Raises
    ------
    ContractError
        If `bound` is not what `check_parameters` returned without findings.
    """
    checked, findings = check_parameters(interface, bound)
    if findings:
        raise ContractError(f"parameters: {findings[0].field}: {findings[0].message}")
    return {parameter.name: as_python(parameter.type, checked[parameter.name]) for parameter in interface.parameters}


def python_source(interface: Interface, bound: Mapping[str, Any]) -> str:
    """The source of the cell that the runner puts after the one tagged ``parameters``.

    Names come from the interface alone, and values are written as literals in ASCII, so no text that a caller sends can
    become code. ``date`` and ``datetime`` are written through a module name that no parameter can have, because the
    notebook may not have imported them or may have a parameter of that name.

    Raises
    ------
    ContractError
        If `bound` is not what `check_parameters` returned without findings.
    """
    values = python_values(interface, bound)
    lines = ["# Parameters of this run"]
    if any(_has_moment(parameter.type) for parameter in interface.parameters):
        lines.append(f"import datetime as {_MODULE}")
    for name, value in values.items():
        if not is_parameter_name(name):
            raise ContractError("parameters: not a name a parameter can have")
        lines.append(f"{name} = {_literal(value)}")
    return "\n".join(lines) + "\n"


_MODULE = "_swath_datetime"


def _has_moment(of: ParameterType) -> bool:
    return of.kind in (Kind.DATE, Kind.DATETIME) or (of.items is not None and _has_moment(of.items))


def _literal(value: Any) -> str:
    if isinstance(value, datetime):
        parts = (value.year, value.month, value.day, value.hour, value.minute, value.second, value.microsecond)
        return f"{_MODULE}.datetime({', '.join(map(str, parts))}, tzinfo={_MODULE}.timezone.utc)"
    if isinstance(value, date):
        return f"{_MODULE}.date({value.year}, {value.month}, {value.day})"
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key!a}: {_literal(item)}" for key, item in value.items()) + "}"
    return ascii(value)
