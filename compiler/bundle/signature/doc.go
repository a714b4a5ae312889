// Package signature signs bundles and tells who signed them. A signature is a
// DSSE envelope whose payload names the bundle's digest; it lies in the bundle
// as signatures/KEYID.dsse.json. Keys come in as PEM; what comes out is a signed
// bundle, or the key that vouches for one, or findings that say why none does.
// The package knows neither where bundles come from nor who keeps the keys.
package signature
