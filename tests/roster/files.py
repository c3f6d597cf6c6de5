"""Rosters as schools send them: OneRoster folders and zips, lists as CSV and XLSX."""

import csv
import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ORG = "org-1"

HEADERS = {
    "orgs": "sourcedId status dateLastModified name type identifier parentSourcedId",
    "academicSessions": "sourcedId status dateLastModified title type startDate endDate"
    " parentSourcedId schoolYear",
    "classes": "sourcedId status dateLastModified title grades courseSourcedId classCode classType"
    " location schoolSourcedId termSourcedIds subjects subjectCodes periods",
    "enrollments": "sourcedId status dateLastModified classSourcedId schoolSourcedId"
    " userSourcedId role primary beginDate endDate",
    "users": "sourcedId status dateLastModified enabledUser orgSourcedIds role username userIds"
    " givenName familyName middleName identifier email sms phone agentSourcedIds grades password",
    "roles": "sourcedId status dateLastModified userSourcedId roleType role beginDate endDate"
    " orgSourcedId userProfileSourcedId",
}


@dataclass
class OneRoster:
    """A OneRoster file that grows by ``pupil`` and ``guardian``, and is written as asked."""

    version: str = "1.1"
    delta: bool = False
    orgs: list[dict[str, str]] = field(default_factory=list)
    users: list[dict[str, str]] = field(default_factory=list)
    roles: list[dict[str, str]] = field(default_factory=list)
    classes: dict[str, dict[str, str]] = field(default_factory=dict)
    sessions: list[dict[str, str]] = field(default_factory=list)
    enrollments: list[dict[str, str]] = field(default_factory=list)

    def school(self, org: str = ORG, name: str = "Collège des Tilleuls", parent: str = "") -> None:
        kind = {"type": "school", "parentSourcedId": parent}
        self.orgs.append({"sourcedId": org, "name": name, **kind})

    def district(self, org: str = "district") -> None:
        self.orgs.append({"sourcedId": org, "name": "District", "type": "district"})

    def pupil(
        self,
        number: str,
        given_name: str = "Lina",
        family_name: str = "Dubois",
        *agents: str,
        class_name: str | None = "3B",
        org: str = ORG,
        **more: str,
    ) -> None:
        self._user(number, "student", given_name, family_name, agents, org, more)
        if class_name is not None:
            self.enrol(number, class_name, org)

    def enrol(self, number: str, class_name: str, org: str = ORG, **more: str) -> None:
        class_id = f"{org}-{class_name}"
        self.classes[class_id] = {
            "sourcedId": class_id,
            "title": class_name,
            "classType": "homeroom",
            "schoolSourcedId": org,
        }
        self.enrollments.append(
            {
                "sourcedId": f"e-{number}-{class_name}",
                "classSourcedId": class_id,
                "schoolSourcedId": org,
                "userSourcedId": number,
                "role": "student",
                **more,
            }
        )

    def guardian(
        self,
        number: str,
        given_name: str = "Claire",
        family_name: str = "Dubois",
        email: str = "",
        *,
        role: str = "parent",
        agents: Sequence[str] = (),
        org: str = ORG,
        **more: str,
    ) -> None:
        self._user(number, role, given_name, family_name, agents, org, {"email": email, **more})

    def gone(self, number: str, role: str = "") -> None:
        """A row of a delta: deleted."""
        row = {"sourcedId": number, "status": "tobedeleted", "role": role}
        self.users.append(row | {"dateLastModified": "2026-09-01T00:00:00.000Z"})

    def _user(
        self,
        number: str,
        role: str,
        given_name: str,
        family_name: str,
        agents: Sequence[str],
        org: str,
        more: dict[str, str],
    ) -> None:
        row = {
            "sourcedId": number,
            "enabledUser": "true",
            "givenName": given_name,
            "familyName": family_name,
            "agentSourcedIds": ",".join(agents),
            **more,
        }
        if self.delta:
            row |= {"status": "active", "dateLastModified": "2026-09-01T00:00:00.000Z"} | more
        if self.version == "1.2":
            self.roles.append(
                {
                    "sourcedId": f"r-{number}-{org}",
                    "userSourcedId": number,
                    "roleType": "primary",
                    "role": role,
                    "orgSourcedId": org,
                }
            )
        else:
            row |= {"role": role, "orgSourcedIds": org}
        self.users.append(row)

    def contents(self, encoding: str = "utf-8") -> dict[str, bytes]:
        tables: dict[str, Any] = {"users": self.users}
        if self.orgs:
            tables["orgs"] = self.orgs
        if self.sessions:
            tables["academicSessions"] = self.sessions
        if self.classes:
            tables["classes"] = list(self.classes.values())
            tables["enrollments"] = self.enrollments
        if self.version == "1.2":
            tables["roles"] = self.roles
        mode = "delta" if self.delta else "bulk"
        manifest = [["propertyName", "value"], ["manifest.version", "1.0"]]
        manifest += [["oneroster.version", self.version]]
        manifest += [[f"file.{name}", mode if name in tables else "absent"] for name in HEADERS]
        made = {"manifest.csv": table(manifest).encode(encoding)}
        for name, rows in tables.items():
            header = HEADERS[name].split()
            if self.version == "1.2" and name == "users":
                header = [word for word in header if word not in {"orgSourcedIds", "role"}]
            lines = [[row.get(word, "") for word in header] for row in rows]
            made[f"{name}.csv"] = table([header, *lines]).encode(encoding)
        return made

    def zip(self, path: Path, folder: str = "") -> Path:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in self.contents().items():
                archive.writestr(f"{folder}{name}", content)
        return path

    def folder(self, path: Path, encoding: str = "utf-8") -> Path:
        path.mkdir(exist_ok=True)
        for name, content in self.contents(encoding).items():
            (path / name).write_bytes(content)
        return path


def table(rows: Sequence[Sequence[str]], delimiter: str = ",") -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows(rows)
    return text.getvalue()


def workbook(path: Path, rows: Sequence[Sequence[Any]]) -> Path:
    from openpyxl import Workbook

    book = Workbook()
    for row in rows:
        book.active.append(list(row))
    book.save(path)
    return path
