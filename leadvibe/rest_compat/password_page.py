"""The page that a mailed link opens: it needs nothing from elsewhere, and may run nothing but its own script.

The link's secret stands behind the #, which browsers send to nobody.
"""

from __future__ import annotations

import base64
import hashlib

from leadvibe.resolvers.passwords import SHORTEST_PASSWORD

_STYLE = """
body { font: 16px/1.6 system-ui, sans-serif; max-width: 24rem; margin: 4rem auto; padding: 0 1rem; }
label, input, button { display: block; width: 100%; box-sizing: border-box; font: inherit; }
input, button { padding: .5rem; margin: .25rem 0 1rem; }
#said[data-wrong] { color: #b3261e; }
"""

_SCRIPT = """
"use strict";
const form = document.querySelector("form"), said = document.querySelector("#said");
const say = (text, wrong) => { said.textContent = text; said.toggleAttribute("data-wrong", wrong); };
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (form.password.value !== form.again.value) return say("The passwords differ.", true);
  form.elements.send.disabled = true;
  try {
    const body = JSON.stringify({ token: location.hash.slice(1), password: form.password.value });
    const headers = { "Content-Type": "application/json" };
    const response = await fetch("set", { method: "POST", headers, body });
    if (response.ok) {
      form.remove();
      history.replaceState(null, "", location.pathname);
      return say("The password is set. You can log in with it now.", false);
    }
    say((await response.json()).error, true);
  } catch {
    say("The server cannot be reached.", true);
  }
  form.elements.send.disabled = false;
});
"""

PAGE = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Set your password · Leadvibe</title><link rel="icon" href="data:,"><style>{_STYLE}</style></head>
<body><h1>Set your password</h1>
<form>
<label for="password">New password, {SHORTEST_PASSWORD} characters at least</label>
<input id="password" name="password" type="password" autocomplete="new-password"
minlength="{SHORTEST_PASSWORD}" required>
<label for="again">Once more</label>
<input id="again" name="again" type="password" autocomplete="new-password" required>
<button name="send">Set password</button>
</form>
<p id="said" role="status"></p>
<noscript><p>This page needs JavaScript.</p></noscript>
<script>{_SCRIPT}</script></body></html>
"""


def _hash(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src {_hash(_STYLE)}; script-src {_hash(_SCRIPT)}; img-src data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
}
