"""The typed interface of an algorithm: what a caller gives and what comes back."""

from __future__ import annotations

import keyword
import re
from dataclasses import dataclass
from typing import Any

from swath.contract.fields import ContractError, Fields
from swath.contract.kinds import ParameterType
from swath.contract.schema import type_schema

#: No leading underscore: those names belong to IPython and to the code that the runner puts in.
PARAMETER_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}")
#: An output's name is also a file's name and a step of a URL.
OUTPUT_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}")
#: Outputs that every run has without asking: the executed notebook and its HTML.
GIVEN_OUTPUTS = frozenset({"notebook", "notebook-html"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Parameter:
    """One thing a caller may or must give."""

    name: str
    type: ParameterType
    description: str = ""
    required: bool
    default: Any = None
    """JSON value that stands in when a caller gives nothing; meaningless when `required`."""

    def as_dict(self) -> dict[str, Any]:
        """JSON object; `default` only where there is one."""
        told: dict[str, Any] = {
            "name": self.name,
            "type": self.type.as_dict(),
            "description": self.description,
            "required": self.required,
        }
        if not self.required:
            told["default"] = self.default
        return told

    @classmethod
    def from_dict(cls, data: object) -> Parameter:
        """Read back what `as_dict` wrote; raises `ContractError`."""
        fields = Fields(data, "parameter")
        fields.only("name", "type", "description", "required", "default")
        name = fields.text("name")
        if not is_parameter_name(name):
            raise ContractError("parameter.name: not a name a parameter can have")
        required = fields.flag("required")
        return cls(
            name=name,
            type=ParameterType.from_dict(fields.raw("type"), where=f"parameter {name}.type"),
            description=fields.either("description", fields.text, otherwise=""),
            required=required,
            default=None if required else fields.raw("default"),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Output:
    """One thing that a run must bring back; a run that does not has failed."""

    name: str
    media_type: str | None = None
    """``None`` when it is known only after a run."""
    kind: str = "any"
    """raster, table, vector, figure, json, text, file or any."""
    description: str = ""

    def as_dict(self) -> dict[str, Any]:
        """JSON object with all members."""
        return {
            "name": self.name,
            "media_type": self.media_type,
            "kind": self.kind,
            "description": self.description,
        }

    @classmethod
    def from_dict(cls, data: object) -> Output:
        """Read back what `as_dict` wrote; raises `ContractError`."""
        fields = Fields(data, "output")
        fields.only("name", "media_type", "kind", "description")
        name = fields.text("name")
        if not OUTPUT_NAME.fullmatch(name):
            raise ContractError("output.name: not a name an output can have")
        return cls(
            name=name,
            media_type=fields.maybe("media_type", fields.text),
            kind=fields.either("kind", fields.text, otherwise="any"),
            description=fields.either("description", fields.text, otherwise=""),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Interface:
    """Parameters in the order their author wrote them, and declared outputs in the order of the cells."""

    parameters: tuple[Parameter, ...] = ()
    outputs: tuple[Output, ...] = ()

    def __post_init__(self) -> None:
        for what, names in (
            ("parameter", [parameter.name for parameter in self.parameters]),
            ("output", [output.name for output in self.outputs]),
        ):
            if len(set(names)) < len(names):
                raise ContractError(f"two {what}s have the same name")

    def parameter(self, name: str) -> Parameter | None:
        """The parameter of that name."""
        return next((parameter for parameter in self.parameters if parameter.name == name), None)

    def output(self, name: str) -> Output | None:
        """The output of that name."""
        return next((output for output in self.outputs if output.name == name), None)

    def as_dict(self) -> dict[str, Any]:
        """JSON object that `from_dict` reads back to an equal interface."""
        return {
            "parameters": [parameter.as_dict() for parameter in self.parameters],
            "outputs": [output.as_dict() for output in self.outputs],
        }

    @classmethod
    def from_dict(cls, data: object) -> Interface:
        """Read back what `as_dict` wrote.

        Raises
        ------
        ContractError
            Naming the member that is wrong.
        """
        fields = Fields(data, "interface")
        fields.only("parameters", "outputs")
        return cls(
            parameters=fields.items("parameters", Parameter.from_dict),
            outputs=fields.items("outputs", Output.from_dict),
        )


def is_parameter_name(name: str) -> bool:
    """Whether `name` can be assigned in Python and written in a URL, and is nobody else's."""
    return bool(PARAMETER_NAME.fullmatch(name)) and not keyword.iskeyword(name)


def json_schema(interface: Interface) -> dict[str, Any]:
    """The object schema (draft 2020-12) of the parameters that a caller sends.

    Every value that `swath.contract.parameters.check_parameters` accepts is valid under it. The reverse holds except
    where JSON Schema has no words: order within a box or an interval, closed rings of GeoJSON, limits on dates, and
    numbers beyond 64 bits.
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {parameter.name: _property(parameter) for parameter in interface.parameters},
        "required": [parameter.name for parameter in interface.parameters if parameter.required],
        "additionalProperties": False,
    }


def _property(parameter: Parameter) -> dict[str, Any]:
    schema = type_schema(parameter.type)
    if parameter.description:
        schema = {**schema, "description": parameter.description}
    if not parameter.required:
        schema = {**schema, "default": parameter.default}
    return schema
