"""Any API that issues keys, described in YAML: a provider without code.

    providers:
      eleven: {driver: rest, description: elevenlabs, admin: file:…}           # one that comes with the rotator,
      mine: {driver: rest, description: mine.yaml, admin: file:…, team: t1}    # a file beside the config, or the table

A description says what to send, where in the answers things are, and what the provider truly offers:

    base_url: https://api.example.com       # where keys are managed; the config's base_url replaces it
    use_url: https://use.example.com        # where keys are used, if elsewhere; the admin credential never goes there
    auth: {header: X-Api-Key, format: "{admin}"}     # Authorization and "Bearer {admin}" unless said; the only place of
                                            # {admin}. Or {basic: "{settings.user}:{admin}"}
    headers: {X-Version: "2026-04"}         # with every request of the admin credential
    error_code: /error/code                 # where a body says what went wrong; then codes stand beside statuses
    mint:
      method: POST                          # POST unless said
      path: /projects/{principal.project}/keys
      json: {name: "{mark}", scopes: "{scopes}", ttl: "{lifetime_seconds}"}       # or form: {…}
      success: [201]                        # statuses, and codes in quotes. Also: cap, conflict, denied, later, never
      cap: [409, "quota_exceeded"]          # with a 5xx no word counts: there may be a key
      id: /key/id                           # a JSON pointer; or location, the end of that header; or mark
      secret: /key/value                    # or value: {secret: /secretKey, public: /publicKey}
      forms: {secret: "sk-{value}"}         # instead: the value is chosen here, and sent as {secret}
      created: /created_at
    list:
      path: /projects/{principal.project}/keys
      items: /data                          # '' for the answer itself; /owners/*/keys for keys within other lists,
                                            # of which the first must be there as /data must
      empty: absent                         # this API leaves an empty list out; unless said, that is no list
      only: {/owner: "{principal.owner}"}   # which rows are the principal's, where the list has others'
      detail: /keys/{id}                    # one more request for each row, where rows say little; read instead of it
      id: /id                               # '' where rows are the ids themselves
      mark: /name                           # and created, last_used, last_used_by, expires, hint, scopes
      state: {at: /status, enabled: [active], disabled: [paused], deleted: [revoked, null]}   # all enabled unless said
      times: utc                            # RFC 3339 and epochs are read as they come; utc: also times without a zone
      next: {cursor: /next, parameter: after}   # or {link: true}, {url: /links/next}, {last: /id, parameter: after},
                                            # {page: p, first: 1}, {offset: skip}; more: /has_more beside each, where
                                            # true goes on, false and nothing there end
    disable: {method: PATCH, path: "/keys/{id}", json: {active: false}}      # without enable it is for good, and
    enable: {method: PATCH, path: "/keys/{id}", json: {active: true}}        # lifetime: 60s may say how near an end is
    delete: {path: "/keys/{id}", success: [204], gone: [404, 410]}           # DELETE unless said
    verify: {path: /me, auth: {header: X-Api-Key}, works: [200], forbidden: [403], not_yet: [], invalid: [401]}
    identify: {path: /me, id: /key_id}      # with the key itself; auth: admin where the admin credential asks: then
                                            # 401 and 403 mean the admin's, unless verify: and identify: say them
    check: {path: /whoami}                  # of the admin credential; the list's first page unless said
    probe: false                            # unless said, the engine itself asks what verify: asks, where that is one
                                            # GET judged by its status and error_code is left out
    secret_part: secret                     # which part fingerprints are made of
    cap: 100
    rate: 5/s
    propagation: 60s                        # these three and cap are replaced by the config's
    death_window: 120s
    list_lag: 30s
    permission: api_keys.write              # the least that the admin credential needs
    console_url: https://example.com/keys   # without mint a person makes the keys there

Placeholders are {mark}, {scopes}, {lifetime_seconds}, {expires_at} (RFC 3339), {expires_at_seconds} and
{expires_at_milliseconds} of a mint, {id} of a key ({+id} where it is a path), parts like {secret} of a value, and
everywhere {principal.x}, the credential's own words, and {settings.x}, the provider's. A text that is one placeholder
is its value, a number or a list too; where there is none (no scopes, no lifetime) the member is left out.

`rotator plugins try FILE` tells how far an API does what its description says. Not there: keys in slots, lists that are
paged in the body, signed requests, changes that need the whole object sent back.
"""

from .driver import Rest

__all__ = ["Rest"]
