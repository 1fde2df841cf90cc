"""Routes of tax."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request, Response

from new_core.api.answers import answer, changed, expect, id_cursor, read_id_cursor
from new_core.api.auth import needs
from new_core.api.dry_runs import TAKES_BACK
from new_core.api.house import House
from new_core.api.parameters import After, Limit
from new_core.api.problems import described
from new_core.api.schemas import Page
from new_core.api.tax_schemas import (
    ClassBody,
    Classes,
    ClassOut,
    ExemptionBody,
    ExemptionOut,
    Exemptions,
    MoneySettingsBody,
    MoneySettingsOut,
    StandardBody,
    StandardOut,
    TaxRuleBody,
    TaxRuleOut,
    TaxRules,
)
from new_core.domain.actor import Actor
from new_core.domain.catalog import Stored
from new_core.domain.tax import ClassOf, ExemptSubject, TaxRule
from new_core.service.doing import Doing
from new_core.service.tax import (
    Expected,
    change_rule,
    classify,
    create_rule,
    decide_money,
    delete_rule,
    end_exemption,
    exempt,
    load_rules,
    rule_of,
)
from new_core.storage.tax_standard import standard_rules

IfMatch = Annotated[str | None, Header(description="the tag that it must have now")]
Keeper = Annotated[Actor, needs("taxes:write")]


def routes(house: House) -> APIRouter:
    """All routes of this module."""
    router = APIRouter(prefix="/v1", responses=described(422, 503), tags=["tax"])
    _add_rules(router, house)
    _add_rule_changes(router, house)
    _add_exemptions(router, house)
    _add_settings(router, house)
    _add_classes(router, house)
    return router


def _expected(if_match: str | None) -> Expected:
    def check(stored: Stored[TaxRule]) -> None:
        expect(if_match, TaxRuleOut.of(stored))

    return check


def _add_rules(router: APIRouter, house: House) -> None:
    @router.get("/tax-rules", response_model=TaxRules)
    async def list_tax_rules(
        request: Request,
        _actor: Keeper,
        limit: Limit = 50,
        after: After = None,
        country: Annotated[str | None, Query(pattern="^[A-Z]{2}$")] = None,
    ) -> Response:
        """Tax rules, of one country or of all."""
        start = read_id_cursor(after) if after else None
        async with house.database.reading() as uow:
            found = await uow.tax.rule_page(country, start, limit + 1)
        more = len(found) > limit
        last = id_cursor(found[limit - 1].value.id) if more else None
        data = [TaxRuleOut.of(one) for one in found[:limit]]
        body = TaxRules(data=data, page=Page(next=last, has_more=more))
        return answer(request, body, next_page=last)

    @router.get("/tax-rules/{rule_id}", response_model=TaxRuleOut, responses=described(404))
    async def get_tax_rule(request: Request, _actor: Keeper, rule_id: UUID) -> Response:
        """A tax rule."""
        async with house.database.reading() as uow:
            found = await rule_of(uow, rule_id)
        return answer(request, TaxRuleOut.of(found))


def _add_rule_changes(router: APIRouter, house: House) -> None:
    @router.post("/tax-rules", response_model=TaxRuleOut, status_code=201, openapi_extra=TAKES_BACK)
    async def post_tax_rule(actor: Keeper, body: TaxRuleBody) -> Response:
        """Make a tax rule."""
        doing = Doing(actor, house.now(), house.new_id)
        async with house.database.writing() as uow:
            stored = await create_rule(uow, body.of(house.new_id()), doing)
        return changed(TaxRuleOut.of(stored), status=201)

    @router.post("/standard-tax-rules", response_model=StandardOut, openapi_extra=TAKES_BACK)
    async def post_standard_rules(actor: Keeper, body: StandardBody) -> StandardOut:
        """Write the rules that come with the core: twice is once."""
        rules = standard_rules(body.countries)
        doing = Doing(actor, house.now(), house.new_id)
        async with house.database.writing() as uow:
            written = await load_rules(uow, rules, doing)
        places = sorted({one.jurisdiction for one in written})
        return StandardOut(written=len(written), jurisdictions=places)

    @router.put(
        "/tax-rules/{rule_id}", response_model=TaxRuleOut, responses=described(404, 412, 428),
        openapi_extra=TAKES_BACK,
    )  # fmt: skip
    async def put_tax_rule(
        actor: Keeper, rule_id: UUID, body: TaxRuleBody, if_match: IfMatch = None
    ) -> Response:
        """Write a tax rule anew."""
        doing = Doing(actor, house.now(), house.new_id)
        async with house.database.writing() as uow:
            stored = await change_rule(uow, body.of(rule_id), _expected(if_match), doing)
        return changed(TaxRuleOut.of(stored))

    @router.delete(
        "/tax-rules/{rule_id}", status_code=204, response_class=Response,
        responses=described(404, 412, 428), openapi_extra=TAKES_BACK,
    )  # fmt: skip
    async def remove_tax_rule(actor: Keeper, rule_id: UUID, if_match: IfMatch = None) -> Response:
        """Delete a tax rule."""
        doing = Doing(actor, house.now(), house.new_id)
        async with house.database.writing() as uow:
            await delete_rule(uow, rule_id, _expected(if_match), doing)
        return Response(status_code=204)


def _add_exemptions(router: APIRouter, house: House) -> None:
    @router.get("/tax-exemptions", response_model=Exemptions)
    async def list_exemptions(
        request: Request, _actor: Keeper, subject_type: ExemptSubject, subject_id: UUID
    ) -> Response:
        """What a customer or an account is exempt from."""
        async with house.database.reading() as uow:
            found = await uow.tax.exemptions_of(subject_type, subject_id)
        return answer(request, Exemptions(data=[ExemptionOut.of(one) for one in found]))

    @router.post(
        "/tax-exemptions", response_model=ExemptionOut, status_code=201, openapi_extra=TAKES_BACK
    )
    async def post_exemption(actor: Keeper, body: ExemptionBody) -> ExemptionOut:
        """Free a customer or an account from a jurisdiction's taxes."""
        doing = Doing(actor, house.now(), house.new_id)
        async with house.database.writing() as uow:
            return ExemptionOut.of(await exempt(uow, body.of(house.new_id()), doing))

    @router.delete(
        "/tax-exemptions/{exemption_id}", status_code=204, response_class=Response,
        responses=described(404), openapi_extra=TAKES_BACK,
    )  # fmt: skip
    async def remove_exemption(actor: Keeper, exemption_id: UUID) -> Response:
        """Somebody pays taxes again."""
        doing = Doing(actor, house.now(), house.new_id)
        async with house.database.writing() as uow:
            await end_exemption(uow, exemption_id, doing)
        return Response(status_code=204)


