"""Tables of an oscar shop that do not move, and why. What stands in neither list is refused."""

from __future__ import annotations

from collections.abc import Mapping

_DJANGO = "Django's own bookkeeping, which the core does not need"
_RIGHTS = "rights of the shop's staff; the core has its own roles"
_STATISTICS = "counted from views and orders; the core counts anew"
_MAIL = "mail that was sent, and its templates; mail is sent by the store that owns orders"
_OFFERS = "offers are copied by the backfill and edited where promotions are kept"
_SHIPPING = "ways of shipping are set up in the core; their prices are no shopper's data"
_REVIEWS = "reviews come with a slice of their own and stay with the legacy until then"
_WISHES = "wish lists come with a slice of their own and stay with the legacy until then"
_CARDS = "card data does not leave the legacy: the gateways keep it"
_PAGES = "pages of the shop's own site, which the core does not serve"
_TYPES = "names of kinds of events, fixed by the shop's code"

OTHER_TABLES: Mapping[str, str] = {
    "address_country": "copied by the backfill; a list that nobody's request writes",
    "analytics_productrecord": _STATISTICS,
    "analytics_userproductview": _STATISTICS,
    "analytics_userrecord": _STATISTICS,
    "analytics_usersearch": _STATISTICS,
    "auth_group": _RIGHTS,
    "auth_group_permissions": _RIGHTS,
    "auth_permission": _RIGHTS,
    "auth_user_groups": _RIGHTS,
    "auth_user_user_permissions": _RIGHTS,
    "communication_communicationeventtype": _MAIL,
    "communication_email": _MAIL,
    "communication_notification": _MAIL,
    "customer_productalert": "alerts are raised anew by the store that owns stock",
    "django_admin_log": _DJANGO,
    "django_content_type": _DJANGO,
    "django_flatpage": _PAGES,
    "django_flatpage_sites": _PAGES,
    "django_migrations": _DJANGO,
    "django_site": _DJANGO,
    "offer_benefit": _OFFERS,
    "offer_condition": _OFFERS,
    "offer_conditionaloffer": _OFFERS,
    "offer_conditionaloffer_combinations": _OFFERS,
    "offer_range": _OFFERS,
    "offer_range_classes": _OFFERS,
    "offer_range_excluded_categories": _OFFERS,
    "offer_range_excluded_products": _OFFERS,
    "offer_range_included_categories": _OFFERS,
    "offer_rangeproduct": _OFFERS,
    "offer_rangeproductfileupload": _OFFERS,
    "order_paymenteventtype": _TYPES,
    "order_shippingeventtype": _TYPES,
    "oscarapi_apikey": _RIGHTS,
    "partner_partner_users": _RIGHTS,
    "partner_partneraddress": "where goods are sent from is set up in the core",
    "partner_stockalert": "open alerts, raised anew by the core when stock is replenished there",
    "payment_bankcard": _CARDS,
    "payment_sourcetype": _TYPES,
    "reviews_productreview": _REVIEWS,
    "reviews_vote": _REVIEWS,
    "shipping_orderanditemcharges": _SHIPPING,
    "shipping_orderanditemcharges_countries": _SHIPPING,
    "shipping_weightband": _SHIPPING,
    "shipping_weightbased": _SHIPPING,
    "shipping_weightbased_countries": _SHIPPING,
    "thumbnail_kvstore": "a cache of image sizes",
    "voucher_voucher": _OFFERS,
    "voucher_voucher_offers": _OFFERS,
    "voucher_voucherset": _OFFERS,
    "wishlists_line": _WISHES,
    "wishlists_wishlist": _WISHES,
    "wishlists_wishlistsharedemail": _WISHES,
}
