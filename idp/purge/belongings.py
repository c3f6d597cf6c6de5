"""What of each table goes with a person who is erased, and what may stay (security rule R16).

A test goes through every column that refers to an account or a child, and asks for its place here:
nobody can add one and forget it.
"""

from typing import Any, Final

from idp.audit.models import AuditEvent
from idp.clients.models import Client, RegistrationToken
from idp.credentials.models import (
    EmailChange,
    FactorReset,
    KnownDevice,
    OneTimeToken,
    Passkey,
    PasskeyChallenge,
    Password,
    RecoveryCode,
    TotpEnrolment,
    TotpSecret,
)
from idp.deliveries.models import EventDelivery
from idp.federation.models import FederatedLink, FederationState
from idp.mail.models import OutboxMessage
from idp.oidc.models import ChildConsent, Consent, Grant
from idp.people.link_models import LinkRequest
from idp.people.models import Account, Child, ErasureRequest, Guardianship, StaffRole
from idp.people.search_index import DirectoryEntry
from idp.roster.models import (
    RosterChange,
    RosterIdentity,
    RosterJob,
    RosterMatch,
    RosterPair,
    RosterPupil,
    RosterRun,
)
from idp.roster.question_models import RosterAnswer, RosterQuestion
from idp.sessions.models import BrowserSession, ChildChoice, Interaction, PersistentLogin

OF_ACCOUNT: Final[tuple[Any, ...]] = (
    # Rows that leave, in this order: what refers to a row goes before the row
    EventDelivery.account_id,
    Grant.account_id,  # its codes and tokens leave with it
    PersistentLogin.account_id,
    BrowserSession.account_id,  # its choices of a child leave with it
    OneTimeToken.account_id,
    EmailChange.account_id,  # its links leave with it
    Password.account_id,
    KnownDevice.account_id,
    Passkey.account_id,
    PasskeyChallenge.account_id,
    TotpSecret.account_id,
    TotpEnrolment.account_id,
    RecoveryCode.account_id,
    FactorReset.account_id,
    FactorReset.asked_by,
    FederatedLink.account_id,
    FederationState.account_id,
    Consent.account_id,
    ChildConsent.account_id,
    LinkRequest.account_id,
    ErasureRequest.account_id,  # its answers leave with it
    OutboxMessage.account_id,
    RosterIdentity.account_id,
    RosterChange.account_id,
    RosterMatch.account_id,
    RosterPair.account_id,
    RosterQuestion.account_id,
    RosterQuestion.other_account_id,
    StaffRole.account_id,
    Guardianship.account_id,
    DirectoryEntry.account_id,
    Account.id,
)
OF_CHILD: Final[tuple[Any, ...]] = (
    Interaction.child_id,  # what waits in it leaves with it
    EventDelivery.child_id,
    Grant.child_id,
    ChildChoice.child_id,
    ChildConsent.child_id,
    LinkRequest.child_id,
    RosterIdentity.child_id,
    RosterChange.child_id,
    RosterPupil.child_id,
    RosterPupil.new_child_id,
    RosterPair.child_id,
    RosterQuestion.child_id,
    RosterQuestion.other_child_id,
    Guardianship.child_id,
    DirectoryEntry.child_id,
    Child.id,
)
EMPTIED: Final[tuple[Any, ...]] = (FactorReset.closed_by,)
"""Of an account: the row is somebody else's, and only forgets who it was."""

IDS_KEPT: Final = {
    AuditEvent.account_id: "what happened, and when, must stay answerable (rule L3)",
    AuditEvent.child_id: "likewise",
    AuditEvent.actor: "likewise",
    RosterRun.actor: "who imported a file: leaves with the run",
    RosterJob.asked_by: "likewise",
    RosterAnswer.answered_by: "who decided about a question: leaves with the run",
    Client.made_by: "who registered an application",
    Client.registered_by: "a token's id, or a word",
    RegistrationToken.made_by: "who made the token",
}
"""Columns with a bare id, which says nothing of anybody once its row is gone, and why it stays."""
