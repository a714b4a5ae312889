//go:build e2e

package e2e

import (
	"testing"

	"github.com/meshc/meshc/lab/caller"
	"github.com/meshc/meshc/test/cluster/app/load"
)

// raw asks by HTTP over a connection of its own, and takes a connection that is closed
// for a refusal: so a proxy refuses who is not in the mesh.
func raw(name, address string) load.Flow {
	return load.Flow{Name: name, Request: caller.Request{Kind: caller.TCP, Address: address, Brief: true, Body: "GET /ok HTTP/1.1\r\nhost: " + address + "\r\n\r\n"}}
}

// What is excluded from the mesh passes it by, unjudged; all else stays judged. Egress
// is closed all the while.
func exclusions(t *testing.T) {
	ours(t)
	outside(t)
	kubectl(t, "", "patch", "mesh", "mesh", "--type=merge", "-p", `{"spec": {"egress": "deny"}}`)
	fixture(t, "exclusions.yaml")
	port, inRange := "partly.shop:9191", "partly.shop:9305"
	byName, byAddress := get("outside, by name", "outside.example:8000", "/"), get("outside, by address", "10.250.0.1:8000", "/")
	askers := []asking{
		{"deploy/outsider",
			[]load.Flow{raw("an excluded inbound port", port), raw("one of an excluded range", inRange), raw("a port that is not included", "included.shop:9191")},
			[]load.Flow{raw("a port beside the excluded", "partly.shop:8080"), raw("a port that is included", "included.shop:8080")}},
		{"deploy/excepted",
			[]load.Flow{get("an excluded outbound port", port, "/any"), get("one of an excluded range of ports", inRange, "/any"), byName, byAddress},
			[]load.Flow{get("a port beside the excluded", "partly.shop:8080", "/ok"), get("a service without a grant", "web.shop:80", "/ok")}},
		{"deploy/included",
			[]load.Flow{byName, byAddress},
			[]load.Flow{get("an address of the included range", "web.shop:80", "/ok"), get("a port without a grant", port, "/ok")}},
		{"deploy/client",
			[]load.Flow{get("granted, beside an excluded port", "partly.shop:8080", "/ok"), get("granted, an included port", "included.shop:8080", "/ok")},
			[]load.Flow{get("an excluded port, through the mesh", port, "/ok"), byName, byAddress}},
	}
	arrive(t, askers)
	asks(t, false, askers, func(t *testing.T) {
		churn(t, "partly")
		churn(t, "included")
		restartController(t)
	})
}
