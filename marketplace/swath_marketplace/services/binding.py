"""Parameters bound to a version's interface: checked, and the defaults filled in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from swath.contract.interface import Interface
from swath.contract.parameters import check_parameters
from swath_service.errors import Invalid

from swath_marketplace.domain.algorithms import AlgorithmVersion


def bound_parameters(version: AlgorithmVersion, values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Every parameter of `version` with its value.

    Raises
    ------
    Invalid
        Unknown, missing or wrong ones, every one named.
    """
    bound, findings = check_parameters(Interface.from_dict(version.interface), values)
    if findings:
        raise Invalid(
            code="parameters-invalid",
            message=f"{version.path} {version.version} does not take these parameters",
            mend="mend what the findings name; the schema of the parameters is beside the version",
            findings=[
                {"field": found.field, "code": found.code, "message": found.message, "mend": found.mend}
                for found in findings
            ],
        )
    return bound
