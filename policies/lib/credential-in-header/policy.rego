# METADATA
# scope: package
# title: a header expression holds a credential
# description: |
#   Manifests lie in Git, in bundles and in the configuration of every proxy that may
#   call the service. A token or password in a header match can be read in all of
#   these places, and whoever has read it can send it. Identities of mTLS need no
#   shared secret.
# custom:
#   meshc:
#     id: MSH1512
#     severity: warning
#     scope: object
#     kinds: [HTTPRouteGroup]
#     help: take the credential out and revoke it; narrow the sources instead
#     since: 0.2.0
#     params:
#       headers:
#         type: array
#         default: [authorization, proxy-authorization, cookie, x-api-key, x-auth-token]
#         help: headers that carry credentials, in lower case
#       length:
#         type: number
#         default: 12
#         help: how many letters and digits in a row make a credential
package meshc.rules.credential_in_header

deny contains {
	"path": ["spec", "matches", i, "headers", name],
	"message": sprintf("the match %q asks for a fixed credential in %s", [match.name, name]),
	"effect": "who can read the manifests or a proxy's configuration can send it",
} if {
	some i, match in input.object.spec.matches
	some name, value in match.headers
	lower(name) in data.params.headers
	regex.match(sprintf(`[0-9A-Za-z+/=_-]{%d}`, [data.params.length]), value)
}
