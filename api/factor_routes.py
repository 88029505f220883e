"""The part of the route table about second factors, proofs and workspaces that ask for them."""

from __future__ import annotations

from typing import Final

from api import factors, passkeys, second_factor, session, workspace_security
from api.route import Access, Route
from hub.accounts.model import Permission
from hub.signin.factors.model import NewTotp

_API: Final = "/api/v1"
_WORKSPACE: Final = "/api/v1/workspaces/{workspace_id}"

FACTOR_ROUTES: Final[tuple[Route, ...]] = (
    Route("GET", f"{_API}/factors", factors.read, Access.SESSION, answer=factors.FactorsView),
    Route(
        "POST",
        f"{_API}/factors/totp",
        factors.begin_totp,
        Access.SESSION,
        answer=NewTotp,
        step_up=True,
        shows_secret=True,
    ),
    Route("DELETE", f"{_API}/factors/totp", factors.remove_totp, Access.SESSION, status=204, step_up=True),
    Route(
        "POST",
        f"{_API}/factors/totp/confirm",
        factors.confirm_totp,
        Access.SESSION,
        body=factors.CodeRequest,
        answer=factors.CodesView,
        step_up=True,
        shows_secret=True,
    ),
    Route(
        "POST",
        f"{_API}/factors/recovery-codes",
        factors.renew_codes,
        Access.SESSION,
        answer=factors.CodesView,
        step_up=True,
        shows_secret=True,
    ),
    Route(
        "POST",
        f"{_API}/passkeys/options",
        passkeys.begin,
        Access.SESSION,
        answer=passkeys.CreationView,
        step_up=True,
        shows_secret=True,
    ),
    Route(
        "POST",
        f"{_API}/passkeys",
        passkeys.create,
        Access.SESSION,
        status=201,
        body=passkeys.NewPasskeyRequest,
        answer=passkeys.NewPasskeyView,
        step_up=True,
        shows_secret=True,
    ),
    Route(
        "PATCH",
        f"{_API}/passkeys/{{passkey_id}}",
        passkeys.rename,
        Access.SESSION,
        status=204,
        body=passkeys.RenameRequest,
    ),
    Route("DELETE", f"{_API}/passkeys/{{passkey_id}}", passkeys.remove, Access.SESSION, status=204, step_up=True),
    Route(
        "POST",
        f"{_API}/session/passkey/options",
        second_factor.begin_sign_in,
        Access.OPEN,
        answer=second_factor.SignInOptionsView,
        shows_secret=True,
    ),
    Route(
        "POST",
        f"{_API}/session/passkey",
        second_factor.sign_in,
        Access.OPEN,
        body=second_factor.PasskeySignIn,
        answer=session.SessionView,
        shows_secret=True,
    ),
    Route(
        "POST",
        f"{_API}/session/second-factor/options",
        second_factor.begin_second_factor,
        Access.OPEN,
        body=second_factor.ChallengeRequest,
        answer=second_factor.RequestView,
        shows_secret=True,
    ),
    Route(
        "POST",
        f"{_API}/session/second-factor",
        second_factor.finish_sign_in,
        Access.OPEN,
        body=second_factor.SecondFactorRequest,
        answer=session.SessionView,
        shows_secret=True,
    ),
    Route(
        "POST",
        f"{_API}/session/proof/options",
        second_factor.begin_proof,
        Access.SESSION,
        answer=second_factor.RequestView,
        shows_secret=True,
    ),
    Route(
        "POST",
        f"{_API}/session/proof",
        second_factor.prove,
        Access.SESSION,
        body=second_factor.ProofRequest,
        answer=second_factor.ProofView,
        shows_secret=True,
    ),
    Route(
        "GET",
        f"{_WORKSPACE}/security",
        workspace_security.read,
        Permission.MEMBERS_MANAGE,
        answer=workspace_security.SecurityView,
        people_only=True,
    ),
    Route(
        "PUT",
        f"{_WORKSPACE}/security",
        workspace_security.change,
        Permission.WORKSPACE_MANAGE,
        body=workspace_security.SecurityRequest,
        answer=workspace_security.SecurityView,
        step_up=True,
        people_only=True,
    ),
    Route(
        "DELETE",
        f"{_WORKSPACE}/members/{{member_id}}/factors",
        workspace_security.reset_member,
        Permission.MEMBERS_MANAGE,
        status=204,
        step_up=True,
        people_only=True,
    ),
)
