"""Check digits and numbering plans: is this string of digits what it looks like?"""

import re

from genwright.detect.formats import formats

# Issuer ranges of the large schemes: Visa, Mastercard (two ranges), American Express, Discover, JCB.
_CARD_ISSUER = re.compile(r"4|5[1-5]|2(?:22[1-9]|2[3-9]|[3-6]|7[01]|720)|3[47]|6011|65|35(?:2[89]|[3-8])")
# The part of the North American plan set aside for fiction: 555-0100 to 555-0199.
_FICTIONAL = re.compile(r"555[.-]01\d\d$")


def is_card_number(text: str, /) -> bool:
    """True where the digits begin like a large card scheme's and pass the Luhn check (ISO/IEC 7812-1)."""
    digits = [int(c) for c in text if c.isdigit()]
    if not _CARD_ISSUER.match("".join(map(str, digits))):
        return False
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def is_iban(text: str, /) -> bool:
    """True where country, length and check digits agree (ISO 13616, ISO 7064 MOD 97-10)."""
    compact = text.replace(" ", "")
    if formats()["iban_length"].get(compact[:2]) != len(compact):
        return False
    return int("".join(str(int(c, 36)) for c in compact[4:] + compact[:4])) % 97 == 1


def is_phone_number(text: str, /) -> bool:
    """True where a numbering plan holds the number: the one its `+` prefix names, or the North American one."""
    # A heavy table, wanted only where a text has a candidate at all.
    import phonenumbers

    if _FICTIONAL.search(text):
        return False
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(text, "US"))
    except phonenumbers.NumberParseException:
        return False
