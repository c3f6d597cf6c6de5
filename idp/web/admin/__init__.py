"""The school's desk on the web (``/admin``): for staff, each within their schools."""

from idp.web.admin import (  # noqa: F401 - each adds its pages
    audit_log,
    classes,
    client_certify,
    client_trial,
    clients,
    factor_resets,
    guardian_new,
    guardianship,
    import_columns,
    import_results,
    imports,
    letters,
    mails,
    merging,
    people,
    person,
    person_edit,
    pupil,
    registration_tokens,
    school_texts,
    schools,
    staff,
    start,
)
from idp.web.admin.blueprint import blueprint

__all__ = ["blueprint"]
