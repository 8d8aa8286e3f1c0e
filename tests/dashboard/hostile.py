"""What a provider, a file or a person may put where a name is meant."""

from __future__ import annotations

from typing import Final

LONG: Final = "x" * 3000
NAMES: Final = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</title></textarea></style><svg/onload=alert(1)>",
    "{{ 7 * 7 }} {% raw %} ${7*7} #{7*7}",
    "javascript:alert(1)//",
    "&lt;b&gt; &amp; &#60;",
    "live\u202egnp.exe",  # right to left from here on
    "a\u2066b\u2069c\u200bd\u200de\ufefff",  # isolates, nothing wide, joiners
    "\x1b[31mred\x1b]0;title\x07\x1b[2J",
    "\x9b31m\x9d0;title\x9c",  # the same in one byte
    "one\r\ntwo\u2028three\u2029four\x0bfive\x85six",
    "=cmd|' /C calc'!A0",
    "+1+1|x",
    "-2+3",
    "@SUM(A1:A9)",
    "\t=1+1",
    "＝1+1",
    "zero\0byte",
    "emoji 🔑👩‍💻🏳️‍🌈",
    "\ud83d lone \udfff",
    "שלום עולם",
    "../../etc/passwd%00%2e%2e",
    "# TYPE x counter\nx 1",
    '",le="0.1"} 1\nfoo{bar="',
    "<!channel> @everyone [click](https://evil.example) ![x](https://evil.example/x.png)",
    "Z̸̡̛̺͔̪͊͗a̷͔͑l̴̰̀g̶̳͠o̸̥͝" * 20,
)
"""Each by itself, and all of them together."""
