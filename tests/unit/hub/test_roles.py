"""Scopes and roles as JupyterHub takes them."""

from __future__ import annotations

import re

from jupyterhub import scopes
from swath_hub.roles import CUSTOM_SCOPES, SERVER_TOKEN_SCOPES, USER_SCOPES, load_roles
from swath_service.actor import Scope


def test_every_scope_is_declared_in_a_form_that_the_hub_takes() -> None:
    assert set(CUSTOM_SCOPES) == {scope.value for scope in Scope}
    assert all(re.fullmatch(scopes._custom_scope_pattern, name) for name in CUSTOM_SCOPES)


def test_users_have_neither_the_ledger_nor_other_peoples_things() -> None:
    forbidden = {Scope.LEDGER.value, Scope.ADMINISTER.value, Scope.STANDING.value}
    assert not forbidden & {*USER_SCOPES, *SERVER_TOKEN_SCOPES}
    roles = {role["name"]: role for role in load_roles()}
    assert not forbidden & set(roles["user"]["scopes"])
    payers = ["swath-marketplace", "swath-dask-gateway", "swath-lab"]
    assert [role["name"] for role in load_roles() if Scope.LEDGER.value in role["scopes"]] == payers
    assert not [name for name in payers if roles[name].get("users") or roles[name].get("groups")]
    assert [role["name"] for role in load_roles() if Scope.STANDING.value in role["scopes"]] == ["swath-archive"]
    assert roles["swath-operator"]["groups"] == ["operators"]


def test_a_server_may_do_no_more_than_its_user_and_report_itself() -> None:
    assert set(SERVER_TOKEN_SCOPES) - set(USER_SCOPES) == {"users:activity!user", "access:servers!server"}
    assert not {scope for scope in SERVER_TOKEN_SCOPES if scope.startswith(("admin", "tokens", "servers", "inherit"))}
