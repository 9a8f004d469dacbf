"""Password rules: a minimum length, not the username, not one of the commonest."""

from __future__ import annotations

MIN_CHARS = 8
MAX_CHARS = 1_024
# What a guesser tries first, of 8 characters and more (the head of the public "most used passwords" lists).
_COMMONEST_TEXT = """
    password password1 password12 password123 passw0rd p@ssw0rd p@ssword 12345678 123456789 1234567890 0123456789
    87654321 987654321 11111111 111111111 00000000 000000000 12341234 123123123 88888888 66666666 99999999 1q2w3e4r
    1q2w3e4r5t 1qaz2wsx qwertyui qwertyuiop qwerty123 qwerty12 q1w2e3r4 asdfghjk asdfghjkl zxcvbnm1 abcd1234
    abc12345 a1234567 aa123456 iloveyou iloveyou1 sunshine princess football baseball superman trustno1 starwars
    whatever letmein1 welcome1 changeme dragon12 monkey12 computer internet michelle jennifer jordan23 corinthians
    flamengo palmeiras brasil123 senha123 senha1234 mudar123 12qwaszx
"""
COMMONEST = frozenset(_COMMONEST_TEXT.split())
_LEFT_OF_USERNAME_CHARS = 4


def weakness_of(password: str, username: str) -> str | None:
    """Return the error text for ``password`` of an account named ``username``, ``None`` if it is acceptable."""
    if len(password) < MIN_CHARS:
        return f"must have at least {MIN_CHARS} characters"
    if len(password) > MAX_CHARS:
        return f"must have at most {MAX_CHARS} characters"
    folded, name = password.casefold(), username.casefold()
    if folded in COMMONEST:
        return "is one of the commonest passwords; choose another"
    if name and name in folded and len(folded.replace(name, "")) < _LEFT_OF_USERNAME_CHARS:
        return "is little more than the username; choose another"
    return None