def _add_settings(router: APIRouter, house: House) -> None:
    @router.get("/tax-settings", response_model=MoneySettingsOut)
    async def get_settings(request: Request, _actor: Keeper) -> Response:
        """How amounts are rounded."""
        async with house.database.reading() as uow:
            found = await uow.tax.settings()
        return answer(request, MoneySettingsOut.of(found))

    @router.put("/tax-settings", response_model=MoneySettingsOut, openapi_extra=TAKES_BACK)
    async def put_settings(actor: Keeper, body: MoneySettingsBody) -> Response:
        """Decide how amounts are rounded, from now on."""
        doing = Doing(actor, house.now(), house.new_id)
        async with house.database.writing() as uow:
            found = await decide_money(uow, body.of(), doing)
        return changed(MoneySettingsOut.of(found))


def _add_classes(router: APIRouter, house: House) -> None:
    @router.get("/tax-classes", response_model=Classes)
    async def list_classes(
        request: Request, _actor: Keeper, limit: Limit = 50, after: After = None
    ) -> Response:
        """The tax classes that were said; "standard" everywhere else."""
        start = read_id_cursor(after) if after else None
        async with house.database.reading() as uow:
            found = await uow.tax.class_page(start, limit + 1)
        more = len(found) > limit
        last = id_cursor(found[limit - 1].target_id) if more else None
        data = [ClassOut.of(one) for one in found[:limit]]
        body = Classes(data=data, page=Page(next=last, has_more=more))
        return answer(request, body, next_page=last)

    @router.put("/tax-classes/{target_id}", response_model=ClassOut, openapi_extra=TAKES_BACK)
    async def put_class(actor: Keeper, target_id: UUID, body: ClassBody) -> Response:
        """Say which tax class a product, or all products of a type, are of."""
        doing = Doing(actor, house.now(), house.new_id)
        one = ClassOf(body.target, target_id, body.tax_class)
        async with house.database.writing() as uow:
            return changed(ClassOut.of(await classify(uow, one, doing)))
