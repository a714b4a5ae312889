// Package verify interprets Envoy configuration: given what proxies were sent,
// it plays a request through the client's and the server's proxy and says what
// becomes of it, and which policies Envoy would name. It reads the messages
// generically and refuses what it does not understand: undecodable never means
// allow. It knows neither how the configuration was made nor the policy behind
// it, so that it can judge the compiler.
package verify
