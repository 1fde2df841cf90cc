"""ISO 4217: which currencies there are, and how many decimals each has."""

from __future__ import annotations

from new_core.errors import InvalidValue

_NONE = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THREE = "BHD IQD JOD KWD LYD OMR TND"
_FOUR = "CLF UYW"
_TWO = """
AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN
BZD CAD CDF CHE CHF CHW CNY COP COU CRC CUC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP
GBP GEL GHS GIP GMD GTQ GYD HKD HNL HRK HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT
LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO
NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SLL SOS
SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XCD
XCG YER ZAR ZMW ZWG ZWL
"""
_DECIMALS = (
    dict.fromkeys(_NONE.split(), 0)
    | dict.fromkeys(_TWO.split(), 2)
    | dict.fromkeys(_THREE.split(), 3)
    | dict.fromkeys(_FOUR.split(), 4)
)
CURRENCIES = frozenset(_DECIMALS)


def decimals(currency: str) -> int:
    """How many decimals amounts of this currency have, e.g. 2 for EUR and 0 for JPY.

    Raises:
        InvalidValue: no ISO 4217 code; a guess would be wrong by a factor of 10 or more.
    """
    try:
        return _DECIMALS[currency]
    except KeyError:
        raise InvalidValue("currency", f"{currency!r} is not an ISO 4217 code") from None
