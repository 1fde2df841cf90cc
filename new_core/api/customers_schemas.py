"""What the routes of customers take and answer."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field, StrictBool, StrictInt, StringConstraints

from new_core.api.identity_schemas import AnyPassword, Asked, Email, Name, Password, Text
from new_core.api.schemas import Answer, Page
from new_core.domain.address import PostalAddress
from new_core.domain.catalog import Stored
from new_core.domain.customer import Customer, CustomerStatus, SavedAddress
from new_core.domain.customer_accounts import (
    AccountKind,
    AccountStatus,
    BusinessAccount,
    CustomerGroup,
    Membership,
)

Locale = Annotated[str, StringConstraints(pattern=r"^([A-Za-z]{2,3}([_-][A-Za-z0-9]{2,8}){0,3})?$")]
Secret = Annotated[str, StringConstraints(max_length=200, pattern=r"^[\x21-\x7e]*$")]
_Notes = Annotated[str, StringConstraints(max_length=1000, pattern=r"^[^\x00]*$")]


class RegistrationIn(Asked):
    """Somebody new."""

    email: Email
    password: Password
    first_name: Text = ""
    last_name: Text = ""
    phone: Text = ""
    locale: Locale = ""


class LoginIn(Asked):
    """Who wants in."""

    email: Annotated[Text, Field(description="the address, or the name of the shop before")]
    password: AnyPassword


class LogoutIn(Asked):
    """Which login ends."""

    refresh_token: Secret


class ResetIn(Asked):
    """Who forgot their password."""

    email: Email


class ResetDoneIn(Asked):
    """The secret that was sent, and a new password."""

    token: Secret
    password: Password


class PasswordIn(Asked):
    """The password of now, and the next."""

    current: AnyPassword
    password: Password


class EmailIn(Asked):
    """Another address of mail, and the password that shows who asks."""

    email: Email
    current: AnyPassword


class CustomerChange(Asked):
    """What changes of oneself."""

    first_name: Text | None = None
    last_name: Text | None = None
    phone: Text | None = None
    locale: Locale | None = None


class CustomerStaffChange(CustomerChange):
    """What staff change of a customer."""

    email: Email | None = None
    active: StrictBool | None = None
    group_ids: list[UUID] | None = Field(default=None, max_length=100)


class AddressIn(Asked):
    """An address."""

    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
    lines: list[Text] = Field(max_length=3)
    city: Text
    title: Text = ""
    first_name: Text = ""
    last_name: Text = ""
    company: Text = ""
    region: Text = ""
    postcode: Annotated[Text, StringConstraints(max_length=20)] = ""
    phone: Text = ""
    notes: _Notes = ""
    default_shipping: StrictBool = False
    default_billing: StrictBool = False

    def saved(self, address_id: UUID) -> SavedAddress:
        """As it stands in a book."""
        parts = self.model_dump(exclude={"lines", "default_shipping", "default_billing"})
        address = PostalAddress(lines=tuple(self.lines), **parts)
        return SavedAddress(address_id, address, self.default_shipping, self.default_billing)


class AddressOut(Answer):
    """An address in a customer's book."""

    id: UUID
    country: str
    lines: list[str]
    city: str
    title: str
    first_name: str
    last_name: str
    company: str
    region: str
    postcode: str
    phone: str
    notes: str
    default_shipping: StrictBool
    default_billing: StrictBool

    @classmethod
    def of(cls, saved: SavedAddress) -> AddressOut:
        """An address as it is."""
        one = saved.address
        return cls(
            id=saved.id, country=one.country, lines=list(one.lines), city=one.city,
            title=one.title, first_name=one.first_name, last_name=one.last_name,
            company=one.company, region=one.region, postcode=one.postcode, phone=one.phone,
            notes=one.notes, default_shipping=saved.default_shipping,
            default_billing=saved.default_billing,
        )  # fmt: skip


class AddressList(Answer):
    """A customer's book."""

    data: list[AddressOut]


class CustomerOut(Answer):
    """A customer."""

    id: UUID
    email: str = Field(description="empty once erased")
    status: CustomerStatus
    first_name: str
    last_name: str
    phone: str
    locale: str
    group_ids: list[UUID]
    addresses: list[AddressOut]
    created_at: datetime
    updated_at: datetime
    version: int

    @classmethod
    def of(cls, stored: Stored[Customer]) -> CustomerOut:
        """A customer as they are."""
        one = stored.value
        return cls(
            id=one.id, email=one.email, status=one.status, first_name=one.first_name,
            last_name=one.last_name, phone=one.phone, locale=one.locale,
            group_ids=sorted(one.group_ids), addresses=[AddressOut.of(a) for a in one.addresses],
            created_at=one.created_at, updated_at=stored.updated_at, version=stored.version,
        )  # fmt: skip


class CustomerList(Answer):
    """A page of customers, ascending by (updated_at, id)."""

    data: list[CustomerOut]
    page: Page


class GroupIn(Asked):
    """A group."""

    code: Name
    name: Text


class GroupOut(Answer):
    """A group of customers."""

    id: UUID
    code: str
    name: str

    @classmethod
    def of(cls, one: CustomerGroup) -> GroupOut:
        """A group as it is."""
        return cls(id=one.id, code=one.code, name=one.name)


class GroupList(Answer):
    """All groups, by code."""

    data: list[GroupOut]


class TaxId(Answer):
    """A number under which somebody is taxed."""

    kind: Name
    number: Annotated[Text, StringConstraints(max_length=64)]


class AccountIn(Asked):
    """A business account."""

    legal_name: Text
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
    parent_id: UUID | None = Field(default=None, description="of a division the one above it")
    tax_ids: list[TaxId] = Field(default=[], max_length=20)


class AccountStatusIn(Asked):
    """Where an account goes."""

    status: AccountStatus


class AccountOut(Answer):
    """A business account."""

    id: UUID
    kind: AccountKind
    parent_id: UUID | None
    legal_name: str
    status: AccountStatus
    currency: str
    tax_ids: list[TaxId]
    created_at: datetime
    version: int

    @classmethod
    def of(cls, stored: Stored[BusinessAccount]) -> AccountOut:
        """An account as it is."""
        one = stored.value
        return cls(
            id=one.id, kind=one.kind, parent_id=one.parent_id, legal_name=one.legal_name,
            status=one.status, currency=one.currency,
            tax_ids=[TaxId(kind=kind, number=number) for kind, number in one.tax_ids],
            created_at=one.created_at, version=stored.version,
        )  # fmt: skip


class AccountList(Answer):
    """Business accounts, ascending by id."""

    data: list[AccountOut]
    page: Page


class MemberIn(Asked):
    """How somebody acts for an account."""

    role: Name
    active: StrictBool = True
    spending_limit_minor: StrictInt | None = Field(default=None, ge=0, le=2**53)


class MemberOut(Answer):
    """Somebody who acts for an account."""

    customer_id: UUID
    role: str
    active: StrictBool
    spending_limit_minor: int | None
    joined_at: datetime

    @classmethod
    def of(cls, one: Membership) -> MemberOut:
        """A membership as it is."""
        return cls(
            customer_id=one.customer_id, role=one.role, active=one.active,
            spending_limit_minor=one.spending_limit_minor, joined_at=one.joined_at,
        )  # fmt: skip


class MemberList(Answer):
    """Who acts for an account."""

    data: list[MemberOut]
